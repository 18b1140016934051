#include "tandem/backends/vulkan/shader_file.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/crc32c.h"

namespace tandem::vulkan_backend {
namespace {

constexpr char kMagic[8] = {'T', 'N', 'D', 'M', 'S', 'P', 'V', '1'};
constexpr uint32_t kSpirvMagic = 0x07230203;
constexpr int64_t kMaxFileBytes = int64_t{64} << 20;

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

absl::Status Unwritten(const std::string& path, absl::string_view what, int error) {
  return absl::UnavailableError(
      absl::StrCat("shader cache: ", what, " ", path, ": ", std::strerror(error)));
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
      header.num_words > kMaxFileBytes / static_cast<int64_t>(sizeof(uint32_t))) {
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
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Unwritten(directory, "cannot make", error.value());
  const std::string path = ShaderFilePath(directory, text);
  static std::atomic<uint32_t> counter{0};
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".", counter.fetch_add(1));
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = version;
  header.text_bytes = static_cast<uint32_t>(text.size());
  header.num_words = static_cast<uint32_t>(words.size());
  header.checksum = ChecksumOf(header, text, words);
  File file(std::fopen(temporary.c_str(), "wb"));
  if (file == nullptr) return Unwritten(temporary, "cannot open", errno);
  bool written =
      std::fwrite(&header, sizeof(header), 1, file.get()) == 1 &&
      std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
      std::fwrite(words.data(), sizeof(uint32_t), words.size(), file.get()) == words.size() &&
      std::fflush(file.get()) == 0;
  int reason = errno;
  // A full disk may say so only here.
  if (std::fclose(file.release()) != 0 && written) {
    written = false;
    reason = errno;
  }
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if (written) reason = errno;
  std::remove(temporary.c_str());
  return Unwritten(path, "cannot write", reason);
}

}  // namespace tandem::vulkan_backend
