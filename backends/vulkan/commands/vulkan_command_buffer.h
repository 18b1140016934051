// Recorded work of a Vulkan device, as data; and the command lists made of it.
//
// A VkCommandBuffer has its buffers written into it, a CommandBuffer has slots. So the work is kept
// as data, and recorded for the bindings of a Submit; the lists for the last few different bindings
// are kept, and submitted again as they are. A loop alternates between few sets of buffers, no more
// than there are submissions in flight, and after its first iterations a Submit costs one comparison
// and one vkQueueSubmit.
//
// Thread rules: recorded by one thread; after Finish immutable, and submitted from any.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_COMMAND_BUFFER_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_COMMAND_BUFFER_H_

#include <vulkan/vulkan.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/commands/command_list.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/command.h"

namespace tandem::vulkan_backend {

class VulkanCommandBuffer final : public CommandBuffer {
 public:
  // Lists that are kept, for as many different bindings. A caller who runs ahead of the device has
  // fresh outputs at every call, one set for each pending submission; all of them are to be found
  // again here.
  static constexpr size_t kMaxLists = kMaxInFlight + 8;

  // INVALID_ARGUMENT for a negative number of slots.
  static absl::StatusOr<Ref<CommandBuffer>> Create(std::shared_ptr<VulkanContext> context,
                                                   int num_slots);

  int num_slots() const override { return static_cast<int>(required_.size()); }
  absl::Status Record(const Dispatch& dispatch) override;
  absl::Status Copy(const BufferView& from, const BufferView& to) override;
  absl::Status Fill(const BufferView& to, uint32_t pattern) override;
  // Waits for the pipelines; an error of one is returned here.
  absl::Status Finish() override;

  // The recorded list for these bindings, not to be recorded into again while it is held.
  // FAILED_PRECONDITION before Finish; INVALID_ARGUMENT as Stream::Submit.
  absl::StatusOr<Ref<const CommandList>> ListFor(absl::Span<const BufferView> bindings);

  const VulkanContext& context() const { return *context_; }
  // How often a list was recorded, and how many there are.
  int64_t recordings() const;
  size_t num_lists() const;

 private:
  enum class Kind : uint8_t { kDispatch, kCopy, kFill };
  struct Step {
    Kind kind;
    uint32_t first_view;  // in views_
    uint32_t num_views;
    uint32_t first_constant;  // in constants_
    uint32_t constants_bytes;
    uint32_t pattern;
    const VulkanProgram* program;  // kept by programs_
    VkPipeline pipeline;           // from Finish on
    uint64_t reads;
    uint64_t writes;
    std::array<uint32_t, 3> grid;
  };
  // Where a slot lies: two bindings with equal places give equal lists.
  struct Place {
    uint64_t block;
    int64_t offset;
    friend bool operator==(const Place&, const Place&) = default;
  };
  using Places = absl::InlinedVector<Place, 16>;
  struct Recorded {
    Places places;
    Ref<CommandList> list;
    uint64_t used;  // a count of uses
  };

  VulkanCommandBuffer(std::shared_ptr<VulkanContext> context, int num_slots);
  absl::Status CheckRecordable(absl::string_view what, absl::Span<const BufferView> views) const;
  // Adds a step, whose views are checked.
  void Append(Step step, absl::Span<const BufferView> views);
  absl::Status CheckBindings(absl::Span<const BufferView> bindings, Places* places) const;
  // A list that no work is pending of: a spare one, the one used longest ago, or a new one.
  absl::StatusOr<Ref<CommandList>> FreeListLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RecordInto(CommandList& list, absl::Span<const BufferView> bindings) const;
  absl::Status RecordStep(const Step& step, absl::Span<const BufferView> bindings,
                          CommandList& list) const;

  const std::shared_ptr<VulkanContext> context_;
  std::vector<Step> steps_;
  std::vector<BufferView> views_;
  std::vector<std::byte> constants_;
  // For each slot the bytes that the steps need behind it; -1 if none uses it.
  std::vector<int64_t> required_;
  std::vector<Ref<const Program>> programs_;
  std::vector<Ref<Buffer>> buffers_;
  bool finished_ = false;

  mutable LightMutex mutex_;
  std::vector<Recorded> recorded_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t recordings_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_COMMAND_BUFFER_H_
