#include "tandem/serialization/native/sample_model.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {
namespace {

OpDef Matmul() {
  OpDef def;
  def.name = "matmul";
  def.inputs = {{"a", ""}, {"b", ""}};
  def.attributes = {AttributeDef::Optional("transpose_a", false, ""),
                    AttributeDef::Optional("transpose_b", false, "")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    if (c.input(0).shape.rank() != 2 || c.input(1).shape.rank() != 2) return c.Error("rank 2");
    const bool ta = c.attrs().Bool("transpose_a");
    const bool tb = c.attrs().Bool("transpose_b");
    const Shape& a = c.input(0).shape;
    const Shape& b = c.input(1).shape;
    if (a[ta ? 0 : 1] != b[tb ? 1 : 0]) return c.Error("the inner sizes differ");
    return SpecList{{c.input(0).dtype, {a[ta ? 1 : 0], b[tb ? 0 : 1]}}};
  };
  return def;
}

OpDef Add() {
  OpDef def;
  def.name = "add";
  def.inputs = {{"a", ""}, {"b", ""}};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TANDEM_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(c.input(0).shape, c.input(1).shape));
    return SpecList{{PromoteTypes(c.input(0).dtype, c.input(1).dtype), shape}};
  };
  return def;
}

OpDef Relu() {
  OpDef def;
  def.name = "relu";
  def.inputs = {{"x", ""}};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{c.input(0)};
  };
  return def;
}

OpDef Full() {
  OpDef def;
  def.name = "full";
  def.attributes = {AttributeDef::Required("shape", AttributeType::kInts, ""),
                    AttributeDef::Required("value", AttributeType::kDouble, ""),
                    AttributeDef::Optional("dtype", DType::kF32, "")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{{c.attrs().Type("dtype"), Shape(absl::MakeConstSpan(c.attrs().Ints("shape")))}};
  };
  return def;
}

OpDef Split() {
  OpDef def;
  def.name = "split";
  def.inputs = {{"x", ""}};
  def.attributes = {AttributeDef::Optional("axis", 0, ""),
                    AttributeDef::Optional("sections", 0, "")};
  def.num_outputs = [](const AttributeMap& attrs) {
    return static_cast<int>(std::clamp<int64_t>(attrs.Int("sections"), 0, INT32_MAX));
  };
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TANDEM_ASSIGN_OR_RETURN(const int axis,
                            NormalizeAxis(c.attrs().Int("axis"), c.input(0).shape.rank()));
    const int64_t sections = c.attrs().Int("sections");
    TensorSpec spec = c.input(0);
    if (sections < 1 || spec.shape[axis] % sections != 0) return c.Error("does not divide");
    spec.shape[axis] /= sections;
    return SpecList(static_cast<size_t>(sections), spec);
  };
  return def;
}

OpDef Probe() {
  OpDef def;
  def.name = "probe";
  def.inputs = {{"x", ""}, {"state", ""}};
  def.attributes = {AttributeDef::Required("flag", AttributeType::kBool, ""),
                    AttributeDef::Required("count", AttributeType::kInt, ""),
                    AttributeDef::Required("rate", AttributeType::kDouble, ""),
                    AttributeDef::Choice("mode", "max", {"max", "sum"}, ""),
                    AttributeDef::Required("dtype", AttributeType::kDType, ""),
                    AttributeDef::Optional("axes", AttributeValue::Ints{}, ""),
                    AttributeDef::Optional("scales", AttributeValue::Doubles{}, ""),
                    AttributeDef::Optional("label", "", "")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{{c.attrs().Type("dtype"), c.input(0).shape}};
  };
  return def;
}

OpDef Fused() {
  OpDef def;
  def.name = "fused";
  def.inputs = {{"inputs", ""}};
  def.variadic = true;
  def.attributes = {AttributeDef::Required("body", AttributeType::kBody, "")};
  def.runs_body = true;
  def.num_outputs = [](const AttributeMap& attrs) {
    return static_cast<int>(BodyAttribute(attrs)->outputs().size());
  };
  def.infer = [](const InferContext& c) {
    std::vector<const TensorSpec*> inputs;
    for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(&c.input(i));
    return BodyAttribute(c.attrs())->Infer(inputs);
  };
  return def;
}

absl::StatusOr<Tensor> Filled(const Shape& shape, float first, Device& device) {
  std::vector<float> values(static_cast<size_t>(shape.num_elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + 0.25f * static_cast<float>(i);
  return Tensor::FromVector<float>(values, shape, device);
}

absl::StatusOr<ValueIds> AddNode(Graph* graph, const OpRegistry& registry, absl::string_view op,
                                 std::vector<ValueId> inputs, std::vector<AttributeInit> attrs,
                                 std::string block, std::string location) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* def, registry.Get(op));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(def->attributes, attrs));
  return graph->AddNode(*def, map, inputs, std::move(block), std::move(location));
}

// relu(data · weightᵀ + bias), which is `y`; the model has no outputs yet.
absl::StatusOr<Model> Layer(const OpRegistry& registry, Device& device, ValueId* y) {
  Model model;
  Graph graph("mlp0");
  TANDEM_ASSIGN_OR_RETURN(const ValueId data,
                          graph.AddInput("data", {DType::kF32, {1, 4}}, InputKind::kArgument));
  TANDEM_ASSIGN_OR_RETURN(
      const ValueId weight,
      graph.AddInput("dense0_weight", {DType::kF32, {2, 4}}, InputKind::kParameter));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds product,
                          AddNode(&graph, registry, "matmul", {data, weight},
                                  {{"transpose_b", true}}, "mlp0/dense0", "mlp.cc:7"));
  TANDEM_ASSIGN_OR_RETURN(const ValueId bias,
                          graph.AddInput("dense0_bias", {DType::kF32, {2}}, InputKind::kParameter));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds sum, AddNode(&graph, registry, "add", {product[0], bias},
                                                      {}, "mlp0/dense0", "mlp.cc:7"));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds positive,
                          AddNode(&graph, registry, "relu", {sum[0]}, {}, "mlp0", "mlp.cc:8"));
  *y = positive[0];
  TANDEM_ASSIGN_OR_RETURN(Tensor weight_tensor, Filled({2, 4}, -1.0f, device));
  TANDEM_ASSIGN_OR_RETURN(Tensor bias_tensor, Filled({2}, 0.5f, device));
  model.graph = std::move(graph);
  model.parameters = {{"dense0_weight", weight_tensor}, {"dense0_bias", bias_tensor}};
  model.blocks = {{"mlp0", "MLP", -1, {}, {}},
                  {"mlp0/dense0", "Dense", 0, {{"units", "2"}}, {"dense0_weight", "dense0_bias"}}};
  return model;
}

}  // namespace

absl::Status RegisterSampleOps(OpRegistry* registry) {
  for (OpDef (*make)() : {Matmul, Add, Relu, Full, Split, Probe, Fused}) {
    OpDef def = make();
    def.doc = "For tests of files.";
    def.family = "test";
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> SmallModel(const OpRegistry& registry, Device& device) {
  ValueId y;
  TANDEM_ASSIGN_OR_RETURN(Model model, Layer(registry, device, &y));
  Graph& graph = model.graph;
  TANDEM_ASSIGN_OR_RETURN(
      const ValueIds half,
      AddNode(&graph, registry, "full", {}, {{"shape", AttributeValue::Ints{2}}, {"value", 0.5}},
              "mlp0", "mlp.cc:9"));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds shifted,
                          AddNode(&graph, registry, "add", {y, half[0]}, {}, "mlp0", "mlp.cc:9"));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("y", shifted[0]));
  model.blocks[1].config = {{"config", "2"}};
  return model;
}

absl::StatusOr<Model> SampleModel(const OpRegistry& registry, Device& device) {
  ValueId y;
  TANDEM_ASSIGN_OR_RETURN(Model model, Layer(registry, device, &y));
  Graph& graph = model.graph;
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("y", y));
  TANDEM_ASSIGN_OR_RETURN(const ValueId mean,
                          graph.AddInput("running mean", {DType::kF32, {1, 1}}, InputKind::kState));
  TANDEM_ASSIGN_OR_RETURN(const ValueId mask,
                          graph.AddInput("mask", {DType::kBool, {1, 2}}, InputKind::kCapture));
  TANDEM_ASSIGN_OR_RETURN(const ValueId random,
                          graph.AddInput("rng", {DType::kI64, {2}}, InputKind::kRandomState));
  TANDEM_ASSIGN_OR_RETURN(Tensor small, Tensor::Scalar<double>(-0.0, device));
  TANDEM_ASSIGN_OR_RETURN(const ValueId small_constant, graph.AddConstant(small));
  TANDEM_ASSIGN_OR_RETURN(
      const ValueIds halves,
      AddNode(&graph, registry, "split", {y}, {{"axis", -1}, {"sections", 2}}, "mlp0", "mlp.cc:9"));
  TANDEM_ASSIGN_OR_RETURN(Tensor large, Filled({65}, 3.0f, device));
  TANDEM_ASSIGN_OR_RETURN(const ValueId large_constant, graph.AddConstant(large));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds probed,
                          AddNode(&graph, registry, "probe", {large_constant, random},
                                  {{"flag", false},
                                   {"count", int64_t{-9007199254740993}},
                                   {"rate", 0.1},
                                   {"mode", "sum"},
                                   {"dtype", DType::kF16},
                                   {"axes", AttributeValue::Ints{0, -1, INT64_MAX}},
                                   {"scales", AttributeValue::Doubles{1e-300, 0.5}},
                                   {"label", "quote \" backslash \\ bracket [1,\n2] é"}},
                                  "mlp0/probe \"x\"", ""));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds masked,
                          AddNode(&graph, registry, "add", {y, mask}, {}, "", ""));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds shifted, AddNode(&graph, registry, "add",
                                                          {masked[0], small_constant}, {}, "", ""));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("left", halves[0]));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("probed", probed[0]));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("shifted", shifted[0]));
  TANDEM_RETURN_IF_ERROR(graph.AddUpdate(graph.InputIndex(mean), halves[1]));
  graph.set_random_blocks(17);
  TANDEM_ASSIGN_OR_RETURN(Tensor mean_tensor, Filled({1, 1}, 9.0f, device));
  TANDEM_ASSIGN_OR_RETURN(Tensor mask_tensor,
                          Tensor::FromVector<bool>({true, false}, {1, 2}, device));
  // Not in the order of the inputs: files are.
  model.parameters.insert(model.parameters.begin(), {"mask", mask_tensor});
  model.parameters.push_back({"running mean", mean_tensor});
  return model;
}

absl::StatusOr<Model> BodyModel(const OpRegistry& registry, Device& device) {
  const auto add = [&](OpBody::Builder& builder, absl::string_view op, std::vector<int32_t> inputs,
                       std::vector<AttributeInit> attrs = {}) -> absl::StatusOr<int32_t> {
    TANDEM_ASSIGN_OR_RETURN(const OpDef* def, registry.Get(op));
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(def->attributes, attrs));
    return builder.Add(*def, map, inputs);
  };
  const TensorSpec spec{DType::kF32, {1, 4}};
  OpBody::Builder inner({spec});
  TANDEM_RETURN_IF_ERROR(add(inner, "relu", {0}).status());
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> positive, inner.Finish({1}));
  OpBody::Builder outer({spec, spec});
  TANDEM_ASSIGN_OR_RETURN(const int32_t sum, add(outer, "add", {0, 1}));
  TANDEM_ASSIGN_OR_RETURN(const int32_t halves,
                          add(outer, "split", {sum}, {{"axis", -1}, {"sections", 2}}));
  TANDEM_ASSIGN_OR_RETURN(const int32_t y, add(outer, "fused", {sum}, {{"body", positive}}));
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body, outer.Finish({halves + 1, y}));
  Model model;
  Graph& graph = model.graph;
  TANDEM_ASSIGN_OR_RETURN(const ValueId x, graph.AddInput("data", spec, InputKind::kArgument));
  TANDEM_ASSIGN_OR_RETURN(const ValueId w, graph.AddInput("w", spec, InputKind::kParameter));
  TANDEM_ASSIGN_OR_RETURN(const ValueIds results, AddNode(&graph, registry, "fused", {x, w},
                                                          {{"body", body}}, "net", "net.cc:1"));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("high", results[0]));
  TANDEM_RETURN_IF_ERROR(graph.AddOutput("y", results[1]));
  TANDEM_ASSIGN_OR_RETURN(Tensor weight, Filled({1, 4}, -1.0f, device));
  model.parameters = {{"w", weight}};
  model.signature = {Shape{1, 4}};
  return model;
}

absl::StatusOr<std::string> BytesOf(const Tensor& tensor) {
  std::string bytes(static_cast<size_t>(tensor.spec().num_bytes()), '\0');
  TANDEM_RETURN_IF_ERROR(
      tensor.CopyToHost(absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size())));
  return bytes;
}

namespace {

absl::Status Different(absl::string_view what, size_t index) {
  return absl::FailedPreconditionError(absl::StrCat(what, " ", index, " differs"));
}

absl::Status CompareTensors(absl::string_view what, size_t index, const Tensor& a,
                            const Tensor& b) {
  if (a.spec() != b.spec()) return Different(absl::StrCat("the type of ", what), index);
  TANDEM_ASSIGN_OR_RETURN(const std::string bytes_a, BytesOf(a));
  TANDEM_ASSIGN_OR_RETURN(const std::string bytes_b, BytesOf(b));
  return bytes_a == bytes_b ? absl::OkStatus() : Different(what, index);
}

absl::Status CompareGraphs(const Graph& a, const Graph& b) {
  if (a.name() != b.name()) return Different("the name", 0);
  if (a.random_blocks() != b.random_blocks()) return Different("random_blocks", 0);
  const auto sizes = [](const Graph& g) {
    return std::vector<size_t>{g.values().size(),  g.nodes().size(),   g.inputs().size(),
                               g.outputs().size(), g.updates().size(), g.constants().size()};
  };
  if (sizes(a) != sizes(b)) return Different("the number of something", 0);
  for (size_t i = 0; i < a.values().size(); ++i) {
    const ValueInfo& x = a.values()[i];
    const ValueInfo& y = b.values()[i];
    if (x.spec != y.spec || x.node != y.node || x.output != y.output) return Different("value", i);
  }
  for (size_t i = 0; i < a.inputs().size(); ++i) {
    const GraphInput& x = a.inputs()[i];
    const GraphInput& y = b.inputs()[i];
    if (x.name != y.name || x.kind != y.kind || x.value != y.value) return Different("input", i);
  }
  for (size_t i = 0; i < a.nodes().size(); ++i) {
    const Node& x = a.nodes()[i];
    const Node& y = b.nodes()[i];
    if (x.op != y.op || x.attrs != y.attrs || x.inputs != y.inputs || x.outputs != y.outputs ||
        x.block != y.block || x.location != y.location) {
      return Different("node", i);
    }
  }
  for (size_t i = 0; i < a.outputs().size(); ++i) {
    const GraphOutput& x = a.outputs()[i];
    const GraphOutput& y = b.outputs()[i];
    if (x.name != y.name || x.value != y.value) return Different("output", i);
  }
  for (size_t i = 0; i < a.updates().size(); ++i) {
    const StateUpdate& x = a.updates()[i];
    const StateUpdate& y = b.updates()[i];
    if (x.input != y.input || x.value != y.value) return Different("update", i);
  }
  for (size_t i = 0; i < a.constants().size(); ++i) {
    if (a.constants()[i].value != b.constants()[i].value) return Different("constant", i);
    TANDEM_RETURN_IF_ERROR(
        CompareTensors("constant", i, a.constants()[i].tensor, b.constants()[i].tensor));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CompareModels(const Model& a, const Model& b) {
  TANDEM_RETURN_IF_ERROR(CompareGraphs(a.graph, b.graph));
  if (a.parameters.size() != b.parameters.size()) return Different("the number of parameters", 0);
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    if (a.parameters[i].name != b.parameters[i].name) return Different("the name of parameter", i);
    TANDEM_RETURN_IF_ERROR(
        CompareTensors("parameter", i, a.parameters[i].tensor, b.parameters[i].tensor));
  }
  if (a.signature != b.signature) return Different("the signature", 0);
  if (a.blocks.size() != b.blocks.size()) return Different("the number of blocks", 0);
  for (size_t i = 0; i < a.blocks.size(); ++i) {
    const BlockInfo& x = a.blocks[i];
    const BlockInfo& y = b.blocks[i];
    if (x.name != y.name || x.type != y.type || x.parent != y.parent || x.config != y.config ||
        x.parameters != y.parameters) {
      return Different("block", i);
    }
  }
  return absl::OkStatus();
}

}  // namespace tandem
