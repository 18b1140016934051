#include "tandem/backends/cpu/thread_pool.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace tandem::cpu_backend {
namespace {

using Chunks = std::set<std::pair<int64_t, int64_t>>;

Chunks ChunksOf(CpuThreadPool& pool, int64_t n, int64_t grain) {
  std::mutex mutex;
  Chunks chunks;
  pool.ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    EXPECT_TRUE(chunks.emplace(begin, end).second) << "twice: " << begin;
  });
  return chunks;
}

TEST(CpuThreadPoolTest, ChunksDependOnTheLoopOnly) {
  for (int64_t n : {0, 1, 7, 64, 1000}) {
    for (int64_t grain : {1, 3, 64, 1000, 5000}) {
      Chunks expected;
      for (int64_t begin = 0; begin < n; begin += grain) {
        expected.emplace(begin, std::min(begin + grain, n));
      }
      for (int threads : {1, 2, 5}) {
        CpuThreadPool pool(threads);
        EXPECT_EQ(ChunksOf(pool, n, grain), expected) << n << " " << grain << " " << threads;
      }
    }
  }
}

TEST(CpuThreadPoolTest, NonsenseGrainIsOne) {
  CpuThreadPool pool(2);
  EXPECT_EQ(ChunksOf(pool, 3, 0), (Chunks{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(ChunksOf(pool, 3, -5), (Chunks{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(ChunksOf(pool, -3, 1), Chunks{});
}

TEST(CpuThreadPoolTest, SeveralThreadsWork) {
  CpuThreadPool pool(3);
  // Every chunk waits until all three are being worked on: so three threads do it.
  std::atomic<int> arrived{0};
  pool.ParallelFor(3, 1, [&](int64_t, int64_t) {
    arrived.fetch_add(1);
    while (arrived.load() < 3) std::this_thread::yield();
  });
  EXPECT_EQ(arrived.load(), 3);
}

TEST(CpuThreadPoolTest, LoopsInsideOfLoopsRunInTheirThread) {
  CpuThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  pool.ParallelFor(20, 1, [&](int64_t i, int64_t) {
    const auto id = std::this_thread::get_id();
    pool.ParallelFor(10, 1, [&](int64_t k, int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), id);
      sum.fetch_add(i * 10 + k);
    });
  });
  EXPECT_EQ(sum.load(), 199 * 200 / 2);
}

TEST(CpuThreadPoolTest, ManyCallersAtOnceWhileTheNumberOfThreadsChanges) {
  CpuThreadPool pool(3);
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int round = 0; round < 300; ++round) {
        // Not atomic: the loop's end must make every chunk's writes visible to the caller.
        std::vector<int> marks(97 + t, 0);
        pool.ParallelFor(static_cast<int64_t>(marks.size()), 5, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) marks[i] += static_cast<int>(i) + 1;
        });
        for (size_t i = 0; i < marks.size(); ++i) ASSERT_EQ(marks[i], static_cast<int>(i) + 1);
      }
    });
  }
  std::thread changer([&] {
    for (int n = 0; !stop.load(); ++n) {
      EXPECT_TRUE(pool.SetThreads(1 + n % 4).ok());
      std::this_thread::yield();
    }
  });
  for (std::thread& caller : callers) caller.join();
  stop = true;
  changer.join();
}

TEST(CpuThreadPoolTest, WakesWorkersThatSleep) {
  CpuThreadPool pool(2);
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> arrived{0};
    pool.ParallelFor(2, 1, [&](int64_t, int64_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) std::this_thread::yield();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

TEST(CpuThreadPoolTest, RefusesNonsense) {
  CpuThreadPool pool(2);
  EXPECT_FALSE(pool.SetThreads(0).ok());
  EXPECT_FALSE(pool.SetThreads(-1).ok());
  EXPECT_FALSE(pool.SetThreads(CpuThreadPool::kMaxThreads + 1).ok());
  EXPECT_EQ(pool.threads(), 2);
  EXPECT_TRUE(pool.SetThreads(5).ok());
  EXPECT_EQ(pool.threads(), 5);
}

}  // namespace
}  // namespace tandem::cpu_backend
