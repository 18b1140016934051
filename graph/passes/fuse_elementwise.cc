#include "tandem/graph/passes/fuse_elementwise.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/graph/passes/fusion.h"

namespace tandem {
namespace {

class Fuser {
 public:
  Fuser(const Graph& graph, PassContext& context)
      : graph_(graph), plan_(graph, context), may_join_(graph.nodes().size()) {
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      may_join_[i] = node.outputs.size() == 1 && IsElementwise(*node.op, node.attrs) &&
                     graph.spec(node.outputs[0]).shape.num_elements() > 0;
    }
  }

  absl::StatusOr<Graph> Run() {
    if (!plan_.can_fuse()) return graph_;
    // Later nodes first: a group is found from its result.
    for (int32_t root = static_cast<int32_t>(graph_.nodes().size()) - 1; root >= 0; --root) {
      if (may_join_[root] && !plan_.is_taken(root)) FuseFrom(root);
    }
    return plan_.Rewrite();
  }

 private:
  void FuseFrom(int32_t root) {
    std::vector<int32_t> nodes = GroupOf(root);
    if (nodes.size() < 2 || plan_.Fuse(nodes)) return;
    // One of them may be an op that this device computes otherwise.
    bool changed = false;
    for (const int32_t node : nodes) {
      if (plan_.TakesAlone(node)) continue;
      may_join_[node] = false;
      changed = true;
    }
    if (!changed || !may_join_[root]) return;
    nodes = GroupOf(root);
    if (nodes.size() >= 2) plan_.Fuse(nodes);
  }

  // Ascending; the last one is `root`.
  std::vector<int32_t> GroupOf(int32_t root) const {
    const Shape& shape = graph_.spec(graph_.nodes()[root].outputs[0]).shape;
    std::vector<int32_t> group;  // descending while it grows
    absl::flat_hash_map<ValueId, int32_t> uses;
    absl::flat_hash_set<ValueId> inputs;
    std::set<int32_t, std::greater<>> candidates;
    size_t steps = 0;
    const auto join = [&](int32_t index) {
      const Node& node = graph_.nodes()[index];
      group.push_back(index);
      const OpBody* body = BodyOf(*node.op, node.attrs);
      steps += body != nullptr ? body->steps().size() : 1;
      inputs.erase(node.outputs[0]);
      for (const ValueId input : node.inputs) {
        ++uses[input];
        inputs.insert(input);
        if (const int32_t from = graph_.values()[input].node; from >= 0) candidates.insert(from);
      }
    };
    join(root);
    // The latest candidate first: all that may use it has been looked at by then.
    while (!candidates.empty() && steps < FusionPlan::kMaxSteps) {
      const int32_t index = *candidates.begin();
      candidates.erase(candidates.begin());
      const Node& node = graph_.nodes()[index];
      const ValueId output = node.outputs[0];
      if (!may_join_[index] || plan_.is_taken(index) || graph_.spec(output).shape != shape ||
          uses[output] != plan_.uses(output) || !HasRoom(node, inputs) ||
          !plan_.KeepsMemory(index, Ascending(group))) {
        continue;
      }
      join(index);
    }
    return Ascending(group);
  }

  static std::vector<int32_t> Ascending(std::vector<int32_t> group) {
    std::reverse(group.begin(), group.end());
    return group;
  }

  // Whether the group stays within the bounds with `node`, whose result is one of `inputs`.
  static bool HasRoom(const Node& node, const absl::flat_hash_set<ValueId>& inputs) {
    size_t count = inputs.size() - 1;
    for (const ValueId input : node.inputs) count += inputs.contains(input) ? 0 : 1;
    return count <= FusionPlan::kMaxInputs;
  }

  const Graph& graph_;
  FusionPlan plan_;
  std::vector<bool> may_join_;
};

}  // namespace

absl::StatusOr<Graph> FuseElementwise::Run(const Graph& graph, PassContext& context) const {
  return Fuser(graph, context).Run();
}

}  // namespace tandem
