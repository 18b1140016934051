#include "tandem/backends/vulkan/commands/command_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/backends/vulkan/memory/vulkan_buffer.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"

namespace tandem::vulkan_backend {
namespace {

// What every device has on every axis.
constexpr uint32_t kMaxGroups = 65535;

absl::Status ViewError(const VulkanContext& context, absl::string_view what, size_t index,
                       const BufferView& view) {
  const auto error = [&](const auto&... text) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": buffer ", index, " ", text...));
  };
  if (view.is_slot() && view.buffer == nullptr) {
    return error("is slot ", view.slot, "; slots exist in command buffers only");
  }
  if (view.buffer == nullptr) return error("is missing");
  if (view.buffer->device() != context.id()) {
    return error("lies on ", view.buffer->device().ToString(), "; copy it to ",
                 context.id().ToString(), " first");
  }
  return error("is the range of ", view.size, " bytes from ", view.offset, " of a buffer of ",
               view.buffer->size(), " bytes");
}

}  // namespace

absl::Status CheckDispatch(const VulkanContext& context, const Dispatch& dispatch) {
  if (dispatch.program == nullptr) return absl::InvalidArgumentError("a dispatch has no program");
  const auto& program = static_cast<const VulkanProgram&>(*dispatch.program);
  const Shader& shader = program.shader();
  if (&program.context() != &context) {
    return absl::InvalidArgumentError(absl::StrCat(
        program.name(), ": the program was made for ", program.context().id().ToString(),
        " and recorded on another device, ", context.id().ToString()));
  }
  if (static_cast<int>(dispatch.bindings.size()) != shader.num_bindings ||
      dispatch.constants.size() != shader.constants_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        program.name(), ": a dispatch with ", dispatch.bindings.size(), " buffers and ",
        dispatch.constants.size(), " bytes of constants; the shader has ", shader.num_bindings,
        " and ", shader.constants_bytes));
  }
  if (*std::max_element(dispatch.grid.begin(), dispatch.grid.end()) > kMaxGroups) {
    return absl::InvalidArgumentError(
        absl::StrCat(program.name(), ": a grid of ", absl::StrJoin(dispatch.grid, "x"),
                     " work groups; at most ", kMaxGroups, " on an axis. See LinearGrid()"));
  }
  return absl::OkStatus();
}

absl::Status CheckCopy(const BufferView& from, const BufferView& to) {
  if (from.size == to.size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("copy: from ", from.size, " bytes to ", to.size, "; the sizes must be equal"));
}

absl::Status CheckFill(const BufferView& to) {
  if (to.offset % 4 == 0 && to.size % 4 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("fill: the range of ", to.size, " bytes from ",
                                                 to.offset, "; both must be multiples of four"));
}

absl::Status CheckView(const VulkanContext& context, absl::string_view what, size_t index,
                       const BufferView& view) {
  if (view.buffer != nullptr && view.buffer->device() == context.id() && view.offset >= 0 &&
      view.size >= 0 && view.offset <= view.buffer->size() - view.size) [[likely]] {
    return absl::OkStatus();
  }
  return ViewError(context, what, index, view);
}

VkDescriptorBufferInfo RangeOf(const BufferView& view) {
  const auto& buffer = static_cast<const VulkanBuffer&>(*view.buffer);
  return {buffer.handle(), static_cast<VkDeviceSize>(buffer.offset() + view.offset),
          static_cast<VkDeviceSize>(view.size)};
}

absl::Status ToDescriptor(const VulkanContext& context, absl::string_view what, size_t index,
                          const BufferView& view, VkDescriptorBufferInfo* descriptor) {
  const Capabilities& capabilities = context.capabilities();
  *descriptor = RangeOf(view);
  if (view.size == 0) {
    // Where a view of nothing starts does not matter, so it need not be aligned.
    descriptor->offset = static_cast<const VulkanBuffer&>(*view.buffer).offset();
    descriptor->range = sizeof(uint32_t);
    return absl::OkStatus();
  }
  descriptor->range = (descriptor->range + 3) & ~VkDeviceSize{3};
  if (descriptor->offset % capabilities.storage_alignment != 0) [[unlikely]] {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": buffer ", index, " starts at byte ", view.offset, " of its buffer; on ",
        context.id().ToString(), " a shader's buffers start at multiples of ",
        capabilities.storage_alignment, " bytes. Pass the offset as a constant"));
  }
  if (static_cast<int64_t>(descriptor->range) > capabilities.max_storage_range) [[unlikely]] {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": buffer ", index, " has ", view.size, " bytes; a shader of ",
                     context.id().ToString(), " reaches ", capabilities.max_storage_range,
                     " bytes of a buffer. Split the tensor"));
  }
  return absl::OkStatus();
}

absl::Status CheckCopyRanges(const VkDescriptorBufferInfo& from, const VkDescriptorBufferInfo& to) {
  if (from.buffer != to.buffer || from.range == 0 || from.offset >= to.offset + to.range ||
      to.offset >= from.offset + from.range) [[likely]] {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("copy: the ranges of ", from.range, " bytes from ",
                                                 from.offset, " and from ", to.offset,
                                                 " of one buffer overlap"));
}

}  // namespace tandem::vulkan_backend
