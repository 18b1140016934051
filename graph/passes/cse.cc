#include "tandem/graph/passes/cse.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/passes/rewriter.h"

namespace tandem {
namespace {

// What a node computes: equal keys, equal values. Inputs are values of the new graph, in which
// repeated nodes are one already.
struct Expression {
  const OpDef* op;
  const AttributeMap* attrs;
  ValueIds inputs;

  friend bool operator==(const Expression& a, const Expression& b) {
    return a.op == b.op && a.inputs == b.inputs && *a.attrs == *b.attrs;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Expression& e) {
    return H::combine(std::move(h), e.op, *e.attrs, e.inputs);
  }
};

}  // namespace

absl::StatusOr<Graph> CommonSubexpressions::Run(const Graph& graph, PassContext& context) const {
  TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph));
  absl::flat_hash_map<Expression, const Node*> seen;
  for (const Node& node : graph.nodes()) {
    TANDEM_ASSIGN_OR_RETURN(ValueIds inputs, rewriter.Map(node.inputs));
    if (node.op->traits.commutative) std::sort(inputs.begin(), inputs.end());
    const auto [it, is_new] =
        seen.emplace(Expression{node.op, &node.attrs, std::move(inputs)}, &node);
    if (is_new) {
      TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
      continue;
    }
    const Node& earlier = *it->second;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      TANDEM_RETURN_IF_ERROR(rewriter.Replace(node.outputs[i], earlier.outputs[i]));
    }
    context.Note(
        absl::StrCat(DescribeNode(graph, node), ": repeats ", graph.ValueName(earlier.outputs[0])));
  }
  return rewriter.Finish();
}

}  // namespace tandem
