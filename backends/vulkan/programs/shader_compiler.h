// Compiles GLSL that is printed at run time to SPIR-V, and remembers it: in memory by its text, and
// on disk if there is a directory for it.
//
//   ShaderCompiler compiler("/var/cache/app");
//   TANDEM_ASSIGN_OR_RETURN(const Shader* shader,
//                           compiler.Compile({"add", text, /*num_bindings=*/3, 4}));
//
// The text may include the files of shaders/ that are listed in BUILD.bazel (runtime_shaders), by
// their path in the repository: #include "backends/vulkan/shaders/math_f32.glsl".
//
// The first compilation of a process takes some 70 ms, later ones a few. A file of the cache holds
// the text it was made from and checksums, is written under another name and renamed; one that is
// torn, foreign or of another version of the compiler is ignored and written anew.
//
// Thread rules: all methods from any thread; different texts are compiled at the same time.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_COMPILER_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_COMPILER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/shaders/shader.h"

namespace tandem::vulkan_backend {

// A compute shader before it is compiled.
struct GlslSource {
  std::string name;  // for people
  std::string text;
  int num_bindings = 0;
  uint32_t constants_bytes = 0;
};

class ShaderCompiler {
 public:
  // Keeps SPIR-V in files beneath `cache_dir`; nothing on disk if it is empty.
  explicit ShaderCompiler(std::string cache_dir = "");
  // For tests: with another function in shaderc's place.
  using CompileFn = absl::StatusOr<std::vector<uint32_t>> (*)(const GlslSource& source);
  ShaderCompiler(std::string cache_dir, CompileFn compile);
  ~ShaderCompiler();
  ShaderCompiler(const ShaderCompiler&) = delete;
  ShaderCompiler& operator=(const ShaderCompiler&) = delete;

  // The shader, which lives as long as the process. INTERNAL with the compiler's messages if the
  // text is wrong, which a second call does not try again; what else fails, it does.
  absl::StatusOr<const Shader*> Compile(const GlslSource& source);

  // How often a text was not in memory, and where it came from then.
  int64_t compiled() const { return compiled_.load(std::memory_order_relaxed); }
  int64_t read_from_disk() const { return read_from_disk_.load(std::memory_order_relaxed); }
  // Why the last file that should have been written was not; OK if all were. The first reason is
  // also written to stderr.
  absl::Status disk_status() const;

 private:
  struct Entry;
  absl::StatusOr<std::vector<uint32_t>> Make(const GlslSource& source);

  const std::string cache_dir_;
  const CompileFn compile_;
  std::atomic<int64_t> compiled_{0};
  std::atomic<int64_t> read_from_disk_{0};
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  absl::Status disk_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_COMPILER_H_
