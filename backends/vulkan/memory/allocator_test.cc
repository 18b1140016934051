#include "tandem/backends/vulkan/memory/allocator.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/memory/vulkan_buffer.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMiB = int64_t{1} << 20;

const VulkanBuffer& AsVulkan(const Ref<Buffer>& buffer) {
  return static_cast<const VulkanBuffer&>(*buffer);
}

class AllocatorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto instance = Instance::Get({.validation = Validation::kSync});
    ASSERT_TRUE(instance.ok()) << instance.status();
    auto devices = ListPhysicalDevices(**instance);
    ASSERT_TRUE(devices.ok()) << devices.status();
    const PhysicalDevice& physical = devices->back();  // a software driver, if there is one
    auto context = VulkanContext::Create({VulkanDeviceType(), 0}, *instance, physical,
                                         physical.capabilities, faults_);
    ASSERT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
  }
  void TearDown() override {
    context_ = nullptr;
    EXPECT_THAT(ValidationLog::Global().Take(), IsEmpty());
  }

  const std::shared_ptr<FaultInjector> faults_ = std::make_shared<FaultInjector>();
  std::shared_ptr<VulkanContext> context_;
};

TEST_F(AllocatorTest, AlignsAndCounts) {
  VulkanAllocator allocator(context_, {});
  const int64_t alignment = allocator.alignment();
  EXPECT_EQ(alignment & (alignment - 1), 0);
  EXPECT_GE(alignment, context_->capabilities().storage_alignment);
  {
    auto a = allocator.Allocate(0);
    auto b = allocator.Allocate(1);
    auto c = allocator.Allocate(alignment + 1);
    ASSERT_TRUE(a.ok() && b.ok() && c.ok());
    EXPECT_EQ((*a)->size(), 0);
    EXPECT_EQ((*c)->size(), alignment + 1);
    EXPECT_EQ((*c)->kind(), MemoryKind::kDevice);
    EXPECT_EQ((*c)->device(), context_->id());
    for (const auto& buffer : {*a, *b, *c}) EXPECT_EQ(AsVulkan(buffer).offset() % alignment, 0);
    EXPECT_EQ(allocator.stats().bytes_in_use, 4 * alignment);
    EXPECT_EQ(allocator.stats().allocations, 3);
  }
  EXPECT_EQ(allocator.stats().bytes_in_use, 0);
  EXPECT_EQ(allocator.stats().peak_bytes, 4 * alignment);
  allocator.ResetPeak();
  EXPECT_EQ(allocator.stats().peak_bytes, 0);
  EXPECT_GT(allocator.stats().bytes_reserved, 0);
  allocator.Trim();
  EXPECT_EQ(allocator.stats().bytes_reserved, 0);
}

TEST_F(AllocatorTest, RefusesNegativeSizes) {
  VulkanAllocator allocator(context_, {});
  EXPECT_TRUE(absl::IsInvalidArgument(allocator.Allocate(-1).status()));
}

TEST_F(AllocatorTest, RefusesSizesThatNoDeviceHas) {
  VulkanAllocator allocator(context_, {});
  for (const int64_t bytes : {context_->physical().max_allocation_bytes + 1, int64_t{1} << 60,
                              std::numeric_limits<int64_t>::max()}) {
    const absl::Status status = allocator.Allocate(bytes).status();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(bytes, " bytes of device memory")));
  }
  EXPECT_TRUE(allocator.Allocate(1).ok());
}

TEST_F(AllocatorTest, LargeBuffersHaveMemoryOfTheirOwnWhichIsUsedAgain) {
  VulkanAllocator allocator(context_, {.block_bytes = kMiB});
  auto small = allocator.Allocate(1000);
  auto large = allocator.Allocate(3 * kMiB);
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_NE(AsVulkan(*small).handle(), AsVulkan(*large).handle());
  EXPECT_EQ(AsVulkan(*large).offset(), 0);
  const int64_t reserved = allocator.stats().bytes_reserved;
  const VkBuffer handle = AsVulkan(*large).handle();
  large = nullptr;
  EXPECT_EQ(allocator.stats().bytes_reserved, reserved);
  // Not for much smaller ones.
  auto medium = allocator.Allocate(kMiB);
  ASSERT_TRUE(medium.ok());
  EXPECT_NE(AsVulkan(*medium).handle(), handle);
  auto again = allocator.Allocate(3 * kMiB - 1000);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(AsVulkan(*again).handle(), handle);
}

TEST_F(AllocatorTest, TheLimitHolds) {
  VulkanAllocator allocator(context_, {.memory_limit = 8 * kMiB, .block_bytes = kMiB});
  std::vector<Ref<Buffer>> buffers;
  absl::Status status;
  while (status.ok() && buffers.size() < 100) {
    auto buffer = allocator.Allocate(kMiB / 4);
    status = buffer.status();
    if (buffer.ok()) buffers.push_back(*std::move(buffer));
  }
  EXPECT_EQ(buffers.size(), 32) << status;
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(status.message(), HasSubstr("memory_limit is 8388608 bytes"));
  EXPECT_THAT(status.message(), HasSubstr("8388608 bytes are in use"));
  EXPECT_LE(allocator.stats().bytes_reserved, 8 * kMiB);
  // What is kept of small buffers makes room for a large one.
  buffers.clear();
  EXPECT_TRUE(allocator.Allocate(7 * kMiB).ok());
}

TEST_F(AllocatorTest, TheHostReadsWhatItWrote) {
  VulkanAllocator allocator(context_, {});
  for (const MemoryKind kind : {MemoryKind::kUpload, MemoryKind::kReadback}) {
    auto buffer = allocator.Allocate(1000, kind);
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    ASSERT_TRUE((*buffer)->host_visible());
    absl::StatusOr<std::byte*> bytes = (*buffer)->Map();
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    std::memset(*bytes, 42, 1000);
    ASSERT_TRUE((*buffer)->Unmap().ok());
    bytes = (*buffer)->Map();
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ((*bytes)[999], std::byte{42});
    EXPECT_TRUE((*buffer)->Unmap().ok());
  }
}

TEST_F(AllocatorTest, DeviceMemoryMapsOrSaysWhyNot) {
  VulkanAllocator allocator(context_, {});
  auto buffer = allocator.Allocate(64);
  ASSERT_TRUE(buffer.ok());
  // Host and device share their memory in what the tests run on, if that is a software driver.
  EXPECT_EQ((*buffer)->host_visible(), context_->capabilities().unified_memory);
  const auto bytes = (*buffer)->Map();
  if ((*buffer)->host_visible()) {
    EXPECT_TRUE(bytes.ok());
  } else {
    EXPECT_TRUE(absl::IsFailedPrecondition(bytes.status()));
  }
  EXPECT_TRUE((*buffer)->Unmap().ok());
}

// All memory of the device that tests run on is mapped, like the window of a discrete GPU.
TEST_F(AllocatorTest, TheWindowOfADiscreteGpuIsNoMemoryOfTheHost) {
  Capabilities capabilities = context_->capabilities();
  ASSERT_TRUE(DisableFeatures("unified_memory", &capabilities).ok());
  auto instance = Instance::Get(context_->instance().options());
  ASSERT_TRUE(instance.ok()) << instance.status();
  auto context = VulkanContext::Create(context_->id(), *std::move(instance), context_->physical(),
                                       capabilities, std::make_shared<FaultInjector>());
  ASSERT_TRUE(context.ok()) << context.status();
  VulkanAllocator allocator(*context, {});
  auto buffer = allocator.Allocate(64);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_FALSE((*buffer)->host_visible());
  EXPECT_TRUE(absl::IsFailedPrecondition((*buffer)->Map().status()));
  for (const MemoryKind kind : {MemoryKind::kUpload, MemoryKind::kReadback}) {
    auto staging = allocator.Allocate(64, kind);
    ASSERT_TRUE(staging.ok()) << staging.status();
    EXPECT_TRUE((*staging)->host_visible());
  }
}

TEST_F(AllocatorTest, Poison) {
  auto poison = std::make_shared<std::atomic<bool>>(true);
  VulkanAllocator allocator(context_, {.poison = poison});
  auto buffer = allocator.Allocate(10, MemoryKind::kReadback);
  ASSERT_TRUE(buffer.ok());
  const std::byte* bytes = *(*buffer)->Map();
  EXPECT_THAT(std::vector<std::byte>(bytes, bytes + 10), testing::Each(std::byte{0xFF}));
}

TEST_F(AllocatorTest, BuffersOutliveTheAllocatorAndTheDevice) {
  auto allocator = std::make_unique<VulkanAllocator>(context_, VulkanAllocator::Options());
  auto buffer = allocator->Allocate(100, MemoryKind::kUpload);
  ASSERT_TRUE(buffer.ok());
  allocator = nullptr;
  context_ = nullptr;
  std::memset(*(*buffer)->Map(), 1, 100);
  buffer = nullptr;  // TearDown looks for messages about leaks
}

// Ranges of live buffers never overlap, and the statistics add up.
TEST_F(AllocatorTest, RandomPatterns) {
  VulkanAllocator allocator(context_, {.memory_limit = 24 * kMiB, .block_bytes = kMiB});
  const int64_t alignment = allocator.alignment();
  std::mt19937 random(7);
  std::vector<Ref<Buffer>> live;
  std::map<std::pair<VkBuffer, int64_t>, int64_t> ranges;  // (handle, offset) -> end
  int64_t in_use = 0;
  int refused = 0;
  constexpr MemoryKind kKinds[] = {MemoryKind::kDevice, MemoryKind::kUpload, MemoryKind::kReadback};
  for (int step = 0; step < 4000; ++step) {
    if (live.empty() || random() % 100 < 53) {
      const int64_t bytes = random() % (int64_t{256} << (random() % 14));
      auto buffer = allocator.Allocate(bytes, kKinds[random() % 3]);
      if (!buffer.ok()) {
        ASSERT_TRUE(absl::IsResourceExhausted(buffer.status())) << buffer.status();
        ++refused;
        continue;
      }
      const auto& b = AsVulkan(*buffer);
      const int64_t size = std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
      const std::pair key(b.handle(), b.offset());
      const auto after = ranges.lower_bound(key);
      if (after != ranges.end() && after->first.first == b.handle()) {
        ASSERT_LE(b.offset() + size, after->first.second);
      }
      if (after != ranges.begin() && std::prev(after)->first.first == b.handle()) {
        ASSERT_LE(std::prev(after)->second, b.offset());
      }
      ranges.emplace(key, b.offset() + size);
      in_use += size;
      live.push_back(*std::move(buffer));
    } else {
      std::swap(live[random() % live.size()], live.back());
      const auto& b = AsVulkan(live.back());
      const auto range = ranges.find({b.handle(), b.offset()});
      in_use -= range->second - b.offset();
      ranges.erase(range);
      live.pop_back();
    }
    const AllocatorStats stats = allocator.stats();
    ASSERT_EQ(stats.bytes_in_use, in_use);
    ASSERT_LE(stats.bytes_in_use, stats.bytes_reserved);
    ASSERT_LE(stats.bytes_reserved, 24 * kMiB);
  }
  EXPECT_GT(refused, 0);
  live.clear();
  allocator.Trim();
  EXPECT_EQ(allocator.stats().bytes_in_use, 0);
  EXPECT_EQ(allocator.stats().bytes_reserved, 0);
}

TEST_F(AllocatorTest, Threads) {
  VulkanAllocator allocator(context_, {.block_bytes = kMiB});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<Ref<Buffer>> live;
      for (int i = 0; i < 500; ++i) {
        auto buffer = allocator.Allocate((i * 97 + t) % 5000, MemoryKind::kUpload);
        ASSERT_TRUE(buffer.ok());
        std::memset(*(*buffer)->Map(), t, (*buffer)->size());
        live.push_back(*std::move(buffer));
        if (live.size() > 20) live.erase(live.begin());
        for (const Ref<Buffer>& b : live) {
          const std::byte* bytes = *b->Map();
          ASSERT_TRUE(std::all_of(bytes, bytes + b->size(),
                                  [&](std::byte x) { return x == static_cast<std::byte>(t); }));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator.stats().bytes_in_use, 0);
}

TEST_F(AllocatorTest, EveryFailureIsAStatusAndTheNextCallWorks) {
  for (int k = 1; k <= 50; ++k) {
    VulkanAllocator allocator(context_, {.block_bytes = kMiB});
    faults_->FailAllocation(k);
    std::vector<Ref<Buffer>> live;
    int failures = 0;
    for (int i = 0; i < 30; ++i) {
      // Some large, some small.
      const int64_t bytes = i % 3 == 0 ? kMiB : 1000;
      auto buffer = allocator.Allocate(bytes);
      if (!buffer.ok()) {
        ++failures;
        EXPECT_TRUE(absl::IsResourceExhausted(buffer.status())) << buffer.status();
        buffer = allocator.Allocate(bytes);
      }
      ASSERT_TRUE(buffer.ok()) << buffer.status();
      live.push_back(*std::move(buffer));
    }
    // One that the driver reports may be made good by a smaller block.
    EXPECT_LE(failures, 1);
    EXPECT_EQ(faults_->pending(), 0) << "k = " << k;
  }
}

TEST_F(AllocatorTest, ALostDeviceSaysSo) {
  VulkanAllocator allocator(context_, {});
  auto buffer = allocator.Allocate(100, MemoryKind::kUpload);
  ASSERT_TRUE(buffer.ok());
  faults_->LoseDevices(true);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const absl::Status status = allocator.Allocate(100).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("VK_ERROR_DEVICE_LOST"));
    EXPECT_TRUE(absl::IsUnavailable((*buffer)->Map().status()));
    faults_->LoseDevices(false);  // once lost, always lost
  }
}

}  // namespace
}  // namespace tandem::vulkan_backend
