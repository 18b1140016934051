#include "tandem/graph/passes/constant_fold.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/passes/rewriter.h"

namespace tandem {
namespace {

class Folder {
 public:
  Folder(const Graph& graph, PassContext& context)
      : graph_(graph), context_(context), known_(graph.values().size()) {
    for (const GraphConstant& constant : graph.constants()) {
      if (constant.tensor.spec().num_bytes() <= ConstantFold::kMaxBytes) {
        known_[constant.value].tensor = constant.tensor;
        known_[constant.value].is_known = true;
      }
    }
  }

  absl::StatusOr<Graph> Run() {
    TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph_));
    for (const Node& node : graph_.nodes()) {
      if (node.inputs.empty()) {
        // Evaluated when a fold first needs it.
        if (Bytes(node.outputs) <= ConstantFold::kMaxBytes) {
          for (const ValueId output : node.outputs) known_[output] = {true, &node, {}};
        }
      } else if (Foldable(node)) {
        TANDEM_ASSIGN_OR_RETURN(const bool folded, Fold(node, rewriter));
        if (folded) continue;
      }
      TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
    }
    return rewriter.Finish();
  }

 private:
  // What is known of a value.
  struct Value {
    bool is_known = false;
    const Node* creation = nullptr;  // not evaluated yet
    Tensor tensor;
  };

  // Saturates: specs are valid, but many of them need not fit.
  int64_t Bytes(absl::Span<const ValueId> values) const {
    int64_t bytes = 0;
    for (const ValueId value : values) {
      if (__builtin_add_overflow(bytes, graph_.spec(value).num_bytes(), &bytes)) return INT64_MAX;
    }
    return bytes;
  }

  bool Foldable(const Node& node) const {
    // A loop may take any time; its body is folded on its own (control_flow.h).
    if (node.op->control) return false;
    const bool known = std::all_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ValueId input) { return known_[input].is_known; });
    if (!known) return false;
    const int64_t bytes = Bytes(node.outputs);
    return bytes <= ConstantFold::kMaxBytes && bytes <= Bytes(node.inputs);
  }

  // Runs a node on known inputs; no results if that is not possible.
  TensorList Evaluate(const Node& node) {
    std::vector<Tensor> inputs;
    for (const ValueId input : node.inputs) {
      Value& value = known_[input];
      if (value.creation != nullptr) {
        const Node& creation = *std::exchange(value.creation, nullptr);
        const TensorList results = Evaluate(creation);
        for (size_t i = 0; i < creation.outputs.size(); ++i) {
          known_[creation.outputs[i]] = {!results.empty(), nullptr,
                                         results.empty() ? Tensor() : results[i]};
        }
      }
      if (!value.is_known) return {};
      inputs.push_back(value.tensor);
    }
    absl::StatusOr<TensorList> results = context_.evaluator(*node.op, node.attrs, inputs);
    if (!results.ok()) {
      context_.Note(
          absl::StrCat(DescribeNode(graph_, node), ": not folded: ", results.status().message()));
      return {};
    }
    return *std::move(results);
  }

  // True if constants stand for the results now.
  absl::StatusOr<bool> Fold(const Node& node, GraphRewriter& rewriter) {
    const TensorList results = Evaluate(node);
    if (results.empty()) return false;
    bool replace = !node.op->view;
    if (results.size() != node.outputs.size()) {
      return absl::InternalError(absl::StrCat(DescribeNode(graph_, node), ": evaluation gives ",
                                              results.size(), " results"));
    }
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].defined()) {
        return absl::InternalError(
            absl::StrCat(DescribeNode(graph_, node), ": evaluation gives no result ", i));
      }
      known_[node.outputs[i]] = {true, nullptr, results[i]};
      replace = replace && results[i].is_contiguous();
    }
    // A constant is made contiguous, where this result is not, and kernels may notice that.
    if (!replace) return false;
    for (size_t i = 0; i < results.size(); ++i) {
      TANDEM_RETURN_IF_ERROR(rewriter.ReplaceByConstant(node.outputs[i], results[i]));
    }
    context_.Note(absl::StrCat(DescribeNode(graph_, node), ": folded to ",
                               absl::StrJoin(results, ", ", [](std::string* out, const Tensor& t) {
                                 *out += t.spec().ToString();
                               })));
    return true;
  }

  const Graph& graph_;
  PassContext& context_;
  std::vector<Value> known_;
};

}  // namespace

absl::StatusOr<Graph> ConstantFold::Run(const Graph& graph, PassContext& context) const {
  if (!context.evaluator) return graph;
  return Folder(graph, context).Run();
}

}  // namespace tandem
