// Files of compiled shaders: what ShaderCompiler keeps on disk.
//
//   std::optional<std::vector<uint32_t>> words = ReadShaderFile(dir, text, version);
//   if (!words) status = WriteShaderFile(dir, text, version, compiled);
//
// A file is named after its text's checksums and holds the text, so that two texts with the same
// name do not mix; whatever is not exactly what was written reads as if there were no file.
//
// Thread rules: pure functions on files; any number of threads and processes may share a directory.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_FILE_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tandem::vulkan_backend {

// Where the shader of `text` is kept.
std::string ShaderFilePath(const std::string& directory, absl::string_view text);

// The words, or nothing. `version` stands for everything besides the text that makes them.
std::optional<std::vector<uint32_t>> ReadShaderFile(const std::string& directory,
                                                    absl::string_view text, uint32_t version);

// Makes the directory if there is none. Errors as of WriteCacheFile (atomic_file.h).
absl::Status WriteShaderFile(const std::string& directory, absl::string_view text, uint32_t version,
                             absl::Span<const uint32_t> words);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_SHADER_FILE_H_
