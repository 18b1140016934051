// The streams of a device that live, for who needs all of them: an allocator without room, whose
// memory work of any stream may hold.
//
//   streams.ForEach([](VulkanStream* stream) { ... });
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_STREAM_LIST_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_STREAM_LIST_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "tandem/core/base/light_mutex.h"

namespace tandem::vulkan_backend {

class VulkanStream;

class StreamList {
 public:
  void Add(VulkanStream* stream) {
    LightMutexLock lock(&mutex_);
    streams_.push_back(stream);
  }
  // Waits for a ForEach in progress.
  void Remove(VulkanStream* stream) {
    LightMutexLock lock(&mutex_);
    std::erase(streams_, stream);
  }
  // None begins or ends meanwhile, so `visit` must not wait for a device.
  void ForEach(absl::FunctionRef<void(VulkanStream*)> visit) {
    LightMutexLock lock(&mutex_);
    for (VulkanStream* stream : streams_) visit(stream);
  }

 private:
  LightMutex mutex_;
  std::vector<VulkanStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_STREAM_LIST_H_
