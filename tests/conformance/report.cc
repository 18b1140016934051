#include "tandem/tests/conformance/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tandem::conformance {

Report& Report::Global() {
  static auto& report = *new Report();
  return report;
}

int64_t Report::num_run(absl::string_view check) const {
  const auto found = checks_.find(std::string(check));
  return found == checks_.end() ? 0 : found->second.run;
}

int64_t Report::num_unsupported() const {
  int64_t n = 0;
  for (const auto& [check, counts] : checks_) {
    for (const auto& [reason, count] : counts.unsupported) n += count;
  }
  return n;
}

std::string Report::ExcessUnsupported(double percent) const {
  std::string text;
  for (const auto& [check, counts] : checks_) {
    int64_t unsupported = 0;
    for (const auto& [reason, count] : counts.unsupported) unsupported += count;
    const double part = 100.0 * unsupported / std::max<int64_t>(counts.run + unsupported, 1);
    if (part > percent) {
      absl::StrAppend(&text, check, ": ", part, "% of the cases are unsupported, more than ",
                      percent, "%; ");
    }
  }
  return text;
}

std::string Report::ToString() const {
  std::string text;
  int64_t all_run = 0, all_unsupported = 0, all_skipped = 0;
  for (const auto& [check, counts] : checks_) {
    int64_t unsupported = 0, skipped = 0;
    for (const auto& [reason, count] : counts.unsupported) unsupported += count;
    for (const auto& [reason, count] : counts.skipped) skipped += count;
    all_run += counts.run;
    all_unsupported += unsupported;
    all_skipped += skipped;
    absl::StrAppend(&text, check, ": ", counts.run, " run, ", unsupported, " unsupported, ",
                    skipped, " skipped\n");
    for (const auto& [reason, count] : counts.unsupported) {
      absl::StrAppend(&text, "  unsupported ", count, ": ", reason, "\n");
    }
    for (const auto& [reason, count] : counts.skipped) {
      absl::StrAppend(&text, "  skipped ", count, ": ", reason, "\n");
    }
  }
  // The last line, for those who sum over shards and runs.
  absl::StrAppend(&text, "all checks: ", all_run, " run, ", all_unsupported, " unsupported, ",
                  all_skipped, " skipped\n");
  return text;
}

}  // namespace tandem::conformance
