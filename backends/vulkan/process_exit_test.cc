// A device of the process's registry is never closed: the process ends with it open, with work
// under way, with buffers in static storage. What this test shows is that it ends well, which only
// its exit status can tell.

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/validation_log.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {
namespace {

// Ends after main().
Ref<Buffer>& StaticBuffer() {
  static Ref<Buffer> buffer;
  return buffer;
}

TEST(ProcessExitTest, WithAnOpenDevice) {
  StaticBuffer();
  BackendRegistry& registry = BackendRegistry::Global();
  ASSERT_TRUE(registry.Register(std::make_unique<VulkanBackend>()).ok());
  ASSERT_TRUE(registry.SetOption("vulkan", "validation", "sync").ok());
  absl::StatusOr<Device*> device = registry.Open("vulkan:0");
  ASSERT_TRUE(device.ok()) << device.status();
  absl::StatusOr<Ref<Buffer>> buffer = (*device)->allocator().Allocate(1 << 20);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  for (uint32_t i = 0; i < 250; ++i) {
    ASSERT_TRUE((*device)->default_stream().Fill(BufferView::Of(**buffer), i).ok());
  }
  StaticBuffer() = *std::move(buffer);
  EXPECT_THAT(ValidationLog::Global().Take(), testing::IsEmpty());
}

}  // namespace
}  // namespace tandem::vulkan_backend
