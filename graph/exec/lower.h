// Lowering: expands every op that has no kernel on a device into ops that have one.
//
//   TANDEM_ASSIGN_OR_RETURN(Graph lowered, LowerGraph(graph, *device));
//
// Uses the ops' decompositions, recursively; the new nodes keep the block and line of the one they
// replace. Inputs, outputs and updates stay as they are. UNIMPLEMENTED names the op, the device and
// the dtypes if an op has neither a kernel, nor a view, nor a decomposition.
//
// Thread rules: any thread.
#ifndef TANDEM_GRAPH_EXEC_LOWER_H_
#define TANDEM_GRAPH_EXEC_LOWER_H_

#include "absl/status/statusor.h"
#include "tandem/core/device/device.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

absl::StatusOr<Graph> LowerGraph(const Graph& graph, Device& device);

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_LOWER_H_
