#include "tandem/graph/passes/pass.h"

#include "absl/strings/str_cat.h"

namespace tandem {

void PassContext::Note(std::string change) {
  if (changes_.size() < kMaxChanges) {
    changes_.push_back(std::move(change));
  } else {
    ++changes_left_out_;
  }
}

std::string DescribeNode(const Graph& graph, const Node& node) {
  return absl::StrCat(graph.ValueName(node.outputs[0]), " = ", node.op->name);
}

}  // namespace tandem
