#include "tandem/graph/passes/dead_code.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/passes/rewriter.h"

namespace tandem {

absl::StatusOr<Graph> DeadCode::Run(const Graph& graph, PassContext& context) const {
  std::vector<bool> needed(graph.values().size(), false);
  for (const GraphOutput& output : graph.outputs()) needed[output.value] = true;
  for (const StateUpdate& update : graph.updates()) needed[update.value] = true;
  const auto is_live = [&](const Node& node) {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId output) { return needed[output]; });
  };
  // Users come after what they use, so one walk backwards finds everything.
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    if (!is_live(*node)) continue;
    for (const ValueId input : node->inputs) needed[input] = true;
  }

  TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph));
  for (const Node& node : graph.nodes()) {
    if (is_live(node)) {
      TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
    } else {
      context.Note(absl::StrCat(DescribeNode(graph, node), ": nobody uses it, removed"));
    }
  }
  return rewriter.Finish();
}

}  // namespace tandem
