#include "tandem/serialization/native/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/crc32c.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/serialization/native/safetensors_header.h"
#include "tandem/serialization/native/utf8.h"

namespace tandem {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are written as they stand in memory");

constexpr absl::string_view kMetadataKey = "__metadata__";
constexpr absl::string_view kChecksumPrefix = "crc32c:";
constexpr int64_t kLengthBytes = 8;

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Shown(absl::string_view name) { return absl::Utf8SafeCEscape(name.substr(0, 80)); }

// Elements of a tensor on the host. Memory that is not cleared first: it may be large.
struct HostBytes {
  std::unique_ptr<std::byte[]> data;
  size_t size = 0;
  absl::string_view view() const { return {reinterpret_cast<const char*>(data.get()), size}; }
};

// A size that the file does have may still be more than there is room for.
absl::StatusOr<HostBytes> AllocateHost(int64_t size) {
  HostBytes host;
  host.size = static_cast<size_t>(size);
  host.data.reset(new (std::nothrow) std::byte[host.size]);
  if (host.data != nullptr) return host;
  return absl::ResourceExhaustedError(absl::StrCat("no room for ", size, " bytes on the host"));
}

absl::StatusOr<HostBytes> ToHost(const Tensor& tensor) {
  HostBytes host;
  TANDEM_ASSIGN_OR_RETURN(host, AllocateHost(tensor.spec().num_bytes()));
  TANDEM_RETURN_IF_ERROR(tensor.CopyToHost(absl::MakeSpan(host.data.get(), host.size)));
  return host;
}

absl::Status CheckNames(absl::Span<const NamedTensor> tensors) {
  absl::flat_hash_set<absl::string_view> names;
  for (const NamedTensor& named : tensors) {
    const auto error = [&](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", Shown(named.name), "': ", why));
    };
    if (!named.tensor.defined()) return error("it is not defined");
    if (named.tensor.is_symbolic()) {
      return error(absl::StrCat(named.tensor.Describe(), " has no values to write"));
    }
    if (named.name == kMetadataKey) return error("the name is reserved");
    if (!IsValidUtf8(named.name)) return error("the name is not UTF-8");
    if (!names.insert(named.name).second) return error("the name is given twice");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint32_t> ChecksumOf(const Tensor& tensor) {
  TANDEM_ASSIGN_OR_RETURN(const HostBytes host, ToHost(tensor));
  return Crc32c(host.data.get(), host.size);
}

std::string ChecksumText(uint32_t checksum) { return absl::StrFormat("%08x", checksum); }

absl::Status WriteSafetensors(absl::Span<const NamedTensor> tensors,
                              absl::Span<const uint32_t> checksums,
                              const SafetensorsMetadata& metadata, AtomicFile* file) {
  TANDEM_RETURN_IF_ERROR(CheckNames(tensors));
  if (!checksums.empty() && checksums.size() != tensors.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(tensors.size(), " tensors, but ", checksums.size(), " checksums"));
  }
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int64_t size_a = DTypeSize(tensors[a].tensor.dtype());
    const int64_t size_b = DTypeSize(tensors[b].tensor.dtype());
    return size_a != size_b ? size_a > size_b : tensors[a].name < tensors[b].name;
  });

  SafetensorsMetadata all = metadata;
  for (size_t i = 0; i < checksums.size(); ++i) {
    all[absl::StrCat(kChecksumPrefix, tensors[i].name)] = ChecksumText(checksums[i]);
  }
  std::vector<std::string> items;
  if (!all.empty()) {
    for (const auto& [key, value] : all) {
      if (!IsValidUtf8(key) || !IsValidUtf8(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("metadata '", Shown(key), "': the text is not UTF-8"));
      }
    }
    const auto pair = [](std::string* out, const auto& item) {
      absl::StrAppend(out, JsonString(item.first), ":", JsonString(item.second));
    };
    items.push_back(
        absl::StrCat(JsonString(kMetadataKey), ":{", absl::StrJoin(all, ",", pair), "}"));
  }
  int64_t offset = 0;
  for (const size_t i : order) {
    const TensorSpec& spec = tensors[i].tensor.spec();
    // The tensors are in memory, so the sum of their sizes cannot overflow.
    const int64_t end = offset + spec.num_bytes();
    items.push_back(absl::StrFormat("%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}",
                                    JsonString(tensors[i].name), SafetensorsDTypeName(spec.dtype),
                                    absl::StrJoin(spec.shape, ","), offset, end));
    offset = end;
  }
  std::string header = absl::StrCat("{", absl::StrJoin(items, ","), "}");
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (static_cast<int64_t>(header.size()) > kMaxSafetensorsHeader) {
    return absl::InvalidArgumentError(absl::StrCat("the header would have ", header.size(),
                                                   " bytes; the format allows ",
                                                   kMaxSafetensorsHeader));
  }
  const uint64_t length = header.size();
  TANDEM_RETURN_IF_ERROR(file->Write({reinterpret_cast<const char*>(&length), sizeof(length)}));
  TANDEM_RETURN_IF_ERROR(file->Write(header));
  for (const size_t i : order) {
    TANDEM_ASSIGN_OR_RETURN(const HostBytes host, ToHost(tensors[i].tensor));
    TANDEM_RETURN_IF_ERROR(file->Write(host.view()));
  }
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const ByteSource& source) {
  if (source.size() < kLengthBytes) {
    return absl::DataLossError(absl::StrCat(source.name(), " has ", source.size(),
                                            " bytes and is no safetensors file; it may be torn"));
  }
  uint64_t length = 0;
  TANDEM_RETURN_IF_ERROR(source.Read(0, &length, sizeof(length)));
  const int64_t rest = source.size() - kLengthBytes;
  if (length > static_cast<uint64_t>(std::min(rest, kMaxSafetensorsHeader))) {
    return absl::DataLossError(absl::StrCat(
        source.name(), ": a header of ", length, " bytes, of ", rest,
        " that there are; it is torn, or not a safetensors file (as -0000.params files are)"));
  }
  const auto header_bytes = static_cast<int64_t>(length);
  SafetensorsReader reader(source);
  reader.data_start_ = kLengthBytes + header_bytes;
  TANDEM_ASSIGN_OR_RETURN(const std::string json, source.ReadString(kLengthBytes, header_bytes));
  // With the header itself, below 4 times the file and 64 MB.
  const int64_t memory_limit = 2 * header_bytes + (32 << 20);
  absl::StatusOr<SafetensorsHeader> header =
      ParseSafetensorsHeader(json, rest - header_bytes, memory_limit);
  if (!header.ok()) return Annotate(header.status(), source.name());
  reader.entries_ = std::move(header->entries);
  reader.metadata_ = std::move(header->metadata);
  for (size_t i = 0; i < reader.entries_.size(); ++i) {
    reader.by_name_.emplace(reader.entries_[i].name, static_cast<int32_t>(i));
  }
  return reader;
}

const SafetensorsEntry* SafetensorsReader::Find(absl::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &entries_[it->second];
}

absl::Status SafetensorsReader::ReadElements(const SafetensorsEntry& entry, std::byte* out,
                                             absl::string_view checksum) const {
  const int64_t size = entry.end - entry.begin;
  TANDEM_RETURN_IF_ERROR(source_->Read(data_start_ + entry.begin, out, size));
  const auto where = [&] {
    return absl::StrCat(source_->name(), ": tensor '", Shown(entry.name), "' ",
                        entry.spec.ToString());
  };
  if (!checksum.empty()) {
    const std::string found = ChecksumText(Crc32c(out, static_cast<size_t>(size)));
    if (found != checksum) {
      return absl::DataLossError(
          absl::StrCat(where(), ": the CRC-32C of its bytes is ", found, ", it should be ",
                       Shown(checksum), "; the file was damaged, or changed by another program"));
    }
  }
  if (entry.spec.dtype == DType::kBool) {
    const std::byte* wrong =
        std::find_if(out, out + size, [](std::byte b) { return b > std::byte{1}; });
    if (wrong != out + size) {
      return absl::InvalidArgumentError(absl::StrCat(where(), ": element ", wrong - out, " is ",
                                                     std::to_integer<int>(*wrong),
                                                     "; a bool is 0 or 1"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> SafetensorsReader::ReadTensor(const SafetensorsEntry& entry, Device& device,
                                                     bool verify,
                                                     absl::string_view checksum) const {
  const auto own = metadata_.find(absl::StrCat(kChecksumPrefix, entry.name));
  if (own != metadata_.end()) checksum = own->second;
  if (!verify) checksum = "";
  // Where the host sees the device's memory, the bytes go there at once. Open has checked that they exist.
  TANDEM_ASSIGN_OR_RETURN(const Tensor tensor, Tensor::Empty(entry.spec, device));
  const int64_t size = entry.end - entry.begin;
  if (size > 0 && tensor.buffer()->host_visible()) {
    TANDEM_ASSIGN_OR_RETURN(std::byte* const elements, tensor.buffer()->Map());
    const absl::Status status = ReadElements(entry, elements, checksum);
    TANDEM_RETURN_IF_ERROR(tensor.buffer()->Unmap());
    TANDEM_RETURN_IF_ERROR(status);
    return tensor;
  }
  TANDEM_ASSIGN_OR_RETURN(const HostBytes host, AllocateHost(size));
  TANDEM_RETURN_IF_ERROR(ReadElements(entry, host.data.get(), checksum));
  return Tensor::FromBytes(absl::MakeConstSpan(host.data.get(), host.size), entry.spec, device);
}

}  // namespace tandem
