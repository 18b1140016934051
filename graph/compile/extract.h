// Cuts a graph out of a larger one: chosen values become inputs, chosen values outputs.
//
//   ExtractRequest request;
//   request.inputs = {{x, "x", InputKind::kArgument}};
//   request.outputs = {{"y", y}};
//   TANDEM_ASSIGN_OR_RETURN(Extract part, ExtractGraph(joint, request));
//
// Used to part a forward and a backward program. Nodes that the outputs do not need are left out.
// Thread rules: any thread.
#ifndef TANDEM_GRAPH_COMPILE_EXTRACT_H_
#define TANDEM_GRAPH_COMPILE_EXTRACT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

struct ExtractInput {
  ValueId value = -1;
  std::string name;
  InputKind kind = InputKind::kArgument;
};

struct ExtractRequest {
  std::string name;
  // Values that are given from outside; what they were computed from is not followed.
  std::vector<ExtractInput> inputs;
  std::vector<std::pair<std::string, ValueId>> outputs;
  // `input` is an index into `inputs`. Needs keep_inputs.
  std::vector<StateUpdate> updates;
  // Keep inputs that nothing uses.
  bool keep_inputs = true;
};

struct Extract {
  Graph graph;
  // For each input of the graph its index in ExtractRequest::inputs.
  std::vector<int> inputs;
};

// INVALID_ARGUMENT if an output needs an input of `source` that was not listed.
absl::StatusOr<Extract> ExtractGraph(const Graph& source, const ExtractRequest& request);

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_EXTRACT_H_
