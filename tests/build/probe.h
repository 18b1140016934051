#ifndef TANDEM_TESTS_BUILD_PROBE_H_
#define TANDEM_TESTS_BUILD_PROBE_H_

// A library to test the build itself: the include path, C++20, Abseil.

#include <string>

#include "absl/status/statusor.h"

namespace tandem::probe {

// Returns `prefix` with the language version that the library was compiled for.
absl::StatusOr<std::string> LanguageVersion(const std::string& prefix);

}  // namespace tandem::probe

#endif  // TANDEM_TESTS_BUILD_PROBE_H_
