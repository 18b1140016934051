#include "tandem/frontends/cpp/symbol_block.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/serialization/native/model.h"

namespace tandem {
namespace {

std::vector<std::string> ArgumentNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphInput& input : graph.inputs()) {
    if (input.kind == InputKind::kArgument) names.push_back(input.name);
  }
  return names;
}

}  // namespace

BlockRef<SymbolBlock> SymbolBlock::Imports(const std::string& symbol_file,
                                           const std::vector<std::string>& input_names,
                                           const std::string& params_file, Device* device) {
  Device& where = device != nullptr ? *device : DefaultDevice();
  Model model = Value(LoadModel(symbol_file, params_file, where, OpRegistry::Global()));
  std::vector<std::pair<std::string, Tensor>> values;
  for (NamedTensor& named : model.parameters) {
    values.push_back({std::move(named.name), std::move(named.tensor)});
  }
  return std::make_shared<SymbolBlock>(std::move(model.graph), input_names, values, where,
                                       model.signature);
}

SymbolBlock::SymbolBlock(Graph graph, const std::vector<std::string>& input_names,
                         const std::vector<std::pair<std::string, Tensor>>& values, Device& device,
                         const std::vector<Shape>& signature)
    : graph_(std::move(graph)), device_(&device) {
  const std::vector<std::string> there = ArgumentNames(graph_);
  const std::vector<std::string>& wanted = input_names.empty() ? there : input_names;
  if (!std::is_permutation(there.begin(), there.end(), wanted.begin(), wanted.end())) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("the graph '", graph_.name(), "' has the inputs ", absl::StrJoin(there, ", "),
                     "; it was asked for ", absl::StrJoin(wanted, ", "))));
  }
  num_arguments_ = static_cast<int>(wanted.size());
  if (!signature.empty()) {
    if (signature.size() != there.size()) {
      throw Error(absl::InvalidArgumentError(absl::StrCat("the graph '", graph_.name(), "' has ",
                                                          there.size(), " inputs, the signature ",
                                                          signature.size(), " shapes")));
    }
    for (size_t i = 0; i < there.size(); ++i) {
      const ValueId value = graph_.inputs()[graph_.FindInput(there[i])].value;
      signature_.push_back({graph_.spec(value).dtype, signature[i]});
    }
  }
  auto value_of = [&](const std::string& name) -> const Tensor& {
    for (const auto& [known, tensor] : values) {
      if (known == name) return tensor;
    }
    throw Error(
        absl::NotFoundError(absl::StrCat("the graph '", graph_.name(), "' needs a value for '",
                                         name, "', and none was given; name its parameter file")));
  };
  int parameter_count = 0;
  for (const GraphInput& input : graph_.inputs()) {
    Feed feed{input.kind, -1};
    switch (input.kind) {
      case InputKind::kArgument:
        feed.index =
            static_cast<int>(std::find(wanted.begin(), wanted.end(), input.name) - wanted.begin());
        break;
      case InputKind::kParameter:
      case InputKind::kState: {
        const Tensor& value = value_of(input.name);
        const bool trained = input.kind == InputKind::kParameter && IsFloating(value.dtype());
        AdoptParameter(
            std::make_shared<Parameter>(
                input.name,
                ParameterOptions{.shape = value.shape(),
                                 .dtype = value.dtype(),
                                 .grad_req = trained ? GradRequest::kWrite : GradRequest::kNone},
                nullptr))
            .SetData(value);
        feed.index = parameter_count++;
        break;
      }
      case InputKind::kCapture:
        feed.index = static_cast<int>(captures_.size());
        captures_.push_back(value_of(input.name));
        break;
      case InputKind::kRandomState:
        break;
    }
    feeds_.push_back(feed);
  }
}

TensorList SymbolBlock::HybridForwardAll(const TensorList& inputs, const Params& p) {
  if (static_cast<int>(inputs.size()) != num_arguments_) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(type_name(), " '", name(), "' takes ",
                                                        num_arguments_, " inputs, it was given ",
                                                        inputs.size())));
  }
  std::vector<Tensor> fed;
  size_t argument = 0;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    const Feed& feed = feeds_[i];
    switch (feed.kind) {
      case InputKind::kArgument:
        if (!signature_.empty()) {
          CheckInput(graph_.inputs()[i].name, inputs[feed.index], signature_[argument++]);
        }
        fed.push_back(inputs[feed.index]);
        break;
      case InputKind::kParameter:
      case InputKind::kState:
        fed.push_back(p[parameters()[feed.index]->local_name()]);
        break;
      case InputKind::kCapture:
        fed.push_back(captures_[feed.index]);
        break;
      case InputKind::kRandomState: {
        const RandomState draw = Value(NextRandom(*device_, graph_.random_blocks()));
        // The graph's ops count from the state's own offset, so their draw must start there.
        if (draw.delta != 0) {
          fed.push_back(Value(Invoke("add", {draw.state, Offset(draw.delta)}))[0]);
        } else {
          fed.push_back(draw.state);
        }
        break;
      }
    }
  }
  TensorList outputs = Value(InterpretGraph(graph_, fed));
  const size_t num_outputs = graph_.outputs().size();
  for (size_t i = 0; i < graph_.updates().size(); ++i) {
    const Feed& feed = feeds_[graph_.updates()[i].input];
    Check(WriteVariable(parameters()[feed.index]->variable(), outputs[num_outputs + i]));
  }
  outputs.resize(num_outputs);
  return outputs;
}

std::function<void()> SymbolBlock::PrepareMove(Device& device) {
  std::vector<Tensor> captures;
  for (const Tensor& capture : captures_) captures.push_back(Value(CopyToDevice(capture, device)));
  Graph graph = graph_;
  for (size_t i = 0; i < graph.constants().size(); ++i) {
    const Tensor constant = Value(CopyToDevice(graph.constants()[i].tensor, device));
    Check(graph.SetConstant(static_cast<int32_t>(i), constant));
  }
  return [this, &device, captures = std::move(captures), graph = std::move(graph)] {
    captures_ = captures;
    graph_ = graph;
    device_ = &device;
  };
}

void SymbolBlock::CheckInput(const std::string& argument, const Tensor& input,
                             const TensorSpec& wanted) const {
  bool fits = input.dtype() == wanted.dtype && input.rank() == wanted.shape.rank();
  for (int i = 0; fits && i < input.rank(); ++i) {
    fits = wanted.shape[i] == kDynamic || wanted.shape[i] == input.shape()[i];
  }
  if (fits) return;
  throw Error(absl::InvalidArgumentError(
      absl::StrCat(type_name(), " '", name(), "': input '", argument, "' is ", input.Describe(),
                   ", the model was exported for ", wanted.ToString(),
                   "; give it such an input, or export the model again after a forward with one")));
}

Tensor SymbolBlock::Offset(int64_t delta) const {
  return Value(Tensor::FromVector<int64_t>({0, delta}, {2}, *device_));
}

}  // namespace tandem
