#include "tandem/frontends/cpp/summary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tandem::internal {

std::string SummaryTable::ToText() const {
  std::vector<std::vector<std::string>> cells = {{"Layer", "Output", "Parameters"}};
  int64_t trained = 0;
  int64_t kept = 0;
  for (const SummaryRow& row : rows) {
    trained += row.trained;
    kept += row.kept;
    std::string layer = row.layer;
    if (!row.config.empty()) absl::StrAppend(&layer, "(", row.config, ")");
    cells.push_back({std::move(layer), row.output, absl::StrCat(row.trained + row.kept)});
  }
  size_t widths[3] = {};
  for (const auto& line : cells) {
    for (size_t i = 0; i < 3; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  const std::string rule(widths[0] + widths[1] + widths[2] + 4, '-');
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) {
    const auto& line = cells[i];
    absl::StrAppend(&out, line[0], std::string(widths[0] - line[0].size() + 2, ' '), line[1],
                    std::string(widths[1] - line[1].size() + 2 + widths[2] - line[2].size(), ' '),
                    line[2], "\n");
    if (i == 0) absl::StrAppend(&out, rule, "\n");
  }
  absl::StrAppend(&out, rule, "\n", trained, " parameters are trained, ", kept, " are kept\n");
  return out;
}

}  // namespace tandem::internal
