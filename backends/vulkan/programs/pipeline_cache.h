// The driver's compiled pipelines, kept on disk between runs if there is a directory for them.
//
//   auto cache = PipelineCache::Create(context, "/var/cache/app");
//   vk.CreateComputePipelines(device, cache->handle(), …);
//   cache->load_status();  // why nothing was read: NOT_FOUND, DATA_LOSS for a torn file
//   cache->Save();
//
// One file for each driver and device, tandem-vulkan-<identity>.pipelines. It starts with a header of
// our own: the identity of the device (vendor, device, driver version, pipeline cache UUID), the
// length and a CRC-32C of what follows, for drivers trust what they are given. A file whose header,
// length, checksum or inner header (VkPipelineCacheHeaderVersionOne) is not right is ignored and
// written anew. Readers see the old file or the new one, whole (atomic_file.h); of several processes
// the last one wins. No error is fatal.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_CACHE_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_CACHE_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/core/base/light_mutex.h"

namespace tandem::vulkan_backend {

// The file's bytes for `data` of the driver of `physical`, and back. DATA_LOSS with the reason if
// they are not what EncodePipelineCache gave for this device.
std::string EncodePipelineCache(const PhysicalDevice& physical, absl::string_view data);
absl::StatusOr<std::string> DecodePipelineCache(const PhysicalDevice& physical,
                                                absl::string_view file);

class PipelineCache {
 public:
  // Reads the file beneath `directory`; keeps nothing on disk if that is empty. RESOURCE_EXHAUSTED
  // if the driver has no memory.
  static absl::StatusOr<std::shared_ptr<PipelineCache>> Create(
      std::shared_ptr<VulkanContext> context, const std::string& directory);
  ~PipelineCache();
  PipelineCache(const PipelineCache&) = delete;
  PipelineCache& operator=(const PipelineCache&) = delete;

  VkPipelineCache handle() const { return handle_; }
  const std::string& path() const { return path_; }  // empty: nothing on disk
  // How reading went; OK also if there was nothing to read.
  const absl::Status& load_status() const { return load_status_; }
  // How reading went, for people: "read 4096 bytes: <path>", "ignored: <path>: torn", "new: <path>".
  std::string Describe() const;
  // How the last Save went. The first that fails is also written to stderr.
  absl::Status save_status() const;

  // A pipeline was made: what is on disk is no longer all.
  void NoteNewPipeline();
  // Called by every NoteNewPipeline, in its thread; null: nothing is. What was set before is not
  // being called any more when this returns.
  void SetListener(std::function<void()> listener);
  int64_t unsaved() const { return unsaved_.load(std::memory_order_relaxed); }
  // Writes the file if there are pipelines that it lacks.
  absl::Status Save();

 private:
  PipelineCache(std::shared_ptr<VulkanContext> context, const std::string& directory);
  absl::Status Init();
  absl::StatusOr<std::string> Data() const;

  const std::shared_ptr<VulkanContext> context_;
  const std::string path_;
  VkPipelineCache handle_ = VK_NULL_HANDLE;
  absl::Status load_status_;
  int64_t bytes_read_ = 0;
  std::atomic<int64_t> unsaved_{0};
  LightMutex listener_mutex_;
  std::function<void()> listener_ ABSL_GUARDED_BY(listener_mutex_);
  mutable absl::Mutex mutex_;  // one Save at a time
  bool warned_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status save_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_PIPELINE_CACHE_H_
