// What Block::Summary collects: one row for each block that a forward runs through.
#ifndef TANDEM_FRONTENDS_CPP_SUMMARY_H_
#define TANDEM_FRONTENDS_CPP_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace tandem {
class Parameter;
}

namespace tandem::internal {

struct SummaryRow {
  std::string layer;    // "Dense", indented by depth
  std::string config;   // "256, activation=relu"
  std::string output;   // "f32[16,256]"
  int64_t trained = 0;  // elements of the block's own parameters
  int64_t kept = 0;     // of those that are not trained
};

struct SummaryTable {
  std::vector<SummaryRow> rows;
  int depth = 0;
  absl::flat_hash_set<const Parameter*> counted;  // those that have a row
  std::string ToText() const;
};

}  // namespace tandem::internal

#endif  // TANDEM_FRONTENDS_CPP_SUMMARY_H_
