#include "tandem/backends/vulkan/commands/vulkan_command_buffer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/commands/command_checks.h"
#include "tandem/backends/vulkan/memory/vulkan_buffer.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

// The view that a recorded one stands for. Bindings are checked: large enough for it.
BufferView Resolve(const BufferView& view, absl::Span<const BufferView> bindings) {
  if (view.buffer != nullptr) return view;
  const BufferView& binding = bindings[view.slot];
  return BufferView::Of(*binding.buffer, binding.offset + view.offset, view.size);
}

}  // namespace

absl::StatusOr<Ref<CommandBuffer>> VulkanCommandBuffer::Create(
    std::shared_ptr<VulkanContext> context, int num_slots) {
  if (num_slots < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a command buffer with ", num_slots, " slots; 0 or more"));
  }
  return Ref<CommandBuffer>(new VulkanCommandBuffer(std::move(context), num_slots));
}

VulkanCommandBuffer::VulkanCommandBuffer(std::shared_ptr<VulkanContext> context, int num_slots)
    : context_(std::move(context)), required_(num_slots, -1) {}

absl::Status VulkanCommandBuffer::CheckRecordable(absl::string_view what,
                                                  absl::Span<const BufferView> views) const {
  if (finished_) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": a finished command buffer takes no more work"));
  }
  for (size_t i = 0; i < views.size(); ++i) {
    const BufferView& view = views[i];
    if (view.buffer != nullptr || !view.is_slot()) {
      TANDEM_RETURN_IF_ERROR(CheckView(*context_, what, i, view));
    } else if (view.slot >= num_slots() || view.offset < 0 || view.size < 0 ||
               view.offset > INT64_MAX - view.size) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": buffer ", i, " is the range of ", view.size, " bytes from ",
                       view.offset, " of slot ", view.slot, "; there are ", num_slots(), " slots"));
    }
  }
  return absl::OkStatus();
}

void VulkanCommandBuffer::Append(Step step, absl::Span<const BufferView> views) {
  step.first_view = static_cast<uint32_t>(views_.size());
  step.num_views = static_cast<uint32_t>(views.size());
  views_.insert(views_.end(), views.begin(), views.end());
  for (const BufferView& view : views) {
    if (view.buffer != nullptr) {
      buffers_.emplace_back(view.buffer);
    } else {
      required_[view.slot] = std::max(required_[view.slot], view.offset + view.size);
    }
  }
  steps_.push_back(step);
}

absl::Status VulkanCommandBuffer::Record(const Dispatch& dispatch) {
  TANDEM_RETURN_IF_ERROR(CheckDispatch(*context_, dispatch));
  const auto& program = static_cast<const VulkanProgram&>(*dispatch.program);
  TANDEM_RETURN_IF_ERROR(CheckRecordable(program.name(), dispatch.bindings));
  if (IsEmptyGrid(dispatch.grid)) return absl::OkStatus();
  Step step = {};
  step.kind = Kind::kDispatch;
  step.first_constant = static_cast<uint32_t>(constants_.size());
  step.constants_bytes = static_cast<uint32_t>(dispatch.constants.size());
  step.program = &program;
  step.reads = dispatch.reads;
  step.writes = dispatch.writes;
  step.grid = dispatch.grid;
  constants_.insert(constants_.end(), dispatch.constants.begin(), dispatch.constants.end());
  programs_.emplace_back(&program);
  Append(step, dispatch.bindings);
  return absl::OkStatus();
}

absl::Status VulkanCommandBuffer::Copy(const BufferView& from, const BufferView& to) {
  TANDEM_RETURN_IF_ERROR(CheckCopy(from, to));
  const BufferView views[] = {from, to};
  TANDEM_RETURN_IF_ERROR(CheckRecordable("copy", views));
  if (from.buffer == to.buffer && from.slot == to.slot && from.size > 0 &&
      from.offset < to.offset + to.size && to.offset < from.offset + from.size) {
    return absl::InvalidArgumentError(absl::StrCat("copy: the ranges of ", from.size,
                                                   " bytes from ", from.offset, " and from ",
                                                   to.offset, " of one buffer overlap"));
  }
  Step step = {};
  step.kind = Kind::kCopy;
  Append(step, views);
  return absl::OkStatus();
}

absl::Status VulkanCommandBuffer::Fill(const BufferView& to, uint32_t pattern) {
  TANDEM_RETURN_IF_ERROR(CheckFill(to));
  TANDEM_RETURN_IF_ERROR(CheckRecordable("fill", {to}));
  Step step = {};
  step.kind = Kind::kFill;
  step.pattern = pattern;
  Append(step, {to});
  return absl::OkStatus();
}

absl::Status VulkanCommandBuffer::Finish() {
  if (finished_) {
    return absl::FailedPreconditionError("the command buffer is finished already");
  }
  for (Step& step : steps_) {
    if (step.kind != Kind::kDispatch) continue;
    TANDEM_ASSIGN_OR_RETURN(step.pipeline, step.program->Pipeline());
  }
  finished_ = true;
  return absl::OkStatus();
}

absl::Status VulkanCommandBuffer::CheckBindings(absl::Span<const BufferView> bindings,
                                                Places* places) const {
  const size_t slots = required_.size();
  places->resize(slots);
  for (size_t slot = 0; slot < slots; ++slot) {
    if (required_[slot] < 0) {
      (*places)[slot] = {};
      continue;
    }
    if (slot >= bindings.size()) {
      return absl::InvalidArgumentError(absl::StrCat("submit: nothing is bound to slot ", slot,
                                                     ": ", bindings.size(), " bindings for ", slots,
                                                     " slots"));
    }
    const BufferView& view = bindings[slot];
    TANDEM_RETURN_IF_ERROR(CheckView(*context_, "submit: binding", slot, view));
    if (view.size < required_[slot]) {
      return absl::InvalidArgumentError(absl::StrCat("submit: slot ", slot, " needs ",
                                                     required_[slot], " bytes, its binding has ",
                                                     view.size));
    }
    const auto& buffer = static_cast<const VulkanBuffer&>(*view.buffer);
    (*places)[slot] = {buffer.block_id(), buffer.offset() + view.offset};
  }
  return absl::OkStatus();
}

absl::StatusOr<Ref<const CommandList>> VulkanCommandBuffer::ListFor(
    absl::Span<const BufferView> bindings) {
  if (!finished_) return absl::FailedPreconditionError("submit: call Finish() first");
  Places places;
  TANDEM_RETURN_IF_ERROR(CheckBindings(bindings, &places));
  LightMutexLock lock(&mutex_);
  ++uses_;
  for (Recorded& recorded : recorded_) {
    // From the end: calls differ in their outputs, which come last.
    if (std::equal(places.rbegin(), places.rend(), recorded.places.rbegin())) {
      recorded.used = uses_;
      return Ref<const CommandList>(recorded.list);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(Ref<CommandList> list, FreeListLocked());
  TANDEM_RETURN_IF_ERROR(RecordInto(*list, bindings));
  ++recordings_;
  recorded_.push_back({std::move(places), list, uses_});
  return Ref<const CommandList>(std::move(list));
}

absl::StatusOr<Ref<CommandList>> VulkanCommandBuffer::FreeListLocked() {
  if (recorded_.size() < kMaxLists)
    return CommandList::Create(context_, context_->compute_family());
  const auto older = [](const Recorded& a, const Recorded& b) { return a.used < b.used; };
  const auto free_and_older = [&](const Recorded& a, const Recorded& b) {
    const bool a_free = a.list->unique();
    const bool b_free = b.list->unique();
    return a_free != b_free ? a_free : older(a, b);
  };
  const auto oldest = std::min_element(recorded_.begin(), recorded_.end(), free_and_older);
  Ref<CommandList> list = std::move(oldest->list);
  recorded_.erase(oldest);
  if (list->unique()) return list;
  // All are pending. The one that goes ends with its work.
  return CommandList::Create(context_, context_->compute_family());
}

absl::Status VulkanCommandBuffer::RecordInto(CommandList& list,
                                             absl::Span<const BufferView> bindings) const {
  TANDEM_RETURN_IF_ERROR(list.Begin(CommandList::Use::kMany));
  for (const Step& step : steps_) TANDEM_RETURN_IF_ERROR(RecordStep(step, bindings, list));
  return list.End();
}

absl::Status VulkanCommandBuffer::RecordStep(const Step& step,
                                             absl::Span<const BufferView> bindings,
                                             CommandList& list) const {
  const BufferView* const views = views_.data() + step.first_view;
  switch (step.kind) {
    case Kind::kDispatch: {
      VkDescriptorBufferInfo ranges[kMaxBindings];
      for (size_t i = 0; i < step.num_views; ++i) {
        TANDEM_RETURN_IF_ERROR(ToDescriptor(*context_, step.program->name(), i,
                                            Resolve(views[i], bindings), &ranges[i]));
      }
      return list.Dispatch(
          *step.program, step.pipeline, {ranges, step.num_views}, step.reads, step.writes,
          {constants_.data() + step.first_constant, step.constants_bytes}, step.grid);
    }
    case Kind::kCopy: {
      const VkDescriptorBufferInfo from = RangeOf(Resolve(views[0], bindings));
      const VkDescriptorBufferInfo to = RangeOf(Resolve(views[1], bindings));
      TANDEM_RETURN_IF_ERROR(CheckCopyRanges(from, to));
      if (from.range > 0) list.Copy(from, to);
      return absl::OkStatus();
    }
    case Kind::kFill: {
      const VkDescriptorBufferInfo to = RangeOf(Resolve(views[0], bindings));
      if (to.offset % 4 != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("submit: slot ", views[0].slot,
                         " is filled, and its binding does not start at a "
                         "multiple of four bytes"));
      }
      if (to.range > 0) list.Fill(to, step.pattern);
      return absl::OkStatus();
    }
  }
  return absl::InternalError("a step of no kind");
}

int64_t VulkanCommandBuffer::recordings() const {
  LightMutexLock lock(&mutex_);
  return recordings_;
}

size_t VulkanCommandBuffer::num_lists() const {
  LightMutexLock lock(&mutex_);
  return recorded_.size();
}

}  // namespace tandem::vulkan_backend
