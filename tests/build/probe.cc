#include "tandem/tests/build/probe.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace tandem::probe {

absl::StatusOr<std::string> LanguageVersion(const std::string& prefix) {
  if (prefix.empty()) return absl::InvalidArgumentError("prefix must not be empty");
  return absl::StrCat(prefix, __cplusplus);
}

}  // namespace tandem::probe
