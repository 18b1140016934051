#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {
namespace {

// Where ops without inputs run: with the first tensor that says where it is.
Device* DeviceOf(const Graph& graph, absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.device() != nullptr) return input.device();
  }
  return graph.constants().empty() ? nullptr : graph.constants()[0].tensor.device();
}

}  // namespace

absl::StatusOr<TensorList> InterpretGraph(const Graph& graph, absl::Span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("graph '", graph.name(), "' takes ",
                                                   graph.inputs().size(), " inputs, ",
                                                   inputs.size(), " given"));
  }
  std::vector<Tensor> values(graph.values().size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const GraphInput& input = graph.inputs()[i];
    if (!inputs[i].defined()) {
      return absl::InvalidArgumentError(absl::StrCat("graph '", graph.name(),
                                                     "': ", InputKindName(input.kind), " '",
                                                     input.name, "' is undefined"));
    }
    values[input.value] = inputs[i];
  }
  for (const GraphConstant& constant : graph.constants()) values[constant.value] = constant.tensor;

  InvokeOptions options;
  options.device = DeviceOf(graph, inputs);
  std::vector<int32_t> uses_left = graph.UseCounts();
  std::vector<Tensor> operands;
  for (const Node& node : graph.nodes()) {
    operands.clear();
    for (const ValueId input : node.inputs) {
      operands.push_back(values[input]);
      // Released here, so that the op's own references are the last ones.
      if (--uses_left[input] == 0) values[input] = Tensor();
    }
    options.location_text = node.location;
    absl::StatusOr<TensorList> results;
    if (node.block.empty()) {
      results = Invoke(*node.op, operands, node.attrs, options);
    } else {
      BlockScope block(node.block);
      results = Invoke(*node.op, operands, node.attrs, options);
    }
    if (!results.ok()) return std::move(results).status();
    if (results->size() != node.outputs.size()) {
      return absl::InternalError(absl::StrCat(node.op->name, ": ", results->size(),
                                              " results, expected ", node.outputs.size()));
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (uses_left[node.outputs[i]] > 0) values[node.outputs[i]] = std::move((*results)[i]);
    }
  }

  TensorList outputs;
  for (const GraphOutput& output : graph.outputs()) outputs.push_back(values[output.value]);
  for (const StateUpdate& update : graph.updates()) outputs.push_back(values[update.value]);
  return outputs;
}

}  // namespace tandem
