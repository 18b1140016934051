#include "tandem/backends/vulkan/programs/shader_compiler.h"

#include <shaderc/shaderc.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/programs/runtime_shaders.h"
#include "tandem/backends/vulkan/programs/shader_file.h"
#include "tandem/core/base/crc32c.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

// Raise it when options below change: it is part of what files of the cache are made with.
constexpr uint32_t kOptionsVersion = 1;

const RuntimeShader* FindInclude(const char* name) {
  for (const RuntimeShader& shader : kRuntimeShaders) {
    if (std::strcmp(shader.path, name) == 0) return &shader;
  }
  return nullptr;
}

shaderc_include_result* ResolveInclude(void*, const char* requested, int, const char*, size_t) {
  auto* result = new shaderc_include_result{};
  const RuntimeShader* found = FindInclude(requested);
  if (found == nullptr) {
    // An empty name says that there is no such file; the content is the message.
    static constexpr char kMessage[] = "not one of the runtime_shaders";
    result->source_name = "";
    result->content = kMessage;
    result->content_length = sizeof(kMessage) - 1;
    return result;
  }
  result->source_name = found->path;
  result->source_name_length = std::strlen(found->path);
  result->content = found->text;
  result->content_length = std::strlen(found->text);
  return result;
}

void ReleaseInclude(void*, shaderc_include_result* result) { delete result; }

// One for the process: it is expensive to make and may be used by several threads.
shaderc_compiler_t Compiler() {
  static const shaderc_compiler_t compiler = shaderc_compiler_initialize();
  return compiler;
}

// Of everything besides the text that decides about the words.
uint32_t Version() {
  static const uint32_t version = [] {
    unsigned spirv_version = 0, revision = 0;
    shaderc_get_spv_version(&spirv_version, &revision);
    uint32_t sum = Crc32c(&spirv_version, sizeof(spirv_version), kOptionsVersion);
    sum = Crc32c(&revision, sizeof(revision), sum);
    for (const RuntimeShader& shader : kRuntimeShaders) {
      sum = Crc32c(shader.path, std::strlen(shader.path), sum);
      sum = Crc32c(shader.text, std::strlen(shader.text), sum);
    }
    return sum;
  }();
  return version;
}

absl::StatusOr<std::vector<uint32_t>> CompileGlsl(const GlslSource& source) {
  const shaderc_compiler_t compiler = Compiler();
  if (compiler == nullptr) return absl::InternalError("shaderc cannot be initialized");
  const std::unique_ptr<shaderc_compile_options, void (*)(shaderc_compile_options_t)> options(
      shaderc_compile_options_initialize(), shaderc_compile_options_release);
  if (options == nullptr) return absl::ResourceExhaustedError("no memory for shaderc's options");
  shaderc_compile_options_set_target_env(options.get(), shaderc_target_env_vulkan,
                                         shaderc_env_version_vulkan_1_2);
  shaderc_compile_options_set_optimization_level(options.get(),
                                                 shaderc_optimization_level_performance);
  shaderc_compile_options_set_include_callbacks(options.get(), ResolveInclude, ReleaseInclude,
                                                nullptr);
  const std::unique_ptr<shaderc_compilation_result, void (*)(shaderc_compilation_result_t)> result(
      shaderc_compile_into_spv(compiler, source.text.data(), source.text.size(),
                               shaderc_compute_shader, source.name.c_str(), "main", options.get()),
      shaderc_result_release);
  if (result == nullptr) return absl::ResourceExhaustedError("no memory to compile a shader");
  if (shaderc_result_get_compilation_status(result.get()) != shaderc_compilation_status_success) {
    return absl::InternalError(absl::StrCat("shader ", source.name, " does not compile: ",
                                            shaderc_result_get_error_message(result.get())));
  }
  std::vector<uint32_t> words(shaderc_result_get_length(result.get()) / sizeof(uint32_t));
  std::memcpy(words.data(), shaderc_result_get_bytes(result.get()),
              words.size() * sizeof(uint32_t));
  return words;
}

// A shader with what its spans point to.
struct OwnedShader {
  std::string name;
  std::vector<uint32_t> words;
  Shader shader;
};

// Keeps a shader until the process ends, for pipelines and caches hold pointers to it.
const Shader* Keep(const GlslSource& source, std::vector<uint32_t> words) {
  static absl::Mutex mutex(absl::kConstInit);
  static auto* const kept = new std::vector<std::unique_ptr<OwnedShader>>();
  auto owned = std::make_unique<OwnedShader>();
  owned->name = source.name;
  owned->words = std::move(words);
  owned->shader = {owned->name.c_str(), owned->words, source.num_bindings, source.constants_bytes};
  const Shader* shader = &owned->shader;
  absl::MutexLock lock(&mutex);
  kept->push_back(std::move(owned));
  return shader;
}

}  // namespace

struct ShaderCompiler::Entry {
  absl::Mutex mutex;
  std::optional<absl::StatusOr<const Shader*>> shader ABSL_GUARDED_BY(mutex);
};

ShaderCompiler::ShaderCompiler(std::string cache_dir)
    : ShaderCompiler(std::move(cache_dir), CompileGlsl) {}

ShaderCompiler::ShaderCompiler(std::string cache_dir, CompileFn compile)
    : cache_dir_(cache_dir.empty() ? "" : absl::StrCat(cache_dir, "/shaders")), compile_(compile) {}

ShaderCompiler::~ShaderCompiler() = default;

absl::StatusOr<const Shader*> ShaderCompiler::Compile(const GlslSource& source) {
  Entry* entry;
  {
    absl::MutexLock lock(&mutex_);
    std::unique_ptr<Entry>& slot = entries_[source.text];
    if (slot == nullptr) slot = std::make_unique<Entry>();
    entry = slot.get();
  }
  // Whoever asks for the same text meanwhile waits here; others do not.
  absl::MutexLock lock(&entry->mutex);
  if (!entry->shader.has_value()) {
    absl::StatusOr<std::vector<uint32_t>> words = Make(source);
    if (words.ok()) {
      entry->shader.emplace(Keep(source, *std::move(words)));
    } else if (!absl::IsInternal(words.status())) {
      return words.status();  // of the moment, as a lack of memory is
    } else {
      entry->shader.emplace(words.status());
    }
  }
  return *entry->shader;
}

absl::StatusOr<std::vector<uint32_t>> ShaderCompiler::Make(const GlslSource& source) {
  if (!cache_dir_.empty()) {
    std::optional<std::vector<uint32_t>> words = ReadShaderFile(cache_dir_, source.text, Version());
    if (words.has_value()) {
      read_from_disk_.fetch_add(1, std::memory_order_relaxed);
      return *std::move(words);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<uint32_t> words, compile_(source));
  compiled_.fetch_add(1, std::memory_order_relaxed);
  if (!cache_dir_.empty()) {
    absl::Status status = WriteShaderFile(cache_dir_, source.text, Version(), words);
    absl::MutexLock lock(&mutex_);
    if (!status.ok()) {
      // Results do not depend on it, starts do: nobody else would tell.
      if (disk_status_.ok()) {
        std::fprintf(stderr, "tandem: %s\n", std::string(status.message()).c_str());
      }
      disk_status_ = std::move(status);
    }
  }
  return words;
}

absl::Status ShaderCompiler::disk_status() const {
  absl::MutexLock lock(&mutex_);
  return disk_status_;
}

}  // namespace tandem::vulkan_backend
