#include "tandem/frontends/cpp/parameter_file.h"

#include <memory>

#include "tandem/core/base/atomic_file.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/serialization/native/byte_source.h"
#include "tandem/serialization/native/safetensors.h"

namespace tandem::internal {

absl::Status WriteParameterFile(const std::string& path,
                                absl::Span<const std::pair<std::string, Tensor>> tensors) {
  std::vector<NamedTensor> named;
  std::vector<uint32_t> checksums;
  for (const auto& [name, tensor] : tensors) {
    TANDEM_ASSIGN_OR_RETURN(const uint32_t checksum, ChecksumOf(tensor));
    checksums.push_back(checksum);
    named.push_back({name, tensor});
  }
  TANDEM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TANDEM_RETURN_IF_ERROR(WriteSafetensors(named, checksums, {}, &file));
  return file.Commit();
}

absl::StatusOr<absl::flat_hash_map<std::string, Tensor>> ReadParameterFile(const std::string& path,
                                                                           Device& device) {
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<FileSource> source,
                          FileSource::Open(path, "SaveParameters and SaveStates write such files"));
  TANDEM_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(*source));
  absl::flat_hash_map<std::string, Tensor> tensors;
  for (const SafetensorsEntry& entry : reader.entries()) {
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor, reader.ReadTensor(entry, device));
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace tandem::internal
