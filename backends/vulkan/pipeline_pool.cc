#include "tandem/backends/vulkan/pipeline_pool.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace tandem::vulkan_backend {
namespace {

// The cache is written when no pipeline was made for this long: a program makes most of its
// pipelines in one go, and may never close its devices.
constexpr std::chrono::milliseconds kSaveDelay(500);

size_t MaxThreads() { return std::clamp(std::thread::hardware_concurrency() / 2, 1u, 4u); }

}  // namespace

PipelinePool::PipelinePool(std::shared_ptr<PipelineCache> pipelines)
    : pipelines_(std::move(pipelines)) {}

PipelinePool::~PipelinePool() {
  std::vector<pthread_t> threads;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
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
  const bool saves = !pipelines_->path().empty();
  std::unique_lock<std::mutex> lock(mutex_);
  const auto busy = [this] { return stop_ || !queue_.empty(); };
  bool save_failed = false;
  while (!stop_) {
    if (!queue_.empty()) {
      Ref<const VulkanProgram> program = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      program->CompileAhead();
      program = nullptr;
      lock.lock();
      save_failed = false;
      continue;
    }
    ++idle_;
    const bool unsaved = saves && !save_failed && pipelines_->unsaved() > 0;
    bool quiet = false;
    if (unsaved) {
      quiet = !wake_.wait_for(lock, kSaveDelay, busy);
    } else {
      wake_.wait(lock, busy);
    }
    --idle_;
    if (!quiet) continue;
    lock.unlock();
    // What could not be saved is tried again after the next pipeline, and at the cache's end.
    save_failed = !pipelines_->Save().ok();
    lock.lock();
  }
}

}  // namespace tandem::vulkan_backend
