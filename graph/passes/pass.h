// A pass: one rewrite of a graph into an equal, better one.
//
// A pass never changes a graph; it builds a new one (rewriter.h) with the same inputs, outputs,
// updates and random blocks, and says in words what it changed, for explain().
//
//   class DropIdentities final : public Pass {
//    public:
//     absl::string_view name() const override { return "drop_identities"; }
//     absl::string_view description() const override { return "removes what does nothing"; }
//     absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
//   };
//
// Passes of this package are exact: the results keep their bits. A backend may bring its own.
// Thread rules: a pass is immutable; Run may be called from many threads, each with its own context.
#ifndef TANDEM_GRAPH_PASSES_PASS_H_
#define TANDEM_GRAPH_PASSES_PASS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

// Runs one op on concrete tensors (none, for a creation op), with the kernels that would run it in
// the graph: what a fold computes must have the bits that the graph would have computed.
using Evaluator = std::function<absl::StatusOr<TensorList>(
    const OpDef& op, const AttributeMap& attrs, absl::Span<const Tensor> inputs)>;

// Whether the device runs `body` as one kernel that gives the bits of the kernels that would run its
// steps one by one. `fused` is the op whose body it would be.
using FusionPredicate = std::function<bool(const OpDef& fused, const OpBody& body)>;

// What one run of a pass did.
struct PassRecord {
  std::string pass;
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  std::vector<std::string> changes;  // one line each: "%5 = add: folded to f32[]"
  double milliseconds = 0;
};

// What a pass gets besides the graph, and where it reports.
class PassContext {
 public:
  // Null: nothing is evaluated, so nothing is folded.
  Evaluator evaluator;
  // Null: nothing is fused.
  FusionPredicate fuses;
  // Where passes look for ops that they make.
  const OpRegistry* ops = &OpRegistry::Global();
  // Run the verifier after every pass.
  bool verify = false;

  // Reports a change of the running pass. Texts past the first kMaxChanges are only counted.
  void Note(std::string change);
  // One record for each pass that ran, in their order.
  const std::vector<PassRecord>& records() const { return records_; }

  static constexpr int kMaxChanges = 1000;

 private:
  friend class PassPipeline;

  std::vector<std::string> changes_;
  int64_t changes_left_out_ = 0;
  std::vector<PassRecord> records_;
};

class Pass {
 public:
  virtual ~Pass() = default;
  virtual absl::string_view name() const = 0;  // "constant_fold"
  virtual absl::string_view description() const = 0;
  virtual absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const = 0;
};

// "%5 = add", with which a note begins.
std::string DescribeNode(const Graph& graph, const Node& node);

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_PASS_H_
