#include "tandem/backends/vulkan/pipeline_pool.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace tandem::vulkan_backend {
namespace {

// The cache is written when no pipeline was made for this long: a program makes most of its
// pipelines in one go, and may never close its devices.
constexpr absl::Duration kSaveDelay = absl::Milliseconds(500);

size_t MaxThreads() { return std::clamp(std::thread::hardware_concurrency() / 2, 1u, 4u); }

}  // namespace

PipelinePool::PipelinePool(std::shared_ptr<PipelineCache> pipelines)
    : pipelines_(std::move(pipelines)) {}

PipelinePool::~PipelinePool() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
    threads.swap(threads_);
    wake_.SignalAll();
  }
  for (std::thread& thread : threads) thread.join();
}

void PipelinePool::CompileAhead(Ref<const VulkanProgram> program) {
  absl::MutexLock lock(&mutex_);
  if (stop_) return;
  queue_.push_back(std::move(program));
  if (idle_ == 0 && threads_.size() < MaxThreads()) {
    threads_.emplace_back([this] { Work(); });
  } else {
    wake_.Signal();
  }
}

void PipelinePool::Work() {
  const bool saves = !pipelines_->path().empty();
  absl::MutexLock lock(&mutex_);
  while (!stop_) {
    if (!queue_.empty()) {
      Ref<const VulkanProgram> program = std::move(queue_.front());
      queue_.pop_front();
      mutex_.Unlock();
      program->CompileAhead();
      program = nullptr;
      mutex_.Lock();
      continue;
    }
    ++idle_;
    const bool unsaved = saves && pipelines_->unsaved() > 0;
    const bool quiet = unsaved ? wake_.WaitWithTimeout(&mutex_, kSaveDelay)
                               : (wake_.Wait(&mutex_), false);
    --idle_;
    if (!quiet || stop_ || !queue_.empty()) continue;
    mutex_.Unlock();
    // An error leaves them unsaved; the next pipeline, or the end of the cache, tries again.
    const bool saved = pipelines_->Save().ok();
    mutex_.Lock();
    if (!saved && !stop_ && queue_.empty()) {
      ++idle_;
      wake_.Wait(&mutex_);
      --idle_;
    }
  }
}

}  // namespace tandem::vulkan_backend
