// The user's line: where an op was called, kept for error messages and for graph nodes.
//
//   Tensor Relu(const Tensor& x, SourceLocation loc = SourceLocation::current());
#ifndef TANDEM_CORE_BASE_SOURCE_LOCATION_H_
#define TANDEM_CORE_BASE_SOURCE_LOCATION_H_

#include <source_location>
#include <string>

#include "absl/strings/str_cat.h"

namespace tandem {

using SourceLocation = std::source_location;

// "file.cc:12"; empty when unknown.
inline std::string ToString(const SourceLocation& location) {
  if (location.line() == 0 || location.file_name()[0] == '\0') return "";
  return absl::StrCat(location.file_name(), ":", location.line());
}

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_SOURCE_LOCATION_H_
