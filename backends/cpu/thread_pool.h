// The threads of the CPU backend: loops over independent chunks of work.
//
//   pool.ParallelFor(rows, /*grain=*/16, [&](int64_t begin, int64_t end) {
//     for (int64_t row = begin; row < end; ++row) Softmax(row);
//   });
//
// The chunks are [0, grain), [grain, 2 * grain), ... whatever the number of threads, and each is
// one call of the function. So a result that depends on where a chunk ends (a sum of partial sums)
// has the same bits with 1 and with 64 threads. A loop of one chunk runs in the calling thread and
// costs a comparison: choose the grain so that a chunk is worth waking a thread for (some
// microseconds; see kParallelWork).
//
// The calling thread works on the chunks too. Idle workers spin for a moment, so that the kernels
// of a network find them awake, and then sleep. A loop inside of a loop runs in its thread.
//
// Thread rules: all methods from any thread, also at once.
#ifndef TANDEM_BACKENDS_CPU_THREAD_POOL_H_
#define TANDEM_BACKENDS_CPU_THREAD_POOL_H_

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"

namespace tandem::cpu_backend {

// About the least work of a chunk, in elements of a cheap elementwise operation, or in
// multiplications and additions: some microseconds.
inline constexpr int64_t kParallelWork = 32768;

// The number of items of a chunk, for items of `work_per_item` (see kParallelWork).
constexpr int64_t GrainFor(int64_t work_per_item) {
  return std::max<int64_t>(1, kParallelWork / std::max<int64_t>(1, work_per_item));
}

class CpuThreadPool {
 public:
  // At most so many threads work on a loop, the calling one included. They start at the first loop
  // that needs them.
  explicit CpuThreadPool(int threads) : threads_(std::clamp(threads, 1, kMaxThreads)) {}
  ~CpuThreadPool();
  CpuThreadPool(const CpuThreadPool&) = delete;
  CpuThreadPool& operator=(const CpuThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;

  // Calls fn(begin, end) for the chunks of [0, n); returns when all are done. fn must not throw.
  template <typename Fn>
  void ParallelFor(int64_t n, int64_t grain, Fn&& fn) {
    if (n <= 0) return;
    if (n <= grain) {
      fn(int64_t{0}, n);
      return;
    }
    using F = std::remove_reference_t<Fn>;
    Run(
        n, std::max<int64_t>(grain, 1),
        [](const void* f, int64_t begin, int64_t end) {
          (*static_cast<F*>(const_cast<void*>(f)))(begin, end);
        },
        &fn);
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }
  // INVALID_ARGUMENT unless 1 <= threads <= kMaxThreads. Loops that run meanwhile end as usual.
  absl::Status SetThreads(int threads);

 private:
  using ChunkFn = void (*)(const void* context, int64_t begin, int64_t end);

  // A loop that is running; lives on the stack of the thread that called ParallelFor.
  struct Loop {
    ChunkFn fn;
    const void* context;
    int64_t n;
    int64_t grain;
    int64_t chunks;
    std::atomic<int64_t> next{0};  // the first chunk nobody took
    std::atomic<int> workers{0};   // pool threads inside; changes under mutex_
    Loop* following = nullptr;     // in the list of the pool, under mutex_
  };

  void Run(int64_t n, int64_t grain, ChunkFn fn, const void* context);
  static void TakeChunks(Loop& loop);
  static void* WorkerMain(void* pool);
  void Work();
  // A loop with chunks left, entered; or null. Needs mutex_.
  Loop* Enter();
  void StartWorkers();
  void StopWorkers();  // needs setup_mutex_

  std::atomic<int> threads_;
  std::atomic<bool> started_{false};
  // Counts published loops, and ends: what spinning workers watch.
  std::atomic<uint64_t> published_{0};

  // std::mutex, not absl::Mutex: ThreadSanitizer understands it also where Abseil comes compiled
  // without instrumentation, and this is the code that most needs its eye.
  std::mutex setup_mutex_;          // before mutex_
  std::vector<pthread_t> workers_;  // under setup_mutex_

  std::mutex mutex_;              // the rest is under it
  std::condition_variable work_;  // a loop was published, or stop_
  std::condition_variable done_;  // the last worker left a loop
  Loop* loops_ = nullptr;
  int sleeping_ = 0;
  bool stop_ = false;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_THREAD_POOL_H_
