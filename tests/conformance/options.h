// What a run of the suite was asked for on its command line.
//
//   bazel test //backends/mine:conformance_test   # tandem_cc_test(deps = [":suite", ":mine"],
//                                                 #     args = ["--device=mine:0"])
//
// Thread rules: set once, before the tests.
#ifndef TANDEM_TESTS_CONFORMANCE_OPTIONS_H_
#define TANDEM_TESTS_CONFORMANCE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/core/device/device.h"

namespace tandem::conformance {

struct SuiteOptions {
  Device* device = nullptr;
  uint64_t seed = 1;
  bool values = true;  // false: the device records and computes nothing, only specs are compared
};

SuiteOptions& Options();

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_OPTIONS_H_
