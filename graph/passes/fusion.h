// Several nodes as one: what the passes that fuse are written with.
//
//   FusionPlan plan(graph, context);
//   plan.Fuse({3, 4, 7});  // nodes; the last one gives the result
//   return plan.Rewrite();
//
// A fused node stands where its last one stood, with block path and line of the last one that has a
// line. All uses of what the others give must be among the nodes, so nothing else waits for it, and
// no cycle can arise. Nodes that are fused already are taken apart: bodies do not nest.
// Thread rules: used by one thread; graph and context must outlive it.
#ifndef TANDEM_GRAPH_PASSES_FUSION_H_
#define TANDEM_GRAPH_PASSES_FUSION_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/op/op_body.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/passes/pass.h"

namespace tandem {

class FusionPlan {
 public:
  // More would not pay: registers and bindings of devices are few, and programs that grow without
  // bound take long to compile.
  static constexpr int kMaxSteps = 48;
  static constexpr int kMaxInputs = 16;

  FusionPlan(const Graph& graph, PassContext& context);

  // False if the context fuses nothing, or there is no op to fuse with.
  bool can_fuse() const { return fused_ != nullptr; }
  // The number of uses of a value, by nodes, outputs and updates.
  int32_t uses(ValueId value) const { return uses_[value]; }
  // Whether a node is in a fusion already.
  bool is_taken(int32_t node) const { return fusion_of_[node] >= 0; }
  // False if what `node` reads would have to live on for the sake of `others`, whose last one stands
  // after it, and take more memory meanwhile than its own result would have taken. `others` ascend.
  bool KeepsMemory(int32_t node, absl::Span<const int32_t> others) const;
  // Makes one node of `nodes` (ascending, two or more), if they are within the bounds and the device
  // takes it; false otherwise. Notes it.
  bool Fuse(std::vector<int32_t> nodes);
  // Whether the device would take the node alone.
  bool TakesAlone(int32_t node) const;

  // The graph with what was fused.
  absl::StatusOr<Graph> Rewrite() const;

 private:
  struct Fusion {
    std::vector<int32_t> nodes;
    ValueIds inputs;
    Ref<const OpBody> body;
  };

  // INVALID_ARGUMENT for nodes that are out of the bounds.
  absl::StatusOr<Fusion> Make(std::vector<int32_t> nodes) const;
  void Note(const Fusion& fusion) const;

  const Graph& graph_;
  PassContext& context_;
  const OpDef* fused_ = nullptr;
  std::vector<int32_t> uses_;
  std::vector<int32_t> last_use_;   // the last node that reads a value; outputs are read at the end
  std::vector<int32_t> fusion_of_;  // by node; -1: none
  std::vector<Fusion> fusions_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_FUSION_H_
