#include "tandem/backends/cpu/thread_pool.h"

#include "absl/strings/str_cat.h"

namespace tandem::cpu_backend {
namespace {

// How long to watch a variable before going to sleep, in pauses: about 20 microseconds. Longer than
// the gap between two kernels of a network, shorter than a wake-up is worth.
constexpr int kSpins = 600;

// True in workers, and in a thread that runs the chunks of a loop: a loop in there runs inline.
thread_local bool in_loop = false;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

CpuThreadPool::~CpuThreadPool() {
  std::lock_guard<std::mutex> lock(setup_mutex_);
  StopWorkers();
}

absl::Status CpuThreadPool::SetThreads(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("the number of threads is between 1 and ", kMaxThreads, ", not ", threads));
  }
  std::lock_guard<std::mutex> lock(setup_mutex_);
  StopWorkers();
  threads_.store(threads, std::memory_order_relaxed);
  return absl::OkStatus();
}

void CpuThreadPool::TakeChunks(Loop& loop) {
  for (;;) {
    const int64_t chunk = loop.next.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= loop.chunks) return;
    const int64_t begin = chunk * loop.grain;
    loop.fn(loop.context, begin, begin + std::min(loop.grain, loop.n - begin));
  }
}

void CpuThreadPool::Run(int64_t n, int64_t grain, ChunkFn fn, const void* context) {
  if (in_loop || threads() == 1) {
    // Nobody else takes chunks, so nobody has to count them.
    for (int64_t begin = 0; begin < n; begin += grain)
      fn(context, begin, std::min(begin + grain, n));
    return;
  }
  Loop loop{fn, context, n, grain, n / grain + (n % grain != 0)};
  if (!started_.load(std::memory_order_acquire)) StartWorkers();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    loop.following = loops_;
    loops_ = &loop;
    published_.fetch_add(1, std::memory_order_release);
    for (int64_t i = std::min<int64_t>(sleeping_, loop.chunks - 1); i > 0; --i) work_.notify_one();
  }
  in_loop = true;
  TakeChunks(loop);
  in_loop = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Loop** place = &loops_;
    while (*place != &loop) place = &(*place)->following;
    *place = loop.following;
  }
  // Nobody enters any more; those inside finish the chunk they have.
  for (int i = 0; i < kSpins; ++i) {
    if (loop.workers.load(std::memory_order_acquire) == 0) return;
    Pause();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  while (loop.workers.load(std::memory_order_acquire) != 0) done_.wait(lock);
}

CpuThreadPool::Loop* CpuThreadPool::Enter() {
  for (Loop* loop = loops_; loop != nullptr; loop = loop->following) {
    if (loop->next.load(std::memory_order_relaxed) < loop->chunks) {
      loop->workers.fetch_add(1, std::memory_order_relaxed);
      return loop;
    }
  }
  return nullptr;
}

void CpuThreadPool::Work() {
  in_loop = true;
  for (;;) {
    const uint64_t seen = published_.load(std::memory_order_acquire);
    Loop* loop = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return;
      loop = Enter();
    }
    if (loop != nullptr) {
      TakeChunks(*loop);
      std::lock_guard<std::mutex> lock(mutex_);
      // The last touch: then the loop may be gone.
      if (loop->workers.fetch_sub(1, std::memory_order_release) == 1) done_.notify_all();
      continue;
    }
    int spins = 0;
    while (spins < kSpins && published_.load(std::memory_order_relaxed) == seen) {
      Pause();
      ++spins;
    }
    if (spins < kSpins) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    ++sleeping_;
    while (!stop_ && published_.load(std::memory_order_relaxed) == seen) work_.wait(lock);
    --sleeping_;
  }
}

void* CpuThreadPool::WorkerMain(void* pool) {
  static_cast<CpuThreadPool*>(pool)->Work();
  return nullptr;
}

void CpuThreadPool::StartWorkers() {
  std::lock_guard<std::mutex> lock(setup_mutex_);
  if (started_.load(std::memory_order_relaxed)) return;
  for (int i = 1; i < threads(); ++i) {
    // Not std::thread, which throws where the system has no more threads. Fewer of them change the
    // speed only.
    pthread_t worker;
    if (pthread_create(&worker, nullptr, WorkerMain, this) != 0) break;
    workers_.push_back(worker);
  }
  started_.store(true, std::memory_order_release);
}

void CpuThreadPool::StopWorkers() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    published_.fetch_add(1, std::memory_order_release);
    work_.notify_all();
  }
  for (pthread_t worker : workers_) pthread_join(worker, nullptr);
  workers_.clear();
  started_.store(false, std::memory_order_release);
  std::lock_guard<std::mutex> lock(mutex_);
  stop_ = false;
}

}  // namespace tandem::cpu_backend
