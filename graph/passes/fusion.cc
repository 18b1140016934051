#include "tandem/graph/passes/fusion.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/passes/rewriter.h"

namespace tandem {
namespace {

constexpr int32_t kNever = std::numeric_limits<int32_t>::max();

// Appends nodes of a graph to a body.
class BodyMaker {
 public:
  BodyMaker(const Graph& graph, const ValueIds& inputs) : graph_(graph), builder_(Specs(inputs)) {
    for (size_t i = 0; i < inputs.size(); ++i) map_[inputs[i]] = static_cast<int32_t>(i);
  }

  absl::Status Add(const Node& node) {
    std::vector<int32_t> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(map_.at(input));
    if (const OpBody* body = BodyOf(*node.op, node.attrs)) return AddBody(node, *body, inputs);
    TANDEM_ASSIGN_OR_RETURN(const int32_t first, builder_.Add(*node.op, node.attrs, inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      map_[node.outputs[i]] = first + static_cast<int32_t>(i);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Ref<const OpBody>> Finish(absl::Span<const ValueId> outputs) {
    std::vector<int32_t> values;
    for (const ValueId output : outputs) values.push_back(map_.at(output));
    return builder_.Finish(std::move(values));
  }

 private:
  std::vector<TensorSpec> Specs(const ValueIds& inputs) const {
    std::vector<TensorSpec> specs;
    for (const ValueId input : inputs) specs.push_back(graph_.spec(input));
    return specs;
  }

  absl::Status AddBody(const Node& node, const OpBody& body, std::vector<int32_t> values) {
    for (const OpBody::Step& step : body.steps()) {
      std::vector<int32_t> inputs;
      for (const int32_t input : step.inputs) inputs.push_back(values[input]);
      TANDEM_ASSIGN_OR_RETURN(const int32_t first, builder_.Add(*step.op, step.attrs, inputs));
      for (int32_t i = 0; i < step.num_outputs; ++i) values.push_back(first + i);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      map_[node.outputs[i]] = values[body.outputs()[i]];
    }
    return absl::OkStatus();
  }

  const Graph& graph_;
  absl::flat_hash_map<ValueId, int32_t> map_;
  OpBody::Builder builder_;
};

std::string Described(const Graph& graph, const Node& node) {
  std::string text = DescribeNode(graph, node);
  if (!node.location.empty()) absl::StrAppend(&text, " at ", node.location);
  return text;
}

}  // namespace

FusionPlan::FusionPlan(const Graph& graph, PassContext& context)
    : graph_(graph),
      context_(context),
      uses_(graph.UseCounts()),
      last_use_(graph.values().size(), -1),
      fusion_of_(graph.nodes().size(), -1) {
  if (context.fuses && context.ops != nullptr) fused_ = context.ops->Find("fused");
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const ValueId input : graph.nodes()[i].inputs) last_use_[input] = static_cast<int32_t>(i);
  }
  for (const GraphOutput& output : graph.outputs()) last_use_[output.value] = kNever;
  for (const StateUpdate& update : graph.updates()) last_use_[update.value] = kNever;
}

bool FusionPlan::KeepsMemory(int32_t node, absl::Span<const int32_t> others) const {
  const int32_t end = others.back();
  // Nothing else happens between the first of them and the last one.
  if (end - node == static_cast<int32_t>(others.size())) return true;
  const Node& moved = graph_.nodes()[node];
  int64_t freed = 0, kept = 0;
  for (const ValueId output : moved.outputs) freed += graph_.spec(output).num_bytes();
  for (size_t i = 0; i < moved.inputs.size(); ++i) {
    const ValueId input = moved.inputs[i];
    // Inputs of the graph and constants live anyhow, and a scalar beside a large operand must not tip
    // the scales.
    if (graph_.values()[input].node < 0 || last_use_[input] > node) continue;
    if (graph_.spec(input).shape.num_elements() == 1) continue;
    if (std::find(moved.inputs.begin(), moved.inputs.begin() + i, input) ==
        moved.inputs.begin() + i) {
      kept += graph_.spec(input).num_bytes();
    }
  }
  return kept <= freed;
}

absl::StatusOr<FusionPlan::Fusion> FusionPlan::Make(std::vector<int32_t> nodes) const {
  absl::flat_hash_map<ValueId, bool> inside;
  size_t steps = 0;
  Fusion fusion;
  for (const int32_t index : nodes) {
    const Node& node = graph_.nodes()[index];
    const OpBody* body = BodyOf(*node.op, node.attrs);
    steps += body != nullptr ? body->steps().size() : 1;
    for (const ValueId input : node.inputs) {
      if (inside.contains(input)) continue;
      inside[input] = false;
      fusion.inputs.push_back(input);
    }
    for (const ValueId output : node.outputs) inside[output] = true;
  }
  if (steps > kMaxSteps || fusion.inputs.size() > kMaxInputs) {
    return absl::InvalidArgumentError("too many steps or inputs");
  }
  BodyMaker maker(graph_, fusion.inputs);
  for (const int32_t index : nodes) TANDEM_RETURN_IF_ERROR(maker.Add(graph_.nodes()[index]));
  TANDEM_ASSIGN_OR_RETURN(fusion.body, maker.Finish(graph_.nodes()[nodes.back()].outputs));
  fusion.nodes = std::move(nodes);
  return fusion;
}

bool FusionPlan::TakesAlone(int32_t node) const {
  const absl::StatusOr<Fusion> fusion = Make({node});
  return fusion.ok() && context_.fuses(*fused_, *fusion->body);
}

bool FusionPlan::Fuse(std::vector<int32_t> nodes) {
  absl::StatusOr<Fusion> fusion = Make(std::move(nodes));
  if (!fusion.ok() || !context_.fuses(*fused_, *fusion->body)) return false;
  for (const int32_t node : fusion->nodes) fusion_of_[node] = static_cast<int32_t>(fusions_.size());
  Note(*fusion);
  fusions_.push_back(*std::move(fusion));
  return true;
}

void FusionPlan::Note(const Fusion& fusion) const {
  std::string text =
      absl::StrCat(Described(graph_, graph_.nodes()[fusion.nodes.back()]), ": one with ");
  for (size_t i = 0; i + 1 < fusion.nodes.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", Described(graph_, graph_.nodes()[fusion.nodes[i]]));
  }
  context_.Note(std::move(text));
}

absl::StatusOr<Graph> FusionPlan::Rewrite() const {
  if (fusions_.empty()) return graph_;
  TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph_));
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    if (fusion_of_[i] < 0) {
      TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
      continue;
    }
    const Fusion& fusion = fusions_[fusion_of_[i]];
    if (fusion.nodes.back() != static_cast<int32_t>(i)) continue;
    // The line of the last one that has one.
    const Node* origin = &node;
    for (auto it = fusion.nodes.rbegin(); it != fusion.nodes.rend(); ++it) {
      origin = &graph_.nodes()[*it];
      if (!origin->location.empty()) break;
    }
    if (origin->location.empty()) origin = &node;
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs,
                            AttributeMap::Create(fused_->attributes, {{"body", fusion.body}}));
    TANDEM_RETURN_IF_ERROR(
        rewriter.Add(*fused_, attrs, fusion.inputs, node.outputs, origin->block, origin->location));
  }
  return rewriter.Finish();
}

}  // namespace tandem
