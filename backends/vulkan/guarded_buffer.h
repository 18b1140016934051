// A device buffer between guard bands, for tests of kernels: what a kernel writes beside its outputs
// fails the test.
//
//   TANDEM_ASSIGN_OR_RETURN(const GuardedBuffer y, GuardedBuffer::Upload(device, poisoned_bytes));
//   kernel->Record(stream, {x.view()}, {y.view()}, {});
//   TANDEM_ASSIGN_OR_RETURN(std::vector<std::byte> data, y.Download(device, "output 0"));
//
// Thread rules: one thread.
#ifndef TANDEM_BACKENDS_VULKAN_GUARDED_BUFFER_H_
#define TANDEM_BACKENDS_VULKAN_GUARDED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {

// Of guard bands, and of outputs before a kernel runs: NaN in every floating-point type.
inline constexpr std::byte kPoison{0xFF};

class GuardedBuffer {
 public:
  // Copies `data` to the device, on its default stream.
  static absl::StatusOr<GuardedBuffer> Upload(VulkanDevice& device,
                                              absl::Span<const std::byte> data);
  // The same for `bytes` of poison.
  static absl::StatusOr<GuardedBuffer> Poisoned(VulkanDevice& device, int64_t bytes);

  // What lies between the guard bands.
  BufferView view() const { return BufferView::Of(*buffer_, kGuardBytes, bytes_); }
  // The bytes of view() after all work of the default stream. Fails the test if a guard band has
  // changed; `what` is its name then, such as "output 0".
  absl::StatusOr<std::vector<std::byte>> Download(VulkanDevice& device,
                                                  absl::string_view what) const;

 private:
  static constexpr int64_t kGuardBytes = 4096;  // a multiple of every device's alignment

  GuardedBuffer(Ref<Buffer> buffer, int64_t bytes) : buffer_(std::move(buffer)), bytes_(bytes) {}
  int64_t total_bytes() const { return 2 * kGuardBytes + bytes_; }

  Ref<Buffer> buffer_;
  int64_t bytes_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_GUARDED_BUFFER_H_
