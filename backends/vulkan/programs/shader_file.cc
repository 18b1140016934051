#include "tandem/backends/vulkan/programs/shader_file.h"

#include <sys/stat.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/core/base/crc32c.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr char kMagic[8] = {'T', 'N', 'D', 'M', 'S', 'P', 'V', '1'};
constexpr uint32_t kSpirvMagic = 0x07230203;

struct Header {
  char magic[8];
  uint32_t checksum;  // of everything behind it
  uint32_t version;
  uint32_t text_bytes;
  uint32_t num_words;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// FNV-1a, beside the CRC in a file's name.
uint64_t Fnv(absl::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001B3;
  return hash;
}

uint32_t ChecksumOf(const Header& header, absl::string_view text,
                    absl::Span<const uint32_t> words) {
  constexpr size_t kStart = offsetof(Header, version);
  uint32_t sum = Crc32c(reinterpret_cast<const char*>(&header) + kStart, sizeof(Header) - kStart);
  sum = Crc32c(text.data(), text.size(), sum);
  return Crc32c(words.data(), words.size() * sizeof(uint32_t), sum);
}

// Nothing where it cannot be told.
std::optional<uint64_t> SizeOf(std::FILE* file) {
  struct stat info = {};
  if (::fstat(::fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

std::string ShaderFilePath(const std::string& directory, absl::string_view text) {
  return absl::StrFormat("%s/%08x%016x.spirv", directory, Crc32c(text.data(), text.size()),
                         Fnv(text));
}

std::optional<std::vector<uint32_t>> ReadShaderFile(const std::string& directory,
                                                    absl::string_view text, uint32_t version) {
  const File file(std::fopen(ShaderFilePath(directory, text).c_str(), "rb"));
  if (file == nullptr) return std::nullopt;
  Header header;
  if (std::fread(&header, sizeof(header), 1, file.get()) != 1 ||
      std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.version != version ||
      header.text_bytes != text.size() || header.num_words == 0 ||
      // Before room is made for words that are not there: the header may be anything.
      SizeOf(file.get()) != sizeof(header) + text.size() + header.num_words * sizeof(uint32_t)) {
    return std::nullopt;
  }
  std::string own(text.size(), '\0');
  std::vector<uint32_t> words(header.num_words);
  if (std::fread(own.data(), 1, own.size(), file.get()) != own.size() || own != text ||
      std::fread(words.data(), sizeof(uint32_t), words.size(), file.get()) != words.size() ||
      std::fgetc(file.get()) != EOF || words[0] != kSpirvMagic ||
      header.checksum != ChecksumOf(header, text, words)) {
    return std::nullopt;
  }
  return words;
}

absl::Status WriteShaderFile(const std::string& directory, absl::string_view text, uint32_t version,
                             absl::Span<const uint32_t> words) {
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = version;
  header.text_bytes = static_cast<uint32_t>(text.size());
  header.num_words = static_cast<uint32_t>(words.size());
  header.checksum = ChecksumOf(header, text, words);
  const auto bytes = [](const void* data, size_t size) {
    return absl::string_view(static_cast<const char*>(data), size);
  };
  return Annotate(
      WriteCacheFile(ShaderFilePath(directory, text),
                     absl::StrCat(bytes(&header, sizeof(header)), text,
                                  bytes(words.data(), words.size() * sizeof(uint32_t)))),
      "shader cache");
}

}  // namespace tandem::vulkan_backend
