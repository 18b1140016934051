// Checks that a graph keeps the rules that every user of graphs relies on.
//
// A graph that was built through Graph's own functions keeps them by construction; the verifier
// runs after passes in tests, and on what a file held, so that a mistake is found where it is made.
//
//   TANDEM_RETURN_IF_ERROR(VerifyGraph(graph));
//
// Rules: ids are in range; every value has exactly one origin (input, constant or output of a
// node), and the origin and the value point at each other; nodes use values that exist before them;
// specs are those that inference gives; names of inputs and of outputs are unique; constants are
// concrete and have their value's spec; a random state is i64[2]; an update is of state or of a
// parameter, once, with the spec of the input; random_blocks is not negative.
//
// Thread rules: pure function.
#ifndef TANDEM_GRAPH_IR_VERIFIER_H_
#define TANDEM_GRAPH_IR_VERIFIER_H_

#include "absl/status/status.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

// INTERNAL names the graph, the node or value, and the rule.
absl::Status VerifyGraph(const Graph& graph);

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_VERIFIER_H_
