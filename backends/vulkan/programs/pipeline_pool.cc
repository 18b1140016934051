#include "tandem/backends/vulkan/programs/pipeline_pool.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

namespace tandem::vulkan_backend {
namespace {

// The cache is written when no pipeline was made for this long: a program makes most of its
// pipelines in one go, and may never close its devices.
constexpr std::chrono::milliseconds kSaveDelay(500);

size_t MaxThreads() { return std::clamp(std::thread::hardware_concurrency() / 2, 1u, 4u); }

// The pools that are there, for the end of the process.
struct Pools {
  std::mutex mutex;
  std::vector<PipelinePool*> pools;
  pid_t process = 0;  // whose threads they have
};

Pools& AllPools() {
  static auto* const pools = new Pools();
  return *pools;
}

void StopAll() {
  Pools& all = AllPools();
  std::lock_guard<std::mutex> lock(all.mutex);
  // A fork has none of the threads that it would wait for.
  if (all.process != ::getpid()) return;
  for (PipelinePool* pool : all.pools) pool->StopAndSave();
}

// Handlers run in reverse order, before the static objects of libraries that were opened earlier end.
// So this comes after the driver was loaded, and again after its first pipeline, for compilers have
// static objects that begin with their first use.
void StopAllAtExit() { std::atexit(StopAll); }

}  // namespace

PipelinePool::PipelinePool(std::shared_ptr<PipelineCache> pipelines)
    : pipelines_(std::move(pipelines)) {
  Pools& all = AllPools();
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    if (all.process == 0) {
      all.process = ::getpid();
      StopAllAtExit();
    }
    all.pools.push_back(this);
  }
  pipelines_->SetListener([this] {
    static std::once_flag once;
    std::call_once(once, StopAllAtExit);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      save_failed_ = false;
    }
    wake_.notify_one();
  });
}

PipelinePool::~PipelinePool() {
  {
    Pools& all = AllPools();
    std::lock_guard<std::mutex> lock(all.mutex);
    all.pools.erase(std::find(all.pools.begin(), all.pools.end(), this));
  }
  pipelines_->SetListener(nullptr);
  Stop();
}

void PipelinePool::Stop() {
  std::vector<pthread_t> threads;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

void PipelinePool::StopAndSave() {
  Stop();
  // Nobody is left to be told, and the next process makes its pipelines again.
  pipelines_->Save().IgnoreError();
}

void PipelinePool::CompileAhead(Ref<const VulkanProgram> program) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stop_) return;
  queue_.push_back(std::move(program));
  if (idle_ == 0 && threads_.size() < MaxThreads()) {
    StartThread();
  } else {
    wake_.notify_one();
  }
}

void PipelinePool::StartThread() {
  // Not std::thread, which throws where the system has no more threads.
  pthread_t thread;
  const auto run = [](void* pool) -> void* {
    static_cast<PipelinePool*>(pool)->Work();
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, run, this) == 0) {
    threads_.push_back(thread);
  } else if (threads_.empty()) {
    queue_.clear();  // nobody would take them
  }
}

void PipelinePool::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto busy = [this] { return stop_ || !queue_.empty(); };
  // What could not be saved is tried again after the next pipeline, and at the end.
  const auto unsaved = [this, saves = !pipelines_->path().empty()] {
    return saves && !save_failed_ && pipelines_->unsaved() > 0;
  };
  while (!stop_) {
    if (!queue_.empty()) {
      Ref<const VulkanProgram> program = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      program->CompileAhead();
      program = nullptr;
      lock.lock();
      continue;
    }
    ++idle_;
    bool quiet = false;
    if (unsaved()) {
      quiet = !wake_.wait_for(lock, kSaveDelay, busy);
    } else {
      wake_.wait(lock, [&] { return busy() || unsaved(); });
    }
    --idle_;
    if (!quiet) continue;
    save_failed_ = true;  // unless a pipeline comes meanwhile
    lock.unlock();
    const bool saved = pipelines_->Save().ok();
    lock.lock();
    if (saved) save_failed_ = false;
  }
}

}  // namespace tandem::vulkan_backend
