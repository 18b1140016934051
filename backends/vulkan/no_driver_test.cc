// Runs with the loader told that there are no drivers (see BUILD.bazel).

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/device/backend.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(NoDriverTest, TheListOfDevicesSaysWhy) {
  BackendRegistry registry;
  ASSERT_TRUE(registry.Register(std::make_unique<VulkanBackend>()).ok());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::vector<DeviceListing> devices = registry.ListDevices();
    ASSERT_THAT(devices, SizeIs(1));
    EXPECT_EQ(devices[0].id.ToString(), "vulkan:0");
    EXPECT_TRUE(absl::IsUnavailable(devices[0].status)) << devices[0].status;
    EXPECT_THAT(devices[0].status.message(), HasSubstr("install"));
  }
  const auto device = registry.Open("vulkan:0");
  EXPECT_TRUE(absl::IsUnavailable(device.status())) << device.status();
}

TEST(NoDriverTest, NorIsThereOneWithoutTheLoader) {
  BackendRegistry registry;
  ASSERT_TRUE(registry.Register(std::make_unique<VulkanBackend>()).ok());
  ASSERT_TRUE(registry.SetOption("vulkan", "library", "libno_such_loader.so").ok());
  const auto device = registry.Open("vulkan:0");
  EXPECT_TRUE(absl::IsUnavailable(device.status()));
  EXPECT_THAT(device.status().message(), HasSubstr("libno_such_loader.so"));
}

}  // namespace
}  // namespace tandem::vulkan_backend
