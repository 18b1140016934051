#include "tandem/backends/vulkan/programs/program_cache.h"

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

size_t ProgramCache::KeyHash::operator()(const KeyView& key) const {
  return absl::HashOf(key.first, key.second);
}

absl::StatusOr<std::unique_ptr<ProgramCache>> ProgramCache::Create(
    std::shared_ptr<VulkanContext> context, const std::string& cache_dir) {
  TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<PipelineCache> pipelines,
                          PipelineCache::Create(context, cache_dir));
  return std::unique_ptr<ProgramCache>(new ProgramCache(std::move(context), std::move(pipelines)));
}

ProgramCache::ProgramCache(std::shared_ptr<VulkanContext> context,
                           std::shared_ptr<PipelineCache> pipelines)
    : context_(std::move(context)), pipelines_(std::move(pipelines)), pool_(pipelines_) {}

ProgramCache::~ProgramCache() = default;

absl::StatusOr<Ref<const VulkanProgram>> ProgramCache::Get(
    const Shader& shader, absl::Span<const uint32_t> specialization) {
  const KeyView key(&shader, specialization);
  const size_t hash = KeyHash()(key);
  // The high bits: the map uses the low ones.
  Shard& shard = shards_[(hash >> (8 * sizeof(size_t) - 4)) % kShards];
  {
    LightMutexLock lock(&shard.mutex);
    const auto it = shard.programs.find(key, hash);
    if (it != shard.programs.end()) [[likely]]
      return it->second;
  }
  if (shader.constants_bytes > kMaxConstantsBytes || shader.constants_bytes % 4 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("shader ", shader.name, " has ", shader.constants_bytes,
                     " bytes of push constants; a multiple of 4, at most ", kMaxConstantsBytes));
  }
  absl::StatusOr<Ref<const BindingLayout>> layout = Layout(shader.num_bindings);
  if (!layout.ok()) return Annotate(layout.status(), shader.name);
  Ref<const VulkanProgram> program =
      MakeRef<VulkanProgram>(context_, pipelines_, *std::move(layout), shader, specialization);
  {
    LightMutexLock lock(&shard.mutex);
    Key owned{&shader, Specialization(specialization.begin(), specialization.end())};
    const auto [it, inserted] = shard.programs.try_emplace(std::move(owned), program);
    if (!inserted) return it->second;
  }
  pool_.CompileAhead(program);
  return program;
}

absl::StatusOr<Ref<const BindingLayout>> ProgramCache::Layout(int num_bindings) {
  absl::MutexLock lock(&layouts_mutex_);
  if (num_bindings < 0 || num_bindings > kMaxBindings) {
    return BindingLayout::Create(context_, num_bindings);  // says why not
  }
  Ref<const BindingLayout>& layout = layouts_[num_bindings];
  if (layout == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(layout, BindingLayout::Create(context_, num_bindings));
  }
  return layout;
}

int64_t ProgramCache::size() const {
  int64_t size = 0;
  for (const Shard& shard : shards_) {
    LightMutexLock lock(&shard.mutex);
    size += static_cast<int64_t>(shard.programs.size());
  }
  return size;
}

}  // namespace tandem::vulkan_backend
