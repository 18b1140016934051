#include "tandem/serialization/native/graph_proto.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"
#include "tandem/serialization/native/utf8.h"

namespace tandem {
namespace {

// Names of the standard ops and blocks are short; a long one is damage, and is not looked for.
constexpr size_t kMaxOpName = 256;

std::string Shown(absl::string_view text) { return absl::Utf8SafeCEscape(text.substr(0, 80)); }

absl::Status BodyToProto(const OpBody& body, proto::Body* message);

absl::Status AttributeToProto(const std::string& name, const AttributeValue& value,
                              proto::Attribute* message) {
  message->set_name(name);
  switch (value.type()) {
    case AttributeType::kBool:
      message->set_b(*value.get<bool>());
      break;
    case AttributeType::kInt:
      message->set_i(*value.get<int64_t>());
      break;
    case AttributeType::kDouble:
      message->set_d(*value.get<double>());
      break;
    case AttributeType::kString:
      TANDEM_RETURN_IF_ERROR(
          CheckUtf8(absl::StrCat("attribute ", name), *value.get<std::string>()));
      message->set_s(*value.get<std::string>());
      break;
    case AttributeType::kDType: {
      const absl::string_view dtype = DTypeName(*value.get<DType>());
      message->set_dtype(dtype.data(), dtype.size());
      break;
    }
    case AttributeType::kInts: {
      const auto& ints = *value.get<AttributeValue::Ints>();
      message->mutable_ints()->mutable_values()->Add(ints.begin(), ints.end());
      break;
    }
    case AttributeType::kDoubles: {
      const auto& doubles = *value.get<AttributeValue::Doubles>();
      message->mutable_doubles()->mutable_values()->Add(doubles.begin(), doubles.end());
      break;
    }
    case AttributeType::kBody:
      // There is no other kind of body.
      return BodyToProto(static_cast<const OpBody&>(*value.body()), message->mutable_body());
  }
  return absl::OkStatus();
}

// Those that differ from the op's defaults.
absl::Status AttributesToProto(const AttributeMap& attrs, proto::Node* message) {
  const std::vector<AttributeDef>& defs = attrs.schema().defs();
  for (int i = 0; i < attrs.size(); ++i) {
    if (!defs[i].required && attrs.value(i) == defs[i].default_value) continue;
    TANDEM_RETURN_IF_ERROR(
        AttributeToProto(defs[i].name, attrs.value(i), message->add_attributes()));
  }
  return absl::OkStatus();
}

absl::Status BodyToProto(const OpBody& body, proto::Body* message) {
  for (const TensorSpec& input : body.input_specs()) message->add_inputs(input.ToString());
  for (const OpBody::Step& step : body.steps()) {
    proto::Node* out = message->add_steps();
    out->set_op(step.op->name);
    out->mutable_inputs()->Add(step.inputs.begin(), step.inputs.end());
    for (int32_t i = 0; i < step.num_outputs; ++i) {
      out->add_outputs(step.first_output + i);
      out->add_types(body.spec(step.first_output + i).ToString());
    }
    TANDEM_RETURN_IF_ERROR(AttributesToProto(step.attrs, out));
  }
  message->mutable_outputs()->Add(body.outputs().begin(), body.outputs().end());
  return absl::OkStatus();
}

absl::StatusOr<Ref<const OpBody>> BodyFromProto(const proto::Body& message,
                                                const OpRegistry& registry);

absl::StatusOr<AttributeValue> AttributeFromProto(const proto::Attribute& message,
                                                  const OpRegistry& registry) {
  switch (message.value_case()) {
    case proto::Attribute::kB:
      return AttributeValue(message.b());
    case proto::Attribute::kI:
      return AttributeValue(int64_t{message.i()});
    case proto::Attribute::kD:
      return AttributeValue(message.d());
    case proto::Attribute::kS:
      return AttributeValue(message.s());
    case proto::Attribute::kDtype: {
      TANDEM_ASSIGN_OR_RETURN(const DType dtype, ParseDType(message.dtype()));
      return AttributeValue(dtype);
    }
    case proto::Attribute::kInts:
      return AttributeValue(
          AttributeValue::Ints(message.ints().values().begin(), message.ints().values().end()));
    case proto::Attribute::kDoubles:
      return AttributeValue(AttributeValue::Doubles(message.doubles().values().begin(),
                                                    message.doubles().values().end()));
    case proto::Attribute::kBody: {
      absl::StatusOr<Ref<const OpBody>> body = BodyFromProto(message.body(), registry);
      if (!body.ok()) return Annotate(body.status(), Shown(message.name()));
      return AttributeValue(*std::move(body));
    }
    case proto::Attribute::VALUE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("attribute ", Shown(message.name()), " has no value"));
}

absl::Status NodeToProto(const Graph& graph, const Node& node, proto::Node* message) {
  message->set_op(node.op->name);
  message->mutable_inputs()->Add(node.inputs.begin(), node.inputs.end());
  message->mutable_outputs()->Add(node.outputs.begin(), node.outputs.end());
  for (const ValueId output : node.outputs) message->add_types(graph.spec(output).ToString());
  TANDEM_RETURN_IF_ERROR(AttributesToProto(node.attrs, message));
  TANDEM_RETURN_IF_ERROR(CheckUtf8("block", node.block));
  TANDEM_RETURN_IF_ERROR(CheckUtf8("location", node.location));
  message->set_block(node.block);
  message->set_location(node.location);
  return absl::OkStatus();
}

absl::StatusOr<TensorSpec> ParseConcreteSpec(absl::string_view text) {
  TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, ParseTensorSpec(text));
  if (spec.shape.has_dynamic()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the type ", Shown(text), " of a traced value has a '?'; only the signature can"));
  }
  return spec;
}

// --- what nodes of graphs and steps of bodies share ---

absl::StatusOr<const OpDef*> OpOf(const proto::Node& node, const OpRegistry& registry) {
  if (node.op().size() > kMaxOpName) return absl::InvalidArgumentError("the op's name is too long");
  const absl::StatusOr<const OpDef*> op = registry.Get(node.op());
  if (!op.ok()) {
    return absl::UnimplementedError(
        absl::StrCat(op.status().message(),
                     "; the model may come from a newer version, or need a library of ops"));
  }
  return op;
}

absl::StatusOr<AttributeMap> AttributesOf(const proto::Node& node, const OpDef& op,
                                          const OpRegistry& registry) {
  absl::InlinedVector<AttributeInit, 4> values;
  for (const proto::Attribute& attribute : node.attributes()) {
    TANDEM_ASSIGN_OR_RETURN(AttributeValue value, AttributeFromProto(attribute, registry));
    values.emplace_back(absl::string_view(attribute.name()), std::move(value));
  }
  return AttributeMap::Create(op.attributes, values);
}

// To be asked before inference, which makes as many as the attributes ask for.
absl::Status CheckNumOutputs(const proto::Node& node, const OpDef& op, const AttributeMap& attrs) {
  const int64_t num_outputs =
      op.num_outputs ? op.num_outputs(attrs) : static_cast<int64_t>(op.outputs.size());
  if (num_outputs == node.outputs_size() && num_outputs == node.types_size()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("the op has ", num_outputs, " outputs, the node ",
                                                 node.outputs_size(), " and ", node.types_size(),
                                                 " types"));
}

// Output `i` has the number and the type that the file says.
absl::Status CheckOutput(const proto::Node& node, int i, int32_t value, const TensorSpec& spec) {
  if (node.outputs(i) != value) {
    return absl::InvalidArgumentError(
        absl::StrCat("output ", i, " has number ", node.outputs(i), ", it should be ", value));
  }
  const std::string inferred = spec.ToString();
  if (node.types(i) == inferred) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("output ", i, " is ", Shown(node.types(i)),
                                                 " in the file, but ", inferred,
                                                 " by inference from the inputs"));
}

absl::Status StepFromProto(const proto::Node& step, const OpRegistry& registry,
                           OpBody::Builder* builder) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const op, OpOf(step, registry));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, AttributesOf(step, *op, registry));
  TANDEM_RETURN_IF_ERROR(CheckNumOutputs(step, *op, attrs));
  TANDEM_ASSIGN_OR_RETURN(
      const int32_t first,
      builder->Add(*op, attrs, absl::MakeConstSpan(step.inputs().data(), step.inputs().size())));
  for (int i = 0; i < step.outputs_size(); ++i) {
    TANDEM_RETURN_IF_ERROR(CheckOutput(step, i, first + i, builder->spec(first + i)));
  }
  return absl::OkStatus();
}

// Recursive; whoever scanned the file has bounded the depth.
absl::StatusOr<Ref<const OpBody>> BodyFromProto(const proto::Body& message,
                                                const OpRegistry& registry) {
  std::vector<TensorSpec> inputs;
  for (const std::string& type : message.inputs()) {
    TANDEM_ASSIGN_OR_RETURN(TensorSpec spec, ParseConcreteSpec(type));
    TANDEM_RETURN_IF_ERROR(spec.shape.Validate());
    inputs.push_back(std::move(spec));
  }
  OpBody::Builder builder(std::move(inputs));
  for (int i = 0; i < message.steps_size(); ++i) {
    TANDEM_RETURN_IF_ERROR(
        Annotate(StepFromProto(message.steps(i), registry, &builder),
                 absl::StrCat("step ", i, " (", Shown(message.steps(i).op()), ")")));
  }
  return builder.Finish({message.outputs().begin(), message.outputs().end()});
}

class GraphBuilder {
 public:
  GraphBuilder(const proto::Graph& message, const OpRegistry& registry, Device& device,
               const ConstantLoader& load_constant)
      : message_(message),
        registry_(registry),
        device_(device),
        load_constant_(load_constant),
        graph_(message.name()) {}

  absl::StatusOr<Graph> Build() {
    // In the order of the values' numbers: each must be the next of one of the three lists.
    int input = 0;
    int constant = 0;
    int node = 0;
    while (true) {
      const auto next = static_cast<ValueId>(graph_.values().size());
      if (input < message_.inputs_size() && message_.inputs(input).value() == next) {
        TANDEM_RETURN_IF_ERROR(Input(message_.inputs(input++)));
      } else if (constant < message_.constants_size() &&
                 message_.constants(constant).value() == next) {
        TANDEM_RETURN_IF_ERROR(
            Annotate(Constant(message_.constants(constant)), absl::StrCat("constant ", constant)));
        ++constant;
      } else if (node < message_.nodes_size() && message_.nodes(node).outputs_size() > 0 &&
                 message_.nodes(node).outputs(0) == next) {
        TANDEM_RETURN_IF_ERROR(Annotate(AddNode(message_.nodes(node)), NodeLabel(node)));
        ++node;
      } else if (input == message_.inputs_size() && constant == message_.constants_size() &&
                 node == message_.nodes_size()) {
        break;
      } else {
        return OutOfOrder(next, input, constant, node);
      }
    }
    TANDEM_RETURN_IF_ERROR(Finish());
    return std::move(graph_);
  }

 private:
  std::string NodeLabel(int index) const {
    const proto::Node& node = message_.nodes(index);
    std::string label = absl::StrCat("node ", index, " (", Shown(node.op()));
    if (!node.block().empty()) absl::StrAppend(&label, " in ", Shown(node.block()));
    if (!node.location().empty()) absl::StrAppend(&label, " at ", Shown(node.location()));
    return label + ")";
  }

  absl::Status OutOfOrder(ValueId next, int input, int constant, int node) const {
    std::string text =
        absl::StrCat("no input, constant or node defines value ", next, " in its turn");
    if (input < message_.inputs_size()) {
      absl::StrAppend(&text, "; the next input, '", Shown(message_.inputs(input).name()),
                      "', has number ", message_.inputs(input).value());
    }
    if (constant < message_.constants_size()) {
      absl::StrAppend(&text, "; constant ", constant, " has number ",
                      message_.constants(constant).value());
    }
    if (node < message_.nodes_size()) {
      absl::StrAppend(&text, "; ", NodeLabel(node));
      if (message_.nodes(node).outputs_size() == 0) {
        text += " has no outputs";
      } else {
        absl::StrAppend(&text, " starts at number ", message_.nodes(node).outputs(0));
      }
    }
    return absl::InvalidArgumentError(text);
  }

  absl::Status Input(const proto::Input& input) {
    const std::string label = absl::StrCat("input '", Shown(input.name()), "'");
    const absl::StatusOr<InputKind> kind = ParseInputKind(input.kind());
    if (!kind.ok()) return Annotate(kind.status(), label);
    const absl::StatusOr<TensorSpec> spec = ParseConcreteSpec(input.type());
    if (!spec.ok()) return Annotate(spec.status(), label);
    return graph_.AddInput(input.name(), *spec, *kind).status();
  }

  absl::Status Constant(const proto::Constant& constant) {
    TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, ParseConcreteSpec(constant.type()));
    Tensor tensor;
    if (constant.elements_case() == proto::Constant::kTensor) {
      TANDEM_ASSIGN_OR_RETURN(tensor, load_constant_(constant.tensor(), spec));
    } else {
      const std::string& data = constant.data();
      if (static_cast<int64_t>(data.size()) != spec.num_bytes()) {
        return absl::InvalidArgumentError(absl::StrCat(spec.ToString(), " needs ", spec.num_bytes(),
                                                       " bytes, the data has ", data.size()));
      }
      if (spec.dtype == DType::kBool &&
          std::any_of(data.begin(), data.end(), [](unsigned char c) { return c > 1; })) {
        return absl::InvalidArgumentError("an element of a bool constant is neither 0 nor 1");
      }
      const auto* bytes = reinterpret_cast<const std::byte*>(data.data());
      TANDEM_ASSIGN_OR_RETURN(
          tensor, Tensor::FromBytes(absl::MakeConstSpan(bytes, data.size()), spec, device_));
    }
    return graph_.AddConstant(tensor).status();
  }

  absl::Status AddNode(const proto::Node& node) {
    TANDEM_ASSIGN_OR_RETURN(const OpDef* const op, OpOf(node, registry_));
    const auto first = static_cast<ValueId>(graph_.values().size());
    for (const ValueId input : node.inputs()) {
      if (input >= first) {
        return absl::InvalidArgumentError(
            absl::StrCat("its input ", input, " is not defined before its output ", first,
                         "; nodes must stand in an order in which they can run, without cycles"));
      }
      if (input < 0) return absl::InvalidArgumentError(absl::StrCat("there is no value ", input));
    }
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, AttributesOf(node, *op, registry_));
    TANDEM_RETURN_IF_ERROR(CheckNumOutputs(node, *op, attrs));
    TANDEM_ASSIGN_OR_RETURN(
        const ValueIds outputs,
        graph_.AddNode(*op, attrs, absl::MakeConstSpan(node.inputs().data(), node.inputs().size()),
                       node.block(), node.location()));
    for (int i = 0; i < node.outputs_size(); ++i) {
      TANDEM_RETURN_IF_ERROR(CheckOutput(node, i, outputs[i], graph_.spec(outputs[i])));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() {
    for (const proto::Output& output : message_.outputs()) {
      if (!output.has_value()) return NoValue("output", output.name());
      TANDEM_RETURN_IF_ERROR(graph_.AddOutput(output.name(), output.value()));
    }
    for (const proto::Update& update : message_.updates()) {
      if (!update.has_value()) return NoValue("update", update.input());
      const int32_t input = graph_.FindInput(update.input());
      if (input < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("update of '", Shown(update.input()), "': the graph has no such input"));
      }
      TANDEM_RETURN_IF_ERROR(graph_.AddUpdate(input, update.value()));
    }
    if (message_.random_blocks() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("a run cannot draw ", message_.random_blocks(), " random blocks"));
    }
    graph_.set_random_blocks(message_.random_blocks());
    return absl::OkStatus();
  }

  static absl::Status NoValue(absl::string_view what, absl::string_view name) {
    return absl::InvalidArgumentError(absl::StrCat(what, " '", Shown(name), "' names no value"));
  }

  const proto::Graph& message_;
  const OpRegistry& registry_;
  Device& device_;
  const ConstantLoader& load_constant_;
  Graph graph_;
};

}  // namespace

absl::Status CheckUtf8(absl::string_view what, absl::string_view text) {
  if (IsValidUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " '", Shown(text), "' is not UTF-8"));
}

absl::Status GraphToProto(const Graph& graph, proto::Graph* message,
                          std::vector<NamedTensor>* large_constants) {
  TANDEM_RETURN_IF_ERROR(CheckUtf8("the graph's name", graph.name()));
  message->set_name(graph.name());
  for (const GraphInput& input : graph.inputs()) {
    TANDEM_RETURN_IF_ERROR(CheckUtf8("input", input.name));
    proto::Input* out = message->add_inputs();
    const absl::string_view kind = InputKindName(input.kind);
    out->set_name(input.name);
    out->set_kind(kind.data(), kind.size());
    out->set_value(input.value);
    out->set_type(graph.spec(input.value).ToString());
  }
  for (size_t i = 0; i < graph.constants().size(); ++i) {
    const GraphConstant& constant = graph.constants()[i];
    const TensorSpec& spec = graph.spec(constant.value);
    proto::Constant* out = message->add_constants();
    out->set_value(constant.value);
    out->set_type(spec.ToString());
    if (spec.num_bytes() > kMaxInlineConstantBytes) {
      std::string name = absl::StrCat("constant", i);
      while (graph.FindInput(name) >= 0) name += '_';
      out->set_tensor(name);
      large_constants->push_back({std::move(name), constant.tensor});
      continue;
    }
    std::string data(static_cast<size_t>(spec.num_bytes()), '\0');
    TANDEM_RETURN_IF_ERROR(constant.tensor.CopyToHost(
        absl::MakeSpan(reinterpret_cast<std::byte*>(data.data()), data.size())));
    out->set_data(std::move(data));
  }
  for (const Node& node : graph.nodes()) {
    TANDEM_RETURN_IF_ERROR(Annotate(NodeToProto(graph, node, message->add_nodes()),
                                    absl::StrCat("node ", graph.ValueName(node.outputs[0]))));
  }
  for (const GraphOutput& output : graph.outputs()) {
    TANDEM_RETURN_IF_ERROR(CheckUtf8("output", output.name));
    proto::Output* out = message->add_outputs();
    out->set_name(output.name);
    out->set_value(output.value);
  }
  for (const StateUpdate& update : graph.updates()) {
    proto::Update* out = message->add_updates();
    out->set_input(graph.inputs()[update.input].name);
    out->set_value(update.value);
  }
  message->set_random_blocks(graph.random_blocks());
  return absl::OkStatus();
}

bool HasBodies(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    bool any = false;
    for (int i = 0; i < node.attrs.size(); ++i) any |= node.attrs.value(i).body() != nullptr;
    return any;
  });
}

absl::StatusOr<Graph> GraphFromProto(const proto::Graph& message, const OpRegistry& registry,
                                     Device& device, const ConstantLoader& load_constant) {
  return GraphBuilder(message, registry, device, load_constant).Build();
}

}  // namespace tandem
