#include "tandem/graph/passes/control_flow_liveness.h"

#include <algorithm>
#include <string>

namespace tandem {
namespace {

// Which inputs of a graph its outputs `wanted` depend on.
std::vector<bool> InputsNeeded(const Graph& graph, const std::vector<bool>& wanted) {
  std::vector<bool> needed(graph.values().size(), false);
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    if (wanted[i]) needed[graph.outputs()[i].value] = true;
  }
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    bool live = false;
    for (const ValueId output : node->outputs) live = live || needed[output];
    if (!live) continue;
    for (const ValueId input : node->inputs) needed[input] = true;
  }
  std::vector<bool> result;
  for (const GraphInput& input : graph.inputs()) result.push_back(needed[input.value]);
  return result;
}

}  // namespace

std::vector<bool> ControlFlowLiveness::BodyOutputs(const Node& node, int body) const {
  if (node.op->name == "while_loop") return body == 0 ? std::vector<bool>{true} : state;
  return outputs;
}

ControlFlowLiveness FindLiveness(const Node& node, absl::Span<const Graph* const> bodies,
                                 absl::Span<const int32_t> uses) {
  ControlFlowLiveness live;
  for (const ValueId output : node.outputs) {
    live.outputs.push_back(uses[output] > 0);
    live.any = live.any || live.outputs.back();
  }
  const std::string& op = node.op->name;
  if (op == "cond" || !live.any) return live;
  const bool is_scan = op == "scan";
  const auto num_state = static_cast<size_t>(node.attrs.Int(is_scan ? "num_carry" : "num_state"));
  const Graph& step = *bodies.back();
  live.state.assign(live.outputs.begin(), live.outputs.begin() + num_state);
  if (!is_scan) {
    live.keeps_states =
        std::find(live.outputs.begin() + num_state, live.outputs.end(), true) != live.outputs.end();
    const std::vector<bool> asked = InputsNeeded(*bodies[0], {true});
    for (size_t i = 0; i < num_state; ++i) {
      const bool kept = live.keeps_states && live.outputs[num_state + i];
      live.state[i] = live.state[i] || asked[i] || kept;
    }
    // A loop has at least one value of state.
    if (std::find(live.state.begin(), live.state.end(), true) == live.state.end()) {
      live.state[0] = true;
    }
  }
  // State that live state is made of lives, too.
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<bool> wanted = live.state;
    if (is_scan) {
      wanted.insert(wanted.end(), live.outputs.begin() + num_state, live.outputs.end());
    }
    const std::vector<bool> needed = InputsNeeded(step, wanted);
    for (size_t i = 0; i < num_state; ++i) {
      changed = changed || (needed[i] && !live.state[i]);
      live.state[i] = live.state[i] || needed[i];
    }
  }
  for (size_t i = 0; i < num_state; ++i) {
    live.outputs[i] = live.state[i];
    if (live.keeps_states) live.outputs[num_state + i] = live.state[i];
  }
  if (live.keeps_states) live.outputs.back() = true;
  return live;
}

}  // namespace tandem
