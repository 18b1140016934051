#include "tandem/backends/cpu/elementwise_program.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tandem::cpu_backend {
int64_t ElementwiseProgram::output_bytes() const {
  int64_t bytes = 0;
  for (const Output& output : outputs_) bytes += output.bytes;
  return bytes;
}

int64_t ElementwiseProgram::TileFor(int64_t gathered_bytes, bool streams) const {
  const int64_t bytes = register_bytes_ + gathered_bytes + (streams ? output_bytes() : 0);
  // Without registers the instructions work in the output, which is to stay in the cache between them.
  if (bytes == 0) return body_.size() <= 1 ? INT64_MAX : kMaxTile;
  const int64_t tile = kScratchBytes / bytes / kTileUnit * kTileUnit;
  return std::min(tile, kMaxTile);
}

std::string ElementwiseProgram::Describe() const {
  if (is_copy_) return "copy";
  return absl::StrCat("elementwise ", IsaName(isa_), ": ", body_.size(), " instructions, ",
                      registers_.size(), " registers");
}

// One dispatch; shared by the threads that work on it.
class ElementwiseProgram::Run {
 public:
  Run(const ElementwiseProgram& program, const CpuCall& call)
      : program_(program),
        call_(call),
        extent_(*static_cast<const ElementwiseExtent*>(call.constants)),
        inputs_(reinterpret_cast<const ElementwiseInput*>(&extent_ + 1)),
        geometries_(reinterpret_cast<const StridedGeometry*>(inputs_ + program.inputs_.size())),
        streams_(extent_.streams != 0 && CanStream()) {}

  int64_t n() const { return extent_.n; }

  // Elements that a thread takes at once: whole units, so that streamed outputs start cache lines.
  int64_t Grain() const {
    const int64_t units = std::max<int64_t>(1, kParallelWork / program_.cost_ / kTileUnit);
    const int64_t grain = units * kTileUnit;
    if (grain >= extent_.n || extent_.tile >= grain) return grain;
    return (grain + extent_.tile - 1) / extent_.tile * extent_.tile;
  }

  void Copy() const {
    const std::byte* source = call_.buffers[0] + inputs_[0].offset;
    CopyStrided(geometries_[inputs_[0].geometry], program_.inputs_[0].bytes, source,
                call_.buffers[1], *call_.pool);
  }
  bool is_strided_copy() const { return program_.is_copy_ && inputs_[0].geometry >= 0; }

  void Range(int64_t begin, int64_t end) const {
    ElementwiseRange(program_, call_.constants, call_.buffers, streams_).Run(begin, end);
  }

 private:
  // Streaming pays where the output's lines are not in the cache, and needs them whole.
  bool CanStream() const {
    const int num_inputs = program_.num_inputs();
    for (size_t o = 0; o < program_.outputs_.size(); ++o) {
      const std::byte* out = call_.buffers[num_inputs + o];
      if (reinterpret_cast<uintptr_t>(out) % 64 != 0) return false;
      for (int i = 0; i < num_inputs; ++i) {
        if (call_.buffers[i] + inputs_[i].offset == out) return false;
      }
    }
    return true;
  }

  const ElementwiseProgram& program_;
  const CpuCall& call_;
  const ElementwiseExtent& extent_;
  const ElementwiseInput* inputs_;
  const StridedGeometry* geometries_;
  const bool streams_;
};

// The arrays are not initialised: what is read of them is written first.
ElementwiseRange::ElementwiseRange(const ElementwiseProgram& program, const void* constants,
                                   std::byte* const* buffers, bool streams)
    : program_(program),
      buffers_(buffers),
      extent_(*static_cast<const ElementwiseExtent*>(constants)),
      inputs_(reinterpret_cast<const ElementwiseInput*>(&extent_ + 1)),
      geometries_(reinterpret_cast<const StridedGeometry*>(inputs_ + program.inputs_.size())),
      streams_(streams && extent_.streams != 0) {
  const int num_inputs = program_.num_inputs();
  std::byte* free = scratch_;
  void** slot = slots_;
  for (int i = 0; i < num_inputs; ++i) {
    if (inputs_[i].geometry >= 0) {
      *slot++ = free;
      free += extent_.tile * program_.inputs_[i].bytes;
    } else {
      *slot++ = buffers_[i] + inputs_[i].offset;
    }
  }
  for (const ElementwiseProgram::Output& output : program_.outputs_) {
    *slot++ = free;
    if (streams_) free += extent_.tile * output.bytes;
  }
  for (const uint64_t& constant : program_.constants_) {
    *slot++ = const_cast<uint64_t*>(&constant);
  }
  for (int i = 0; i < program_.num_uniforms_; ++i) *slot++ = &uniforms_[i];
  for (const int64_t bytes : program_.registers_) {
    *slot++ = free;
    free += extent_.tile * bytes;
  }
  for (const ElementwiseProgram::Instruction& i : program_.once_) {
    i.fn(slots_[i.a], slots_[i.b], slots_[i.c], slots_[i.out], 1);
  }
}

// Begins to load the next tile, so that it is there when the instructions on this one are done.
void ElementwiseRange::PrefetchInputs(int64_t start, int64_t n) const {
  constexpr int64_t kLine = 64;
  for (int i = 0; i < program_.num_inputs(); ++i) {
    const ElementwiseProgram::Input& info = program_.inputs_[i];
    if (info.uniform || inputs_[i].geometry >= 0) continue;
    const std::byte* const source = buffers_[i] + inputs_[i].offset + start * info.bytes;
    for (int64_t at = 0; at < n * info.bytes; at += kLine) __builtin_prefetch(source + at);
  }
}

void ElementwiseRange::Run(int64_t begin, int64_t end) {
  const int num_inputs = program_.num_inputs();
  const int num_outputs = static_cast<int>(program_.outputs_.size());
  std::byte* gathered = scratch_;
  for (int64_t start = begin; start < end;) {
    const int64_t n = std::min(extent_.tile, end - start);
    for (int i = 0; i < num_inputs; ++i) {
      const ElementwiseInput& input = inputs_[i];
      const ElementwiseProgram::Input& info = program_.inputs_[i];
      std::byte* const source = buffers_[i] + input.offset;
      if (input.geometry >= 0) {
        // What lies in one run is read where it is: a row of the output, a bias for each column.
        const int64_t at = ContiguousOffset(geometries_[input.geometry], start, n);
        if (at != kNotContiguous) {
          slots_[i] = source + at * info.bytes;
        } else {
          GatherStrided(geometries_[input.geometry], info.bytes, source, start, n, gathered);
          slots_[i] = gathered;
        }
        gathered += extent_.tile * info.bytes;
      } else if (!info.uniform) {
        slots_[i] = source + start * info.bytes;
      }
    }
    gathered = scratch_;
    if (start + n < end && program_.body_.size() > 1) {
      PrefetchInputs(start + n, std::min(extent_.tile, end - start - n));
    }
    if (!streams_) {
      for (int o = 0; o < num_outputs; ++o) {
        slots_[num_inputs + o] = buffers_[num_inputs + o] + start * program_.outputs_[o].bytes;
      }
    }
    for (const ElementwiseProgram::Instruction& i : program_.body_) {
      i.fn(slots_[i.a], slots_[i.b], slots_[i.c], slots_[i.out], n);
    }
    if (streams_) {
      for (int o = 0; o < num_outputs; ++o) {
        const int64_t bytes = program_.outputs_[o].bytes;
        StreamCopy(slots_[num_inputs + o], buffers_[num_inputs + o] + start * bytes, n * bytes);
      }
    }
    start += n;
  }
  if (streams_) StreamFence();
}

void ElementwiseProgram::Execute(const CpuCall& call) {
  const auto& program = static_cast<const ElementwiseProgram&>(*call.program);
  const Run run(program, call);
  if (run.is_strided_copy()) {
    run.Copy();
    return;
  }
  call.pool->ParallelFor(run.n(), run.Grain(),
                         [&](int64_t begin, int64_t end) { run.Range(begin, end); });
}

}  // namespace tandem::cpu_backend
