#include "tandem/graph/ir/body_graph.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::StatusOr<Graph> GraphOfBody(const OpBody& body, std::string name) {
  Graph graph(std::move(name));
  std::vector<ValueId> map(static_cast<size_t>(body.num_values()), -1);
  for (int32_t i = 0; i < body.num_inputs(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(
        map[i], graph.AddInput(absl::StrCat("in", i), body.spec(i), InputKind::kArgument));
  }
  ValueIds inputs;
  for (const OpBody::Step& step : body.steps()) {
    inputs.clear();
    for (const int32_t input : step.inputs) inputs.push_back(map[input]);
    TANDEM_ASSIGN_OR_RETURN(const ValueIds outputs, graph.AddNode(*step.op, step.attrs, inputs));
    for (size_t i = 0; i < outputs.size(); ++i) map[step.first_output + i] = outputs[i];
  }
  for (size_t i = 0; i < body.outputs().size(); ++i) {
    TANDEM_RETURN_IF_ERROR(graph.AddOutput(absl::StrCat("out", i), map[body.outputs()[i]]));
  }
  return graph;
}

absl::StatusOr<Ref<const OpBody>> BodyOfGraph(const Graph& graph,
                                              absl::Span<const BodyArgument> arguments) {
  if (!graph.updates().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("graph '", graph.name(), "' updates state, which a body cannot"));
  }
  std::vector<int32_t> map(graph.values().size(), -1);
  std::vector<TensorSpec> specs;
  for (const BodyArgument& argument : arguments) {
    if (argument.value >= 0) {
      map[argument.value] = static_cast<int32_t>(specs.size());
      specs.push_back(graph.spec(argument.value));
    } else {
      specs.push_back(argument.unused);
    }
  }
  const auto missing = [&](ValueId value) {
    return absl::InvalidArgumentError(absl::StrCat("graph '", graph.name(),
                                                   "': ", graph.ValueName(value),
                                                   " is not among the inputs of its body"));
  };
  OpBody::Builder builder(std::move(specs));
  std::vector<int32_t> inputs;
  for (const Node& node : graph.nodes()) {
    inputs.clear();
    for (const ValueId input : node.inputs) {
      if (map[input] < 0) return missing(input);
      inputs.push_back(map[input]);
    }
    TANDEM_ASSIGN_OR_RETURN(const int32_t first, builder.Add(*node.op, node.attrs, inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      map[node.outputs[i]] = first + static_cast<int32_t>(i);
    }
  }
  std::vector<int32_t> outputs;
  for (const GraphOutput& output : graph.outputs()) {
    if (map[output.value] < 0) return missing(output.value);
    outputs.push_back(map[output.value]);
  }
  return builder.Finish(std::move(outputs));
}

}  // namespace tandem
