#include "tandem/frontends/cpp/model_file.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
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
  save.dynamic_batch = options.dynamic_batch;
  return SaveModel(model, prefix, epoch, save);
}

}  // namespace tandem::internal
