// TracedGraph: a recorded graph and what feeds its inputs.
//
//   for (size_t i = 0; i < traced.bindings.size(); ++i) {
//     const GraphInput& input = traced.graph.inputs()[i];      // "dense0_weight", kParameter
//     const InputBinding& binding = traced.bindings[i];        // the Variable of that name
//   }
//
// Thread rules: value types.
#ifndef TANDEM_GRAPH_TRACE_TRACED_GRAPH_H_
#define TANDEM_GRAPH_TRACE_TRACED_GRAPH_H_

#include <vector>

#include "tandem/core/dispatch/variable.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

// Where the value of one graph input comes from at a run.
struct InputBinding {
  InputKind kind = InputKind::kArgument;
  int argument = -1;       // kArgument: which one
  Ref<Variable> variable;  // kParameter, kState
  Tensor tensor;           // kCapture
};

struct TracedGraph {
  Graph graph;
  std::vector<InputBinding> bindings;  // one for each of graph.inputs()
  Device* device = nullptr;            // where it runs; null if nothing said so
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_TRACED_GRAPH_H_
