#include "tandem/backends/cpu/allocator.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_buffer.h"

namespace tandem::cpu_backend {
namespace {

using testing::HasSubstr;

DeviceId Cpu() { return {CpuDeviceType(), 0}; }

std::byte* DataOf(const Ref<Buffer>& buffer) {
  return static_cast<CpuBuffer*>(buffer.get())->data();
}

TEST(CpuAllocatorTest, EverySizeIsAlignedAndUsable) {
  CpuAllocator allocator(Cpu(), {});
  std::vector<Ref<Buffer>> buffers;
  for (int64_t bytes : {0, 1, 63, 64, 65, 1919, 1920, 1921, 4000, 65536, 1 << 20, 5 << 20}) {
    const auto buffer = allocator.Allocate(bytes, MemoryKind::kDevice);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ((*buffer)->size(), bytes);
    EXPECT_EQ((*buffer)->kind(), MemoryKind::kUnified);
    EXPECT_TRUE((*buffer)->host_visible());
    EXPECT_EQ((*buffer)->Map().value(), DataOf(*buffer));
    ASSERT_NE(DataOf(*buffer), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(DataOf(*buffer)) % 64, 0);
    std::memset(DataOf(*buffer), static_cast<int>(buffers.size()), bytes);
    buffers.push_back(*buffer);
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    for (int64_t k = 0; k < buffers[i]->size(); ++k) {
      ASSERT_EQ(DataOf(buffers[i])[k], static_cast<std::byte>(i)) << "overwritten";
    }
  }
}

TEST(CpuAllocatorTest, KeepsWhatIsFreedAndCountsRoundedSizes) {
  CpuAllocator allocator(Cpu(), {});
  std::byte* first;
  {
    const Ref<Buffer> a = *allocator.Allocate(1000, MemoryKind::kDevice);
    first = DataOf(a);
    EXPECT_EQ(allocator.stats().bytes_in_use, 1024);
    const Ref<Buffer> b = *allocator.Allocate(64, MemoryKind::kDevice);
    EXPECT_EQ(allocator.stats().bytes_in_use, 1088);
  }
  const AllocatorStats stats = allocator.stats();
  EXPECT_EQ(stats.bytes_in_use, 0);
  EXPECT_EQ(stats.peak_bytes, 1088);
  EXPECT_EQ(stats.allocations, 2);
  EXPECT_GE(stats.bytes_reserved, 1088);
  const Ref<Buffer> again = *allocator.Allocate(990, MemoryKind::kDevice);
  EXPECT_EQ(DataOf(again), first);
  EXPECT_EQ(allocator.stats().bytes_reserved, stats.bytes_reserved);
  allocator.ResetPeak();
  EXPECT_EQ(allocator.stats().peak_bytes, 1024);
}

TEST(CpuAllocatorTest, TrimGivesBackWhatIsFree) {
  CpuAllocator allocator(Cpu(), {});
  const Ref<Buffer> kept = *allocator.Allocate(100, MemoryKind::kDevice);
  const int64_t reserved = allocator.stats().bytes_reserved;
  *allocator.Allocate(1 << 20, MemoryKind::kDevice);
  EXPECT_GT(allocator.stats().bytes_reserved, reserved);
  allocator.Trim();
  EXPECT_EQ(allocator.stats().bytes_reserved, reserved);
}

TEST(CpuAllocatorTest, CacheHasALimit) {
  CpuAllocator::Options options;
  options.cached_bytes = 1 << 20;
  CpuAllocator allocator(Cpu(), options);
  std::vector<Ref<Buffer>> buffers;
  // Blocks of their own: those that share a slab keep all of it.
  for (int i = 0; i < 1000; ++i) buffers.push_back(*allocator.Allocate(10000, MemoryKind::kDevice));
  buffers.push_back(*allocator.Allocate(4 << 20, MemoryKind::kDevice));
  buffers.clear();
  EXPECT_LE(allocator.stats().bytes_reserved, 1 << 20);
}

TEST(CpuAllocatorTest, SlabsEndWithTheirBlocks) {
  CpuAllocator allocator(Cpu(), {});
  std::vector<Ref<Buffer>> buffers;
  for (int i = 0; i < 100; ++i) {
    buffers.push_back(*allocator.Allocate(100000, MemoryKind::kDevice));
    std::memset(DataOf(buffers[i]), i, 100000);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(DataOf(buffers[i])[0], static_cast<std::byte>(i));
    EXPECT_EQ(DataOf(buffers[i])[99999], static_cast<std::byte>(i));
  }
  EXPECT_GE(allocator.stats().bytes_reserved, 100 * 100000);
  buffers.clear();
  allocator.Trim();
  EXPECT_EQ(allocator.stats().bytes_reserved, 0);
}

TEST(CpuAllocatorTest, HugeRequestsAreErrors) {
  CpuAllocator allocator(Cpu(), {});
  for (int64_t bytes : {int64_t{1} << 46, int64_t{1} << 60, INT64_MAX, INT64_MAX - 63}) {
    const auto buffer = allocator.Allocate(bytes, MemoryKind::kDevice);
    EXPECT_EQ(buffer.status().code(), absl::StatusCode::kResourceExhausted) << bytes;
  }
  EXPECT_EQ(allocator.Allocate(-1, MemoryKind::kDevice).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(allocator.stats().bytes_in_use, 0);
  EXPECT_EQ(allocator.stats().bytes_reserved, 0);
}

TEST(CpuAllocatorTest, LimitCountsAndGivesWayToTheCache) {
  CpuAllocator::Options options;
  options.reserved_bytes = 1 << 20;
  CpuAllocator allocator(Cpu(), options);
  {
    const Ref<Buffer> a = *allocator.Allocate(700000, MemoryKind::kDevice);
    const auto b = allocator.Allocate(700000, MemoryKind::kDevice);
    EXPECT_EQ(b.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(b.status().message()), HasSubstr("700000 bytes on cpu:0"));
  }
  // What is only cached makes room for another size.
  EXPECT_TRUE(allocator.Allocate(900000, MemoryKind::kDevice).ok());
}

TEST(CpuAllocatorTest, PoisonIsNan) {
  const auto poison = std::make_shared<std::atomic<bool>>(true);
  CpuAllocator::Options options;
  options.poison = poison;
  CpuAllocator allocator(Cpu(), options);
  const Ref<Buffer> buffer = *allocator.Allocate(100, MemoryKind::kDevice);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(DataOf(buffer)[i], std::byte{0xFF});
}

TEST(CpuAllocatorTest, ImportsHostMemory) {
  CpuAllocator allocator(Cpu(), {});
  alignas(8) float values[4] = {1, 2, 3, 4};
  int released = 0;
  {
    const auto buffer = allocator.ImportHost(values, sizeof(values), [&] { ++released; });
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(DataOf(*buffer), reinterpret_cast<std::byte*>(values));
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
  EXPECT_TRUE(allocator.ImportHost(nullptr, 0, nullptr).ok());
  EXPECT_FALSE(allocator.ImportHost(nullptr, 4, nullptr).ok());
  EXPECT_FALSE(allocator.ImportHost(values, -4, nullptr).ok());
  EXPECT_FALSE(allocator.ImportHost(reinterpret_cast<char*>(values) + 1, 4, nullptr).ok());
}

TEST(CpuAllocatorTest, BuffersMayLiveLonger) {
  auto allocator = std::make_unique<CpuAllocator>(Cpu(), CpuAllocator::Options());
  Ref<Buffer> buffer = *allocator->Allocate(100, MemoryKind::kDevice);
  allocator.reset();
  std::memset(DataOf(buffer), 1, 100);
  buffer = nullptr;
}

TEST(CpuAllocatorTest, ManyThreads) {
  CpuAllocator::Options options;
  options.cached_bytes = 1 << 16;  // so that trimming happens, too
  CpuAllocator allocator(Cpu(), options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<Ref<Buffer>> mine(8);
      for (int i = 0; i < 2000; ++i) {
        Ref<Buffer>& buffer = mine[i % 8];
        if (buffer != nullptr) {
          ASSERT_EQ(DataOf(buffer)[0], static_cast<std::byte>(t));
        }
        buffer = *allocator.Allocate(1 + (i * 37) % 5000, MemoryKind::kDevice);
        std::memset(DataOf(buffer), t, buffer->size());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator.stats().bytes_in_use, 0);
  EXPECT_EQ(allocator.stats().allocations, 8000);
}

}  // namespace
}  // namespace tandem::cpu_backend
