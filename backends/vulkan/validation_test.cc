// Fails where the other tests of the backend would prove nothing: without a device they skip, and
// without a layer that reports mistakes their zero messages say nothing.

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/driver/vk_status.h"
#include "tandem/backends/vulkan/memory/vulkan_buffer.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/device/backend.h"

namespace tandem::vulkan_backend {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class ValidationTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(registry_->Register(std::make_unique<VulkanBackend>()).ok());
    ASSERT_TRUE(registry_->SetOption("vulkan", "validation", "sync").ok());
    const absl::StatusOr<Device*> device = registry_->Open("vulkan:0");
    ASSERT_TRUE(device.ok())
        << device.status()
        << "\nThe tests of the Vulkan backend cannot run here. Install a driver and the Khronos "
           "validation layer (Debian: mesa-vulkan-drivers, vulkan-validationlayers), or leave the "
           "backend out with --repo_env=TANDEM_VULKAN=off.";
    device_ = static_cast<VulkanDevice*>(*device);
    ASSERT_THAT(ValidationLog::Global().Take(), IsEmpty());
  }
  void TearDown() override {
    registry_ = nullptr;
    EXPECT_THAT(ValidationLog::Global().Take(), IsEmpty());
  }

  std::unique_ptr<BackendRegistry> registry_ = std::make_unique<BackendRegistry>();
  VulkanDevice* device_ = nullptr;
};

TEST_F(ValidationTest, ReportsAnInvalidCall) {
  const VulkanContext& context = *device_->context();
  auto info = VkStruct<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
  VkBuffer buffer = VK_NULL_HANDLE;  // of no bytes
  if (context.functions().CreateBuffer(context.device(), &info, nullptr, &buffer) == VK_SUCCESS) {
    context.functions().DestroyBuffer(context.device(), buffer, nullptr);
  }
  EXPECT_THAT(ValidationLog::Global().Take(),
              Contains(HasSubstr("VUID-VkBufferCreateInfo-size-00912")));
}

// Two writes without a barrier between them, in a command buffer that is never submitted.
TEST_F(ValidationTest, ReportsAMissingBarrier) {
  const VulkanContext& context = *device_->context();
  const DeviceFunctions& vk = context.functions();
  const auto allocated = device_->allocator().Allocate(1024);
  ASSERT_TRUE(allocated.ok()) << allocated.status();
  const auto& buffer = static_cast<const VulkanBuffer&>(**allocated);

  auto pool_info = VkStruct<VkCommandPoolCreateInfo>(VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
  pool_info.queueFamilyIndex = context.compute_family().index;
  VkCommandPool pool = VK_NULL_HANDLE;
  ASSERT_EQ(vk.CreateCommandPool(context.device(), &pool_info, nullptr, &pool), VK_SUCCESS);
  auto info = VkStruct<VkCommandBufferAllocateInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
  info.commandPool = pool;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  ASSERT_EQ(vk.AllocateCommandBuffers(context.device(), &info, &commands), VK_SUCCESS);
  const auto begin =
      VkStruct<VkCommandBufferBeginInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
  ASSERT_EQ(vk.BeginCommandBuffer(commands, &begin), VK_SUCCESS);
  const auto offset = static_cast<VkDeviceSize>(buffer.offset());
  vk.CmdFillBuffer(commands, buffer.handle(), offset, 1024, 1);
  EXPECT_THAT(ValidationLog::Global().Take(), IsEmpty());
  vk.CmdFillBuffer(commands, buffer.handle(), offset, 1024, 2);
  EXPECT_THAT(ValidationLog::Global().Take(), Contains(HasSubstr("SYNC-HAZARD-WRITE-AFTER-WRITE")))
      << "synchronization validation is not on";
  EXPECT_EQ(vk.EndCommandBuffer(commands), VK_SUCCESS);
  vk.DestroyCommandPool(context.device(), pool, nullptr);
}

}  // namespace
}  // namespace tandem::vulkan_backend
