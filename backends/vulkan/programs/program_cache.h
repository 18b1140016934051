// The programs of one device, by shader and specialization constants.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const VulkanProgram> program,
//                           device.programs().Get(*SoftmaxShader(DType::kF32), {256}));
//
// Looking up a program that is there costs a lock of one of 16 shards, a hash of a few words and a
// reference. A new one is handed to a small pool of threads, which makes its pipeline
// (vulkan_program.h). Programs stay until the cache ends: there are as many as kernels have variants.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_PROGRAM_CACHE_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_PROGRAM_CACHE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/programs/binding_layout.h"
#include "tandem/backends/vulkan/programs/pipeline_cache.h"
#include "tandem/backends/vulkan/programs/pipeline_pool.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
#include "tandem/backends/vulkan/shaders/shader.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"

namespace tandem::vulkan_backend {

class ProgramCache {
 public:
  // `cache_dir`: see PipelineCache; empty: nothing on disk.
  static absl::StatusOr<std::unique_ptr<ProgramCache>> Create(
      std::shared_ptr<VulkanContext> context, const std::string& cache_dir);
  // Waits for the pipelines that are being made, and writes the file.
  ~ProgramCache();

  // `shader` lives as long as the process; two shaders are the same if their addresses are.
  // INVALID_ARGUMENT if the device cannot run it: too many bindings or constants.
  absl::StatusOr<Ref<const VulkanProgram>> Get(const Shader& shader,
                                               absl::Span<const uint32_t> specialization);

  // The layout that programs with so many bindings share.
  absl::StatusOr<Ref<const BindingLayout>> Layout(int num_bindings);
  PipelineCache& pipelines() { return *pipelines_; }
  // Programs that were made.
  int64_t size() const;

 private:
  using KeyView = std::pair<const Shader*, absl::Span<const uint32_t>>;
  struct Key {
    const Shader* shader;
    Specialization specialization;
    KeyView view() const { return {shader, specialization}; }
  };
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const;
    size_t operator()(const Key& key) const { return (*this)(key.view()); }
  };
  struct KeyEqual {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a == b; }
    bool operator()(const Key& a, const KeyView& b) const { return a.view() == b; }
    bool operator()(const KeyView& a, const Key& b) const { return a == b.view(); }
    bool operator()(const Key& a, const Key& b) const { return a.view() == b.view(); }
  };
  struct alignas(64) Shard {
    mutable LightMutex mutex;
    absl::flat_hash_map<Key, Ref<const VulkanProgram>, KeyHash, KeyEqual> programs
        ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 16;

  ProgramCache(std::shared_ptr<VulkanContext> context, std::shared_ptr<PipelineCache> pipelines);

  const std::shared_ptr<VulkanContext> context_;
  const std::shared_ptr<PipelineCache> pipelines_;
  std::array<Shard, kShards> shards_;
  absl::Mutex layouts_mutex_;
  std::array<Ref<const BindingLayout>, kMaxBindings + 1> layouts_ ABSL_GUARDED_BY(layouts_mutex_);
  PipelinePool pool_;  // ends first
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_PROGRAM_CACHE_H_
