// The JSON header of a safetensors file, parsed as a stream: no tree in memory, no recursion, one
// pass.
//
//   TANDEM_ASSIGN_OR_RETURN(SafetensorsHeader header, ParseSafetensorsHeader(json, data_bytes,
//   limit));
//
// Thread rules: a pure function.
#ifndef TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_HEADER_H_
#define TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/serialization/native/safetensors.h"

namespace tandem {

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of the data
  SafetensorsMetadata metadata;
};

// Checks grammar, dtypes, shapes and names, and that the tensors fill `data_bytes` bytes without
// gap or overlap. RESOURCE_EXHAUSTED if the result would take more than about `memory_limit` bytes.
// Errors are otherwise those of SafetensorsReader::Open, without the file's name.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, int64_t data_bytes,
                                                         int64_t memory_limit);

// "F32" for kF32.
absl::string_view SafetensorsDTypeName(DType dtype);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_SAFETENSORS_HEADER_H_
