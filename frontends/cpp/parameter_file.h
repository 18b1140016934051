// Tensors by name to and from a file in the safetensors layout.
#ifndef TANDEM_FRONTENDS_CPP_PARAMETER_FILE_H_
#define TANDEM_FRONTENDS_CPP_PARAMETER_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem::internal {

absl::Status WriteParameterFile(const std::string& path,
                                absl::Span<const std::pair<std::string, Tensor>> tensors);
absl::StatusOr<absl::flat_hash_map<std::string, Tensor>> ReadParameterFile(const std::string& path,
                                                                           Device& device);

}  // namespace tandem::internal

#endif  // TANDEM_FRONTENDS_CPP_PARAMETER_FILE_H_
