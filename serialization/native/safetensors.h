// Tensors in the safetensors layout (https://github.com/huggingface/safetensors, "Format"): one
// file, read from any language, no limit on sizes, mappable.
//
//   8 bytes   length of the header, little-endian
//   header    JSON: {"__metadata__": {"key": "text"},
//                    "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
//             and spaces up to a multiple of 8
//   data      the elements, row-major, little-endian, without gaps
//
//   TANDEM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create("mlp-0000.params"));
//   TANDEM_RETURN_IF_ERROR(WriteSafetensors(tensors, {}, {}, &file));
//   TANDEM_RETURN_IF_ERROR(file.Commit());
//
//   TANDEM_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::Open(*source));
//   TANDEM_ASSIGN_OR_RETURN(Tensor w, reader.ReadTensor(*reader.Find("weight"), *device));
//
// What Tandem adds, within the format: metadata "crc32c:<name>" with the CRC-32C of a tensor's
// bytes, which reading verifies.
//
// Thread rules: a reader is constant once it is open; ReadTensor from any thread.
#ifndef TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_H_
#define TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/serialization/native/byte_source.h"

namespace tandem {

struct NamedTensor {
  std::string name;
  Tensor tensor;  // concrete
};

// Ordered by key, so that equal contents give equal files.
using SafetensorsMetadata = std::map<std::string, std::string>;

// The longest header that readers accept: the limit of the format's own library.
inline constexpr int64_t kMaxSafetensorsHeader = 100'000'000;

// CRC-32C of a tensor's elements, row-major. Waits for the work that computes them.
absl::StatusOr<uint32_t> ChecksumOf(const Tensor& tensor);
// "e3069283".
std::string ChecksumText(uint32_t checksum);

// Appends a whole safetensors file. The data stands in the order of falling element size, then of
// names, so that every tensor is aligned to its elements. `checksums` are those of `tensors`, or
// none. Needs memory for one tensor at a time. INVALID_ARGUMENT for a name that is given twice, is
// reserved
// ("__metadata__") or not UTF-8, and for a header above the limit.
absl::Status WriteSafetensors(absl::Span<const NamedTensor> tensors,
                              absl::Span<const uint32_t> checksums,
                              const SafetensorsMetadata& metadata, AtomicFile* file);

struct SafetensorsEntry {
  std::string name;
  TensorSpec spec;
  int64_t begin = 0;  // bytes, from the start of the data
  int64_t end = 0;
};

class SafetensorsReader {
 public:
  // Reads and checks the header: every tensor inside of the data, none overlapping, no gaps, sizes
  // those of the shapes, no name twice. INVALID_ARGUMENT or DATA_LOSS with the source's name and
  // the tensor's; UNIMPLEMENTED for a dtype that Tandem does not have. `source` must outlive the
  // reader.
  static absl::StatusOr<SafetensorsReader> Open(const ByteSource& source);

  // In the order of the data.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  // Null if there is none.
  const SafetensorsEntry* Find(absl::string_view name) const;
  const SafetensorsMetadata& metadata() const { return metadata_; }
  SafetensorsMetadata& metadata() { return metadata_; }
  const ByteSource& source() const { return *source_; }

  // Reads a tensor and puts it on `device`. DATA_LOSS, with its name, if the checksum differs: the
  // file's own, where it has one, otherwise `checksum` (text, empty: none). INVALID_ARGUMENT for a
  // bool that is neither 0 nor 1.
  absl::StatusOr<Tensor> ReadTensor(const SafetensorsEntry& entry, Device& device,
                                    bool verify = true, absl::string_view checksum = "") const;

 private:
  explicit SafetensorsReader(const ByteSource& source) : source_(&source) {}
  // Reads and checks the elements. An empty checksum: none.
  absl::Status ReadElements(const SafetensorsEntry& entry, std::byte* out,
                            absl::string_view checksum) const;

  const ByteSource* source_;
  int64_t data_start_ = 0;
  std::vector<SafetensorsEntry> entries_;
  absl::flat_hash_map<std::string, int32_t> by_name_;
  SafetensorsMetadata metadata_;
};

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_H_
