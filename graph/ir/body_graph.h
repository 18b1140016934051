// Bodies as graphs and back: what a body (core/op/op_body.h) computes, in the form that passes
// rewrite and executables are made of.
//
//   TANDEM_ASSIGN_OR_RETURN(Graph graph, GraphOfBody(*body, "then_body"));
//   ...
//   std::vector<BodyArgument> arguments;
//   for (const GraphInput& input : graph.inputs()) arguments.push_back({input.value});
//   TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> again, BodyOfGraph(graph, arguments));
//
// A body has no constants: those of a graph become inputs of the body. Names, block paths and lines
// are not kept.
// Thread rules: any thread.
#ifndef TANDEM_GRAPH_IR_BODY_GRAPH_H_
#define TANDEM_GRAPH_IR_BODY_GRAPH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/op_body.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

// Inputs "in0", "in1", … (arguments), outputs "out0", "out1", …
absl::StatusOr<Graph> GraphOfBody(const OpBody& body, std::string name);

// One input of a body: an input or a constant of the graph, or one that the graph does not use.
struct BodyArgument {
  ValueId value = -1;
  TensorSpec unused = {};  // its spec if `value` is -1
};

// INVALID_ARGUMENT if a node or an output uses an input or a constant that is not among
// `arguments`, or if the graph updates state.
absl::StatusOr<Ref<const OpBody>> BodyOfGraph(const Graph& graph,
                                              absl::Span<const BodyArgument> arguments);

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_BODY_GRAPH_H_
