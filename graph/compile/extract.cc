#include "tandem/graph/compile/extract.h"

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::StatusOr<Extract> ExtractGraph(const Graph& source, const ExtractRequest& request) {
  const size_t num_values = source.values().size();
  std::vector<bool> given(num_values, false);
  std::vector<bool> needed(num_values, false);
  for (const ExtractInput& input : request.inputs) given[input.value] = true;
  for (const auto& [name, value] : request.outputs) needed[value] = true;
  for (const StateUpdate& update : request.updates) needed[update.value] = true;
  std::vector<bool> keep(source.nodes().size(), false);
  for (size_t i = source.nodes().size(); i-- > 0;) {
    const Node& node = source.nodes()[i];
    for (const ValueId output : node.outputs) {
      keep[i] = keep[i] || (needed[output] && !given[output]);
    }
    if (!keep[i]) continue;
    for (const ValueId input : node.inputs) needed[input] = true;
  }

  Extract result{Graph(request.name), {}};
  std::vector<ValueId> map(num_values, -1);
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const ExtractInput& input = request.inputs[i];
    if (!request.keep_inputs && !needed[input.value]) continue;
    TANDEM_ASSIGN_OR_RETURN(
        map[input.value], result.graph.AddInput(input.name, source.spec(input.value), input.kind));
    result.inputs.push_back(static_cast<int>(i));
  }
  for (const GraphConstant& constant : source.constants()) {
    if (!needed[constant.value] || given[constant.value]) continue;
    TANDEM_ASSIGN_OR_RETURN(map[constant.value], result.graph.AddConstant(constant.tensor));
  }
  const auto missing = [&](ValueId value) {
    return absl::InvalidArgumentError(absl::StrCat("graph '", request.name, "' needs ",
                                                   source.ValueName(value),
                                                   ", which is not among its inputs"));
  };
  for (size_t i = 0; i < source.nodes().size(); ++i) {
    if (!keep[i]) continue;
    const Node& node = source.nodes()[i];
    ValueIds inputs;
    for (const ValueId input : node.inputs) {
      if (map[input] < 0) return missing(input);
      inputs.push_back(map[input]);
    }
    TANDEM_ASSIGN_OR_RETURN(
        const ValueIds outputs,
        result.graph.AddNode(*node.op, node.attrs, inputs, node.block, node.location));
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!given[node.outputs[k]]) map[node.outputs[k]] = outputs[k];
    }
  }
  for (const auto& [name, value] : request.outputs) {
    if (map[value] < 0) return missing(value);
    TANDEM_RETURN_IF_ERROR(result.graph.AddOutput(name, map[value]));
  }
  for (const StateUpdate& update : request.updates) {
    if (map[update.value] < 0) return missing(update.value);
    TANDEM_RETURN_IF_ERROR(result.graph.AddUpdate(update.input, map[update.value]));
  }
  return result;
}

}  // namespace tandem
