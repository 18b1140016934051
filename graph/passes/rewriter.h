// Builds a new graph from an old one, value by value: what every pass is written with.
//
//   TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph));
//   for (const Node& node : graph.nodes()) {
//     if (IsIdentity(node)) {
//       TANDEM_RETURN_IF_ERROR(rewriter.Replace(node.outputs[0], node.inputs[0]));
//     } else {
//       TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
//     }
//   }
//   return rewriter.Finish();
//
// Inputs are there from the start, all of them and in their order. Constants are copied when they
// are first used, so those that nobody uses any more vanish.
// Thread rules: used by one thread; the old graph must outlive it.
#ifndef TANDEM_GRAPH_PASSES_REWRITER_H_
#define TANDEM_GRAPH_PASSES_REWRITER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

class GraphRewriter {
 public:
  static absl::StatusOr<GraphRewriter> Create(const Graph& source);

  // The new graph's value for a value of the old one. INTERNAL if it was not made yet.
  absl::StatusOr<ValueId> Map(ValueId old_value);
  absl::StatusOr<ValueIds> Map(absl::Span<const ValueId> old_values);
  // Appends a copy of an old node, with its block path and line.
  absl::Status Copy(const Node& node);
  // Appends a node that the old graph does not have. `inputs` and `outputs` are old values: what it
  // takes, and what its outputs stand for from now on.
  absl::Status Add(const OpDef& op, const AttributeMap& attrs, absl::Span<const ValueId> inputs,
                   absl::Span<const ValueId> outputs, std::string block, std::string location);
  // Old value `old_value` is from now on what `by`, an old value too, is.
  absl::Status Replace(ValueId old_value, ValueId by);
  // Old value `old_value` is a constant.
  absl::Status ReplaceByConstant(ValueId old_value, const Tensor& tensor);

  // Adds outputs and updates. The rewriter is used up.
  absl::StatusOr<Graph> Finish();

 private:
  explicit GraphRewriter(const Graph& source)
      : source_(&source), result_(source.name()), map_(source.values().size(), -1) {}

  // Old and new value must have one spec.
  absl::Status Bind(ValueId old_value, ValueId new_value);

  const Graph* source_;
  Graph result_;
  std::vector<ValueId> map_;  // by old value; -1: not there yet
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_REWRITER_H_
