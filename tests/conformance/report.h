// What the suite did: how many cases ran, what the device does not support and why, what was
// skipped, be it a part of a check or a whole test. Printed at the end of a run, so that "all passed"
// cannot mean "nothing ran".
//
// Thread rules: one thread.
#ifndef TANDEM_TESTS_CONFORMANCE_REPORT_H_
#define TANDEM_TESTS_CONFORMANCE_REPORT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace tandem::conformance {

class Report {
 public:
  static Report& Global();

  void Ran(absl::string_view check) { ++checks_[std::string(check)].run; }
  // `reason` says what is missing, such as the op and its dtypes.
  void Unsupported(absl::string_view check, absl::string_view reason) {
    ++checks_[std::string(check)].unsupported[std::string(reason)];
  }
  void Skipped(absl::string_view check, absl::string_view reason) {
    ++checks_[std::string(check)].skipped[std::string(reason)];
  }
  int64_t num_run(absl::string_view check) const;
  int64_t num_unsupported() const;
  // "" or the checks with more than `percent` of their cases unsupported.
  std::string ExcessUnsupported(double percent) const;
  std::string ToString() const;

 private:
  struct Counts {
    int64_t run = 0;
    std::map<std::string, int64_t> unsupported;
    std::map<std::string, int64_t> skipped;
  };
  std::map<std::string, Counts> checks_;
};

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_REPORT_H_
