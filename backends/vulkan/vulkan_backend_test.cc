#include "tandem/backends/vulkan/vulkan_backend.h"

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/device/backend.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Key;

class VulkanBackendTest : public testing::Test {
 protected:
  static std::unique_ptr<BackendRegistry> NewRegistry() {
    auto registry = std::make_unique<BackendRegistry>();
    EXPECT_TRUE(registry->Register(std::make_unique<VulkanBackend>()).ok());
    EXPECT_TRUE(registry->SetOption("vulkan", "validation", "sync").ok());
    return registry;
  }
  static VulkanDevice& Open(BackendRegistry& registry) {
    absl::StatusOr<Device*> device = registry.Open("vulkan:0");
    EXPECT_TRUE(device.ok()) << device.status();
    return static_cast<VulkanDevice&>(**device);
  }
  void TearDown() override {
    registry_ = nullptr;  // ends the devices, and says what they left behind
    EXPECT_THAT(ValidationLog::Global().Take(), IsEmpty());
  }
  absl::Status Set(absl::string_view name, absl::string_view value) {
    return registry_->SetOption("vulkan", name, value);
  }

  std::unique_ptr<BackendRegistry> registry_ = NewRegistry();
};

// Fills a buffer on the device and reads it, as a whole.
absl::StatusOr<std::vector<uint32_t>> FillAndRead(Device& device, uint32_t pattern) {
  auto source = device.allocator().Allocate(1024);
  if (!source.ok()) return source.status();
  auto result = device.allocator().Allocate(1024, MemoryKind::kReadback);
  if (!result.ok()) return result.status();
  Stream& stream = device.default_stream();
  absl::Status status = stream.Fill(BufferView::Of(**source), pattern);
  status.Update(stream.Copy(BufferView::Of(**source), BufferView::Of(**result)));
  status.Update(stream.Synchronize(stream.Now()));
  if (!status.ok()) return status;
  absl::StatusOr<std::byte*> bytes = (*result)->Map();
  if (!bytes.ok()) return bytes.status();
  std::vector<uint32_t> words(256);
  std::memcpy(words.data(), *bytes, 1024);
  return words;
}

TEST_F(VulkanBackendTest, OpensAndDescribes) {
  VulkanDevice& device = Open(*registry_);
  EXPECT_EQ(device.id().ToString(), "vulkan:0");
  EXPECT_FALSE(device.info().name.empty());
  EXPECT_GT(device.info().memory_bytes, 0);
  EXPECT_EQ(device.info().alignment, device.allocator().alignment());
  EXPECT_THAT(device.info().properties,
              IsSupersetOf({Key("driver"), Key("vulkan"), Key("features"), Key("subgroup_size"),
                            Key("pipeline_cache")}));
  for (const auto& [name, value] : device.info().properties) {
    if (name != "features") {
      EXPECT_FALSE(value.empty()) << name;
    }
  }
}

TEST_F(VulkanBackendTest, ListsEveryDeviceAndOpensNoOther) {
  const std::vector<DeviceListing> devices = registry_->ListDevices();
  ASSERT_FALSE(devices.empty());
  for (const DeviceListing& listing : devices) {
    EXPECT_TRUE(listing.status.ok()) << listing.status;
    const auto device = registry_->Open(listing.id);
    EXPECT_TRUE(device.ok()) << device.status();
  }
  const auto beyond = registry_->Open(DeviceId{VulkanDeviceType(), 99});
  EXPECT_TRUE(absl::IsUnavailable(beyond.status()));
}

TEST_F(VulkanBackendTest, Works) {
  const auto words = FillAndRead(Open(*registry_), 0xC0FFEE);
  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_THAT(*words, testing::Each(0xC0FFEEu));
}

TEST_F(VulkanBackendTest, SeveralRegistriesInOneProcess) {
  const auto other = NewRegistry();
  ASSERT_TRUE(other->SetOption("vulkan", "disable", "push_descriptors").ok());
  const auto unvalidated = std::make_unique<BackendRegistry>();
  ASSERT_TRUE(unvalidated->Register(std::make_unique<VulkanBackend>()).ok());
  std::vector<std::thread> threads;
  for (BackendRegistry* registry : {registry_.get(), other.get(), unvalidated.get()}) {
    threads.emplace_back([registry] {
      for (uint32_t i = 0; i < 20; ++i) {
        const auto words = FillAndRead(Open(*registry), i);
        ASSERT_TRUE(words.ok()) << words.status();
        EXPECT_THAT(*words, testing::Each(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(Open(*other).capabilities().push_descriptors);
}

TEST_F(VulkanBackendTest, BuffersOutliveTheRegistry) {
  absl::StatusOr<Ref<Buffer>> buffer = Open(*registry_).allocator().Allocate(100);
  ASSERT_TRUE(buffer.ok());
  registry_ = nullptr;
  EXPECT_EQ((*buffer)->size(), 100);
}

TEST_F(VulkanBackendTest, WrongOptionsSayWhatIsRight) {
  const auto check = [&](absl::string_view name, absl::string_view value, absl::string_view text) {
    const absl::Status status = Set(name, value);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_THAT(status.message(), HasSubstr(std::string(text)));
  };
  check("validate", "on", "validation");
  check("validation", "yes", "it is off, on or sync");
  check("disable", "speed", "float64");
  check("poison", "2", "it is 0 or 1");
  check("lose_device", "", "it is 0 or 1");
  check("fail_allocation", "-1", "0: none");
  check("memory_limit", "1G", "a number of bytes");
  check("block_bytes", "-1", "a number of bytes");
  check("library", "", "a library's name");
}

TEST_F(VulkanBackendTest, SomeOptionsComeBeforeTheDevice) {
  Open(*registry_);
  for (const char* name :
       {"cache_dir", "memory_limit", "library", "validation", "disable", "block_bytes"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(Set(name, "1"))) << name;
  }
  EXPECT_TRUE(Set("poison", "1").ok());
}

TEST_F(VulkanBackendTest, DisabledFeaturesAreGone) {
  ASSERT_TRUE(Set("disable", "float64, subgroups").ok());
  const VulkanDevice& device = Open(*registry_);
  EXPECT_FALSE(device.capabilities().float64);
  EXPECT_FALSE(device.capabilities().subgroups);
  EXPECT_EQ(device.capabilities().subgroup_size, 1);
}

TEST_F(VulkanBackendTest, MemoryLimit) {
  ASSERT_TRUE(Set("memory_limit", "1000000").ok());
  VulkanDevice& device = Open(*registry_);
  EXPECT_TRUE(device.allocator().Allocate(500000).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(device.allocator().Allocate(2000000).status()));
}

TEST_F(VulkanBackendTest, MistakesAreReported) {
  VulkanDevice& device = Open(*registry_);
  const VulkanContext& context = *device.context();
  auto info = VkStruct<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
  VkBuffer buffer = VK_NULL_HANDLE;  // of no bytes, which is not allowed
  if (context.functions().CreateBuffer(context.device(), &info, nullptr, &buffer) == VK_SUCCESS) {
    context.functions().DestroyBuffer(context.device(), buffer, nullptr);
  }
  EXPECT_GT(ValidationLog::Global().count(), 0);
  EXPECT_THAT(ValidationLog::Global().Take(),
              ElementsAre(HasSubstr("VUID-VkBufferCreateInfo-size-00912")));
}

TEST_F(VulkanBackendTest, EveryFailureIsAStatusAndTheNextCallWorks) {
  for (int k = 1; k <= 50; ++k) {
    registry_ = NewRegistry();
    ASSERT_TRUE(Set("fail_allocation", std::to_string(k)).ok());
    absl::StatusOr<Device*> device = registry_->Open("vulkan:0");
    if (!device.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(device.status())) << device.status();
      device = registry_->Open("vulkan:0");
    }
    ASSERT_TRUE(device.ok()) << device.status();
    auto words = FillAndRead(**device, k);
    if (!words.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(words.status())) << words.status();
      words = FillAndRead(**device, k);
    }
    ASSERT_TRUE(words.ok()) << "k = " << k << ": " << words.status();
    EXPECT_THAT(*words, testing::Each(static_cast<uint32_t>(k)));
  }
}

TEST_F(VulkanBackendTest, ALostDeviceSaysSoAtOnce) {
  VulkanDevice& device = Open(*registry_);
  ASSERT_TRUE(FillAndRead(device, 1).ok());
  auto buffer = device.allocator().Allocate(64);
  ASSERT_TRUE(buffer.ok());
  ASSERT_TRUE(Set("lose_device", "1").ok());
  EXPECT_TRUE(absl::IsUnavailable(FillAndRead(device, 1).status()));
  ASSERT_TRUE(Set("lose_device", "0").ok());
  EXPECT_TRUE(absl::IsUnavailable(FillAndRead(device, 1).status()));
  EXPECT_TRUE(absl::IsUnavailable(device.CreateStream().status()));
  EXPECT_TRUE(absl::IsUnavailable(device.CreateCommandBuffer(0).status()));
  Stream& stream = device.default_stream();
  EXPECT_TRUE(absl::IsUnavailable(stream.Fill(BufferView::Of(**buffer), 0)));
  EXPECT_TRUE(absl::IsUnavailable(stream.Synchronize(stream.Now())));
}

}  // namespace
}  // namespace tandem::vulkan_backend
