#include "tandem/frontends/cpp/model_file.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"
#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/serialization/native/model.h"

namespace tandem::internal {
namespace {

// The block and those below it, parents first; `path` is what graph nodes call the block.
void Describe(const Block& block, const std::string& path, int32_t parent, const Graph& graph,
              std::vector<BlockInfo>* blocks) {
  BlockInfo info;
  info.name = path;
  info.type = block.type_name();
  info.parent = parent;
  if (std::string config = block.Describe(); !config.empty()) {
    info.config.push_back({"config", std::move(config)});
  }
  for (const ParameterPtr& parameter : block.parameters()) {
    // A parameter that the forward never reads is not in the graph.
    const std::string name = parameter->name();
    if (graph.FindInput(name) >= 0) info.parameters.push_back(name);
  }
  const int32_t index = static_cast<int32_t>(blocks->size());
  blocks->push_back(std::move(info));
  for (const BlockChild& child : block.children()) {
    Describe(*child.block, absl::StrCat(path, "/", child.name), index, graph, blocks);
  }
}

// The specs of all values, with `batch` for axis 0 of the arguments; an error if an op does not
// take it.
absl::StatusOr<std::vector<TensorSpec>> SpecsWithBatch(const Graph& graph, int64_t batch) {
  std::vector<TensorSpec> specs;
  for (const ValueInfo& value : graph.values()) specs.push_back(value.spec);
  for (const GraphInput& input : graph.inputs()) {
    Shape& shape = specs[input.value].shape;
    if (input.kind == InputKind::kArgument && shape.rank() > 0) shape[0] = batch;
  }
  for (const Node& node : graph.nodes()) {
    std::vector<const TensorSpec*> inputs;
    for (ValueId input : node.inputs) inputs.push_back(&specs[input]);
    TANDEM_ASSIGN_OR_RETURN(const SpecList outputs, InferSpecs(*node.op, node.attrs, inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) specs[node.outputs[i]] = outputs[i];
  }
  return specs;
}

// True if the graph works for other batch sizes than the traced one (ExportOptions).
bool BatchMayDiffer(const Graph& graph) {
  int64_t traced = -1;
  for (const GraphInput& input : graph.inputs()) {
    const Shape& shape = graph.spec(input.value).shape;
    if (input.kind != InputKind::kArgument || shape.rank() == 0) continue;
    if (traced >= 0 && shape[0] != traced) return false;
    traced = shape[0];
  }
  // Two sizes, as one could fit by chance. The limit keeps the sums from overflowing.
  if (traced < 0 || traced > (int64_t{1} << 32)) return false;
  for (const int64_t batch : {traced + 1, 2 * traced + 3}) {
    const absl::StatusOr<std::vector<TensorSpec>> specs = SpecsWithBatch(graph, batch);
    if (!specs.ok()) return false;
    for (const GraphOutput& output : graph.outputs()) {
      // The rest of the shape must stay.
      TensorSpec expected = graph.spec(output.value);
      if (expected.shape.rank() == 0 || expected.shape[0] != traced) return false;
      expected.shape[0] = batch;
      if ((*specs)[output.value] != expected) return false;
    }
    for (const StateUpdate& update : graph.updates()) {
      if ((*specs)[update.value] != graph.spec(update.value)) return false;
    }
  }
  return true;
}

}  // namespace

absl::Status WriteModel(const HybridBlock& block, const TracedGraph& traced,
                        const std::string& prefix, int epoch, const ExportOptions& options) {
  Model model;
  model.graph = traced.graph;
  for (size_t i = 0; i < traced.bindings.size(); ++i) {
    const InputBinding& binding = traced.bindings[i];
    const std::string& name = traced.graph.inputs()[i].name;
    if (binding.variable) {
      model.parameters.push_back({name, binding.variable->Get()});
    } else if (binding.kind == InputKind::kCapture) {
      model.parameters.push_back({name, binding.tensor});
    }
  }
  Describe(block, block.name(), -1, traced.graph, &model.blocks);
  SaveOptions save;
  save.binary = options.binary;
  save.packed = options.packed;
  save.dynamic_batch = options.dynamic_batch && BatchMayDiffer(traced.graph);
  return SaveModel(model, prefix, epoch, save);
}

}  // namespace tandem::internal
