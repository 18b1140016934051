// A few threads that make pipelines ahead of their use, and write the pipeline cache when they have
// nothing else to do.
//
//   PipelinePool pool(pipelines);
//   pool.CompileAhead(program);
//
// Whoever needs a pipeline that no thread has begun makes it himself, so nothing ever waits for the
// pool's queue, and where the system has no thread left there are fewer or none. Threads start with
// the first programs.
//
// When the process ends in main() or by exit() with the pool still there, as that of a device which
// nobody closes is, it ends the pool's threads first - one may be in the driver's compiler - and writes
// the cache. Not so after _exit(), quick_exit() or a signal.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_POOL_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_POOL_H_

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "tandem/backends/vulkan/programs/pipeline_cache.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
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

  // Ends the threads, after what they are at, and drops the rest; CompileAhead does nothing then.
  void Stop();
  // Of the process's end: Stop, and the cache is written.
  void StopAndSave();

 private:
  // With mutex_ held.
  void StartThread();
  void Work();

  const std::shared_ptr<PipelineCache> pipelines_;
  // The rest is guarded by it.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Ref<const VulkanProgram>> queue_;
  std::vector<pthread_t> threads_;
  int idle_ = 0;
  bool stop_ = false;
  bool save_failed_ = false;  // since the last pipeline
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_POOL_H_
