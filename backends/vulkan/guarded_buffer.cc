#include "tandem/backends/vulkan/guarded_buffer.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

absl::StatusOr<GuardedBuffer> GuardedBuffer::Upload(VulkanDevice& device,
                                                    absl::Span<const std::byte> data) {
  const int64_t total = 2 * kGuardBytes + static_cast<int64_t>(data.size());
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> staging,
                          device.allocator().Allocate(total, MemoryKind::kUpload));
  TANDEM_ASSIGN_OR_RETURN(std::byte* const mapped, staging->Map());
  std::fill_n(mapped, total, kPoison);
  std::copy(data.begin(), data.end(), mapped + kGuardBytes);
  TANDEM_RETURN_IF_ERROR(staging->Unmap());
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, device.allocator().Allocate(total));
  TANDEM_RETURN_IF_ERROR(device.default_stream().Copy(BufferView::Of(*staging, 0, total),
                                                      BufferView::Of(*buffer, 0, total)));
  return GuardedBuffer(std::move(buffer), static_cast<int64_t>(data.size()));
}

absl::StatusOr<GuardedBuffer> GuardedBuffer::Poisoned(VulkanDevice& device, int64_t bytes) {
  return Upload(device, std::vector<std::byte>(bytes, kPoison));
}

absl::StatusOr<std::vector<std::byte>> GuardedBuffer::Download(VulkanDevice& device,
                                                               absl::string_view what) const {
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> staging,
                          device.allocator().Allocate(total_bytes(), MemoryKind::kReadback));
  Stream& stream = device.default_stream();
  TANDEM_RETURN_IF_ERROR(stream.Copy(BufferView::Of(*buffer_, 0, total_bytes()),
                                     BufferView::Of(*staging, 0, total_bytes())));
  TANDEM_RETURN_IF_ERROR(stream.Synchronize(stream.Now()));
  TANDEM_ASSIGN_OR_RETURN(const std::byte* const mapped, staging->Map());
  const std::byte* const begin = mapped + kGuardBytes;
  const std::byte* const end = begin + bytes_;
  const auto is_poison = [](std::byte b) { return b == kPoison; };
  EXPECT_TRUE(std::all_of(mapped, begin, is_poison))
      << "bytes before " << what << " were overwritten";
  EXPECT_TRUE(std::all_of(end, mapped + total_bytes(), is_poison))
      << "bytes behind " << what << " were overwritten";
  std::vector<std::byte> data(begin, end);
  TANDEM_RETURN_IF_ERROR(staging->Unmap());
  return data;
}

}  // namespace tandem::vulkan_backend
