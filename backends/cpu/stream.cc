#include "tandem/backends/cpu/stream.h"

#include <algorithm>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_buffer.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

// Copies and fills of this many bytes are one chunk of a parallel loop.
constexpr int64_t kCopyChunk = int64_t{1} << 20;
constexpr size_t kMaxBindings = 64;

struct FillConstants {
  int64_t bytes;
  uint32_t pattern;
};

void RunCopy(const CpuCall& call) {
  const int64_t bytes = *static_cast<const int64_t*>(call.constants);
  const std::byte* from = call.buffers[0];
  std::byte* to = call.buffers[1];
  call.pool->ParallelFor(bytes, kCopyChunk, [=](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, end - begin);
  });
}

void RunFill(const CpuCall& call) {
  const FillConstants& fill = *static_cast<const FillConstants*>(call.constants);
  auto* to = reinterpret_cast<uint32_t*>(call.buffers[0]);
  call.pool->ParallelFor(fill.bytes / 4, kCopyChunk / 4,
                         [to, pattern = fill.pattern](int64_t begin, int64_t end) {
                           std::fill(to + begin, to + end, pattern);
                         });
}

const CpuProgram& CopyProgram() {
  static const auto* program = new Ref<CpuProgram>(MakeRef<CpuProgram>("copy", RunCopy));
  return **program;
}

const CpuProgram& FillProgram() {
  static const auto* program = new Ref<CpuProgram>(MakeRef<CpuProgram>("fill", RunFill));
  return **program;
}

// A range of a CPU's buffer, inside of it.
bool IsBound(const BufferView& view, DeviceType cpu) {
  return view.buffer != nullptr && view.buffer->device().type == cpu && view.offset >= 0 &&
         view.size >= 0 && view.offset <= view.buffer->size() - view.size;
}

absl::Status ViewError(const char* program, size_t index, const BufferView& view) {
  const auto error = [&](const auto&... text) {
    return absl::InvalidArgumentError(absl::StrCat(program, ": buffer ", index, " ", text...));
  };
  if (view.is_slot() && view.buffer == nullptr) {
    return error("is slot ", view.slot, "; slots exist in command buffers only");
  }
  if (view.buffer == nullptr) return error("is missing");
  if (view.buffer->device().type != CpuDeviceType()) {
    return error("lies on ", view.buffer->device().ToString(), "; copy it to the CPU first");
  }
  return error("is the range of ", view.size, " bytes from ", view.offset, " of a buffer of ",
               view.buffer->size(), " bytes");
}

std::byte* AddressOf(const BufferView& view) {
  return static_cast<CpuBuffer*>(view.buffer)->data() + view.offset;
}

absl::Status CheckDispatch(const Dispatch& dispatch) {
  if (dispatch.program == nullptr) return absl::InvalidArgumentError("a dispatch has no program");
  if (dispatch.bindings.size() > kMaxBindings) {
    return absl::InvalidArgumentError(absl::StrCat(dispatch.program->name(), ": ",
                                                   dispatch.bindings.size(),
                                                   " buffers in a dispatch; 64 at most"));
  }
  return absl::OkStatus();
}

absl::Status CheckCopy(const BufferView& from, const BufferView& to) {
  if (from.size != to.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("copy: from ", from.size, " bytes to ", to.size, "; the sizes must be equal"));
  }
  if (from.buffer == to.buffer && from.slot == to.slot && from.size > 0 &&
      from.offset < to.offset + to.size && to.offset < from.offset + from.size) {
    return absl::InvalidArgumentError(absl::StrCat("copy: the ranges of ", from.size,
                                                   " bytes from ", from.offset, " and from ",
                                                   to.offset, " of one buffer overlap"));
  }
  return absl::OkStatus();
}

absl::Status CheckFill(const BufferView& to) {
  if (to.offset % 4 == 0 && to.size % 4 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("fill: the range of ", to.size, " bytes from ",
                                                 to.offset, "; both must be multiples of four"));
}

}  // namespace

absl::Status CpuCommandBuffer::Append(const CpuProgram& program, absl::Span<const BufferView> views,
                                      absl::Span<const std::byte> constants) {
  if (finished_) {
    return absl::FailedPreconditionError(
        absl::StrCat(program.name(), ": a finished command buffer takes no more work"));
  }
  const DeviceType cpu = CpuDeviceType();
  for (size_t i = 0; i < views.size(); ++i) {
    const BufferView& view = views[i];
    if (view.buffer != nullptr || !view.is_slot()) {
      if (!IsBound(view, cpu)) return ViewError(program.name(), i, view);
    } else if (view.slot >= num_slots() || view.offset < 0 || view.size < 0 ||
               view.offset > INT64_MAX - view.size) {
      return absl::InvalidArgumentError(absl::StrCat(
          program.name(), ": buffer ", i, " is the range of ", view.size, " bytes from ",
          view.offset, " of slot ", view.slot, "; there are ", num_slots(), " slots"));
    }
  }
  Call call{&program, static_cast<int32_t>(addresses_.size()), static_cast<int32_t>(views.size()),
            static_cast<int64_t>(constants_.size())};
  for (const BufferView& view : views) {
    if (view.buffer != nullptr) {
      addresses_.push_back({0, static_cast<int64_t>(reinterpret_cast<intptr_t>(AddressOf(view)))});
      buffers_.push_back(RefFrom(view.buffer));
    } else {
      addresses_.push_back({view.slot + 1, view.offset});
      required_[view.slot] = std::max(required_[view.slot], view.offset + view.size);
    }
  }
  if (!constants.empty()) {
    constexpr size_t kUnit = sizeof(std::max_align_t);
    constants_.resize(constants_.size() + (constants.size() + kUnit - 1) / kUnit);
    std::memcpy(&constants_[call.constants], constants.data(), constants.size());
  }
  programs_.push_back(RefFrom<const Program>(&program));
  calls_.push_back(call);
  return absl::OkStatus();
}

absl::Status CpuCommandBuffer::Record(const Dispatch& dispatch) {
  TANDEM_RETURN_IF_ERROR(CheckDispatch(dispatch));
  return Append(static_cast<const CpuProgram&>(*dispatch.program), dispatch.bindings,
                dispatch.constants);
}

absl::Status CpuCommandBuffer::Copy(const BufferView& from, const BufferView& to) {
  TANDEM_RETURN_IF_ERROR(CheckCopy(from, to));
  return Append(CopyProgram(), {from, to}, BytesOf(from.size));
}

absl::Status CpuCommandBuffer::Fill(const BufferView& to, uint32_t pattern) {
  TANDEM_RETURN_IF_ERROR(CheckFill(to));
  return Append(FillProgram(), {to}, BytesOf(FillConstants{to.size, pattern}));
}

absl::Status CpuCommandBuffer::Finish() {
  if (finished_) return absl::FailedPreconditionError("the command buffer is finished already");
  finished_ = true;
  return absl::OkStatus();
}

absl::Status CpuCommandBuffer::Run(absl::Span<const BufferView> bindings,
                                   CpuThreadPool& pool) const {
  if (!finished_) return absl::FailedPreconditionError("submit: call Finish() first");
  const size_t slots = required_.size();
  const DeviceType cpu = CpuDeviceType();
  absl::InlinedVector<std::byte*, kMaxBindings + 1> bases(slots + 1);
  for (size_t slot = 0; slot < slots; ++slot) {
    if (required_[slot] < 0) continue;
    if (slot >= bindings.size()) {
      return absl::InvalidArgumentError(absl::StrCat("submit: nothing is bound to slot ", slot,
                                                     ": ", bindings.size(), " bindings for ", slots,
                                                     " slots"));
    }
    const BufferView& view = bindings[slot];
    if (!IsBound(view, cpu)) return ViewError("submit: binding", slot, view);
    if (view.size < required_[slot]) {
      return absl::InvalidArgumentError(absl::StrCat("submit: slot ", slot, " needs ",
                                                     required_[slot], " bytes, its binding has ",
                                                     view.size));
    }
    bases[slot + 1] = AddressOf(view);
  }
  std::byte* buffers[kMaxBindings];
  for (const Call& call : calls_) {
    const Address* address = addresses_.data() + call.first_address;
    for (int i = 0; i < call.num_addresses; ++i) {
      buffers[i] = reinterpret_cast<std::byte*>(reinterpret_cast<intptr_t>(bases[address[i].base]) +
                                                address[i].offset);
    }
    call.program->function()({call.program, buffers, constants_.data() + call.constants, &pool});
  }
  return absl::OkStatus();
}

absl::Status CpuStream::Record(const Dispatch& dispatch) {
  TANDEM_RETURN_IF_ERROR(CheckDispatch(dispatch));
  const DeviceType cpu = CpuDeviceType();
  std::byte* buffers[kMaxBindings];
  for (size_t i = 0; i < dispatch.bindings.size(); ++i) {
    const BufferView& view = dispatch.bindings[i];
    if (!IsBound(view, cpu)) [[unlikely]]
      return ViewError(dispatch.program->name(), i, view);
    buffers[i] = AddressOf(view);
  }
  const auto& program = static_cast<const CpuProgram&>(*dispatch.program);
  program.function()({&program, buffers, dispatch.constants.data(), &pool_});
  return absl::OkStatus();
}

absl::Status CpuStream::Copy(const BufferView& from, const BufferView& to) {
  TANDEM_RETURN_IF_ERROR(CheckCopy(from, to));
  const BufferView views[] = {from, to};
  return Record({.program = &CopyProgram(),
                 .bindings = views,
                 .reads = 1,
                 .writes = 2,
                 .constants = BytesOf(from.size)});
}

absl::Status CpuStream::Fill(const BufferView& to, uint32_t pattern) {
  TANDEM_RETURN_IF_ERROR(CheckFill(to));
  const BufferView views[] = {to};
  const FillConstants constants{to.size, pattern};
  return Record(
      {.program = &FillProgram(), .bindings = views, .writes = 1, .constants = BytesOf(constants)});
}

absl::StatusOr<TimelinePoint> CpuStream::Submit(const Ref<CommandBuffer>& commands,
                                                absl::Span<const BufferView> bindings) {
  if (commands == nullptr) return absl::InvalidArgumentError("submit: there is no command buffer");
  TANDEM_RETURN_IF_ERROR(static_cast<CpuCommandBuffer&>(*commands).Run(bindings, pool_));
  return Now();
}

absl::Status CpuStream::WaitFor(const TimelinePoint& point) {
  if (point.stream == nullptr || point.stream == this) return absl::OkStatus();
  return const_cast<Stream*>(point.stream)->Synchronize(point);
}

bool CpuStream::Reached(const TimelinePoint& point) const {
  return point.stream == nullptr || point.stream == this || point.stream->Reached(point);
}

absl::Status CpuStream::Synchronize(const TimelinePoint& point) { return WaitFor(point); }

}  // namespace tandem::cpu_backend
