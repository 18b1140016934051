// A few threads that make pipelines ahead of their use, and write the pipeline cache when they have
// nothing else to do.
//
//   PipelinePool pool(pipelines);
//   pool.CompileAhead(program);
//
// Whoever needs a pipeline that no thread has begun makes it himself, so nothing ever waits for the
// pool's queue. Threads start with the first program.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_PIPELINE_POOL_H_
#define TANDEM_BACKENDS_VULKAN_PIPELINE_POOL_H_

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/pipeline_cache.h"
#include "tandem/backends/vulkan/vulkan_program.h"
#include "tandem/core/base/ref.h"

namespace tandem::vulkan_backend {

class PipelinePool {
 public:
  explicit PipelinePool(std::shared_ptr<PipelineCache> pipelines);
  // Drops what no thread has begun.
  ~PipelinePool();
  PipelinePool(const PipelinePool&) = delete;
  PipelinePool& operator=(const PipelinePool&) = delete;

  void CompileAhead(Ref<const VulkanProgram> program);

 private:
  void Work();

  const std::shared_ptr<PipelineCache> pipelines_;
  absl::Mutex mutex_;
  absl::CondVar wake_;
  std::deque<Ref<const VulkanProgram>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PIPELINE_POOL_H_
