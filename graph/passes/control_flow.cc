#include "tandem/graph/passes/control_flow.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/graph/ir/body_graph.h"
#include "tandem/graph/passes/control_flow_liveness.h"

namespace tandem {
namespace {

using Kind = BodyInput::Kind;

// Where an input of a body comes from: one of the old inputs of the body, or a further captured one.
struct Source {
  bool is_new = false;
  int index = 0;
};

struct Body {
  Graph graph;
  std::vector<Source> sources;  // one for each input of the graph
};

class Simplifier {
 public:
  Simplifier(const Graph& graph, PassContext& context, const PassPipeline& before,
             const PassPipeline& after)
      : source_(graph),
        context_(context),
        before_(before),
        after_(after),
        uses_(graph.UseCounts()),
        result_(graph.name()),
        map_(graph.values().size(), -1) {}

  absl::StatusOr<Graph> Run() {
    result_.set_random_blocks(source_.random_blocks());
    for (const GraphInput& input : source_.inputs()) {
      TANDEM_ASSIGN_OR_RETURN(map_[input.value],
                              result_.AddInput(input.name, source_.spec(input.value), input.kind));
    }
    for (const Node& node : source_.nodes()) {
      TANDEM_RETURN_IF_ERROR(node.op->control ? Control(node) : Copy(node));
    }
    for (const GraphOutput& output : source_.outputs()) {
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(output.value));
      TANDEM_RETURN_IF_ERROR(result_.AddOutput(output.name, value));
    }
    for (const StateUpdate& update : source_.updates()) {
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(update.value));
      TANDEM_RETURN_IF_ERROR(result_.AddUpdate(update.input, value));
    }
    return std::move(result_);
  }

 private:
  // The new graph's value. Constants are copied when they are first used.
  absl::StatusOr<ValueId> Map(ValueId old_value) {
    ValueId& value = map_[old_value];
    if (value >= 0) return value;
    const int32_t constant = source_.ConstantIndex(old_value);
    if (constant < 0) {
      return absl::InternalError(
          absl::StrCat(source_.ValueName(old_value), " is used but was left out"));
    }
    TANDEM_ASSIGN_OR_RETURN(value, result_.AddConstant(source_.constants()[constant].tensor));
    return value;
  }

  absl::StatusOr<ValueIds> Map(absl::Span<const ValueId> old_values) {
    ValueIds values;
    for (const ValueId old_value : old_values) {
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(old_value));
      values.push_back(value);
    }
    return values;
  }

  absl::Status Copy(const Node& node) {
    TANDEM_ASSIGN_OR_RETURN(const ValueIds inputs, Map(node.inputs));
    TANDEM_ASSIGN_OR_RETURN(const ValueIds outputs, result_.AddNode(*node.op, node.attrs, inputs,
                                                                    node.block, node.location));
    for (size_t i = 0; i < outputs.size(); ++i) map_[node.outputs[i]] = outputs[i];
    return absl::OkStatus();
  }

  void Note(const Node& node, absl::string_view what) {
    context_.Note(absl::StrCat(DescribeNode(source_, node), ": ", what));
  }

  // Runs passes over a body, and reports what they did.
  absl::StatusOr<Graph> RunPasses(const Node& node, const PassPipeline& pipeline,
                                  const Graph& graph) {
    PassContext inner = Inner();
    TANDEM_ASSIGN_OR_RETURN(Graph optimized, pipeline.Run(graph, inner));
    for (const PassRecord& record : inner.records()) {
      for (const std::string& change : record.changes) {
        Note(node, absl::StrCat(graph.name(), ": ", record.pass, ": ", change));
      }
    }
    return optimized;
  }

  PassContext Inner() const {
    PassContext inner;
    inner.evaluator = context_.evaluator;
    inner.fuses = context_.fuses;
    inner.ops = context_.ops;
    inner.verify = context_.verify;
    return inner;
  }

  // A body as a graph that the first passes, and this one, have gone over. Depth is bounded by
  // OpBody::kMaxDepth.
  absl::StatusOr<Graph> Opened(const Node& node, int index) {
    std::vector<const TensorSpec*> specs;
    for (const ValueId input : node.inputs) specs.push_back(&source_.spec(input));
    TANDEM_ASSIGN_OR_RETURN(const std::vector<TensorSpec> inputs,
                            BodyInputSpecs(*node.op, node.attrs, specs, index));
    TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body,
                            BodiesOf(node.attrs)[index]->WithInputs(inputs));
    std::string name;
    int seen = 0;
    for (const AttributeDef& def : node.attrs.schema().defs()) {
      if (def.type == AttributeType::kBody && seen++ == index) name = def.name;
    }
    TANDEM_ASSIGN_OR_RETURN(const Graph graph, GraphOfBody(*body, std::move(name)));
    TANDEM_ASSIGN_OR_RETURN(const Graph prepared, RunPasses(node, before_, graph));
    if (body->depth() == 1) return prepared;
    return Simplifier(prepared, context_, before_, after_).Run();
  }

  // --- cond with a known predicate ---

  // Whether a value is known not to be 0.
  absl::StatusOr<std::optional<bool>> Known(ValueId value) const {
    if (const int32_t constant = source_.ConstantIndex(value); constant >= 0) {
      TANDEM_ASSIGN_OR_RETURN(const bool holds,
                              ReadPredicate(source_.constants()[constant].tensor));
      return std::optional<bool>(holds);
    }
    const int32_t producer = source_.values()[value].node;
    if (producer < 0 || source_.nodes()[producer].op->name != "full") return std::optional<bool>();
    const double filled = source_.nodes()[producer].attrs.Double("value");
    // What lies between may be rounded to 0 by the dtype.
    if (filled == 0) return std::optional<bool>(false);
    if (std::abs(filled) >= 1 && std::abs(filled) < 128) return std::optional<bool>(true);
    return std::optional<bool>();
  }

  absl::Status Inline(const Node& node, int index) {
    TANDEM_ASSIGN_OR_RETURN(const Graph body, Opened(node, index));
    Note(node, absl::StrCat("the predicate is a constant, ", body.name(), " stands for it"));
    std::vector<ValueId> map(body.values().size(), -1);
    for (size_t i = 0; i < body.inputs().size(); ++i) {
      TANDEM_ASSIGN_OR_RETURN(map[body.inputs()[i].value], Map(node.inputs[i + 1]));
    }
    for (const GraphConstant& constant : body.constants()) {
      TANDEM_ASSIGN_OR_RETURN(map[constant.value], result_.AddConstant(constant.tensor));
    }
    for (const Node& step : body.nodes()) {
      ValueIds inputs;
      for (const ValueId input : step.inputs) inputs.push_back(map[input]);
      TANDEM_ASSIGN_OR_RETURN(const ValueIds outputs, result_.AddNode(*step.op, step.attrs, inputs,
                                                                      node.block, node.location));
      for (size_t i = 0; i < outputs.size(); ++i) map[step.outputs[i]] = outputs[i];
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId value = body.outputs()[i].value;
      const int32_t producer = body.values()[value].node;
      ValueId& result = map_[node.outputs[i]];
      result = map[value];
      if (producer >= 0 && !body.nodes()[producer].op->view) continue;
      // The results of a cond are contiguous, and kernels may notice that.
      TANDEM_ASSIGN_OR_RETURN(const OpDef* const identity, context_.ops->Get("identity"));
      TANDEM_ASSIGN_OR_RETURN(
          const ValueIds copy,
          result_.AddNode(*identity, AttributeMap(), {result}, node.block, node.location));
      result = copy[0];
    }
    return absl::OkStatus();
  }

  // --- what stays of a use ---

  // The body with only the outputs that stay and what they need. What depends on captured values
  // alone goes into the new graph, if `hoist`.
  absl::StatusOr<Body> Reduced(const Node& node, const Body& body,
                               absl::Span<const BodyInput> roles, const std::vector<bool>& keep,
                               bool hoist) {
    const Graph& graph = body.graph;
    std::vector<bool> needed(graph.values().size(), false);
    for (size_t i = 0; i < keep.size(); ++i) {
      if (keep[i]) needed[graph.outputs()[i].value] = true;
    }
    std::vector<bool> live(graph.nodes().size(), false);
    for (size_t i = graph.nodes().size(); i-- > 0;) {
      for (const ValueId output : graph.nodes()[i].outputs) live[i] = live[i] || needed[output];
      if (!live[i]) continue;
      for (const ValueId input : graph.nodes()[i].inputs) needed[input] = true;
    }

    Body reduced{Graph(graph.name()), {}};
    // Values of the reduced graph, and values of the new outer graph that are equal to them.
    std::vector<ValueId> inside(graph.values().size(), -1);
    std::vector<ValueId> outside(graph.values().size(), -1);
    for (size_t i = 0; i < graph.inputs().size(); ++i) {
      const GraphInput& input = graph.inputs()[i];
      TANDEM_ASSIGN_OR_RETURN(
          inside[input.value],
          reduced.graph.AddInput(input.name, graph.spec(input.value), InputKind::kArgument));
      reduced.sources.push_back(body.sources[i]);
      if (roles[i].kind != Kind::kCaptured) continue;
      TANDEM_ASSIGN_OR_RETURN(outside[input.value], Map(node.inputs[roles[i].input]));
    }
    for (const GraphConstant& constant : graph.constants()) {
      TANDEM_ASSIGN_OR_RETURN(inside[constant.value], reduced.graph.AddConstant(constant.tensor));
    }
    // Inside, a value that was hoisted is a further input.
    const auto use = [&](ValueId value) -> absl::StatusOr<ValueId> {
      if (inside[value] < 0) {
        const int index = static_cast<int>(captured_.size());
        captured_.push_back(outside[value]);
        TANDEM_ASSIGN_OR_RETURN(
            inside[value], reduced.graph.AddInput(absl::StrCat("hoisted", index), graph.spec(value),
                                                  InputKind::kArgument));
        reduced.sources.push_back({true, index});
      }
      return inside[value];
    };
    int hoisted = 0;
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      if (!live[i]) continue;
      const Node& step = graph.nodes()[i];
      bool fixed = hoist;
      for (const ValueId input : step.inputs) {
        fixed = fixed && (outside[input] >= 0 || graph.ConstantIndex(input) >= 0);
      }
      ValueIds inputs;
      for (const ValueId input : step.inputs) {
        if (!fixed) {
          TANDEM_ASSIGN_OR_RETURN(const ValueId value, use(input));
          inputs.push_back(value);
          continue;
        }
        if (outside[input] < 0) {
          TANDEM_ASSIGN_OR_RETURN(
              outside[input],
              result_.AddConstant(graph.constants()[graph.ConstantIndex(input)].tensor));
        }
        inputs.push_back(outside[input]);
      }
      Graph& to = fixed ? result_ : reduced.graph;
      TANDEM_ASSIGN_OR_RETURN(const ValueIds outputs,
                              to.AddNode(*step.op, step.attrs, inputs, node.block, node.location));
      for (size_t k = 0; k < outputs.size(); ++k) {
        (fixed ? outside : inside)[step.outputs[k]] = outputs[k];
      }
      hoisted += fixed ? 1 : 0;
    }
    int outputs = 0;
    for (size_t i = 0; i < keep.size(); ++i) {
      if (!keep[i]) continue;
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, use(graph.outputs()[i].value));
      TANDEM_RETURN_IF_ERROR(reduced.graph.AddOutput(absl::StrCat("out", outputs++), value));
    }
    if (hoisted > 0) {
      Note(node, absl::StrCat(graph.name(), ": ", hoisted,
                              hoisted == 1 ? " node depends" : " nodes depend",
                              " on nothing that changes, moved out"));
    }
    return reduced;
  }

  // --- putting it together ---

  absl::Status Control(const Node& node) {
    if (node.op->name == "cond") {
      TANDEM_ASSIGN_OR_RETURN(const std::optional<bool> known, Known(node.inputs[0]));
      if (known.has_value()) return Inline(node, *known ? 0 : 1);
    }
    const int num_inputs = static_cast<int>(node.inputs.size());
    const std::vector<BodyInput> roles = node.op->control.body_inputs(node.attrs, num_inputs, 0);
    const int num_bodies = static_cast<int>(BodiesOf(node.attrs).size());
    std::vector<Body> bodies;
    for (int i = 0; i < num_bodies; ++i) {
      TANDEM_ASSIGN_OR_RETURN(Graph graph, Opened(node, i));
      Body body{std::move(graph), {}};
      for (size_t k = 0; k < roles.size(); ++k) {
        body.sources.push_back({false, static_cast<int>(k)});
      }
      bodies.push_back(std::move(body));
    }
    std::vector<const Graph*> graphs;
    for (const Body& body : bodies) graphs.push_back(&body.graph);
    const ControlFlowLiveness live = FindLiveness(node, graphs, uses_);
    // Nobody wants it: it goes as dead code.
    if (!live.any) return Copy(node);
    const auto dropped = std::count(live.outputs.begin(), live.outputs.end(), false);
    if (dropped > 0) {
      Note(node, absl::StrCat(dropped, dropped == 1 ? " result is" : " results are",
                              " not used, removed"));
    }
    captured_.clear();
    for (int i = 0; i < num_bodies; ++i) {
      Body& body = bodies[i];
      TANDEM_ASSIGN_OR_RETURN(body, Reduced(node, body, roles, live.BodyOutputs(node, i),
                                            /*hoist=*/node.op->name != "cond"));
      TANDEM_ASSIGN_OR_RETURN(body.graph, RunPasses(node, after_, body.graph));
    }
    return Rebuild(node, roles, bodies, live);
  }

  absl::Status Rebuild(const Node& node, absl::Span<const BodyInput> roles,
                       absl::Span<const Body> bodies, const ControlFlowLiveness& live) {
    // The values of each body by old input and by further one, and the constants in it.
    struct Arguments {
      std::vector<ValueId> old_inputs;
      std::vector<ValueId> new_inputs;
    };
    std::vector<Arguments> arguments;
    std::vector<bool> used_old(roles.size(), false);
    for (const Body& body : bodies) {
      Arguments values{std::vector<ValueId>(roles.size(), -1),
                       std::vector<ValueId>(captured_.size(), -1)};
      const std::vector<int32_t> uses = body.graph.UseCounts();
      for (size_t i = 0; i < body.sources.size(); ++i) {
        const ValueId value = body.graph.inputs()[i].value;
        if (uses[value] == 0) continue;
        const Source& source = body.sources[i];
        (source.is_new ? values.new_inputs : values.old_inputs)[source.index] = value;
        if (!source.is_new) used_old[source.index] = true;
      }
      for (const GraphConstant& constant : body.graph.constants()) {
        if (uses[constant.value] == 0) continue;
        TANDEM_ASSIGN_OR_RETURN(const ValueId outer, result_.AddConstant(constant.tensor));
        captured_.push_back(outer);
        values.new_inputs.resize(captured_.size(), -1);
        values.new_inputs.back() = constant.value;
      }
      arguments.push_back(std::move(values));
    }
    for (Arguments& values : arguments) values.new_inputs.resize(captured_.size(), -1);

    // Which inputs stay.
    int64_t num_state = 0;
    int64_t num_slices = 0;
    std::vector<size_t> kept;
    const size_t prefix = node.inputs.size() - roles.size();
    std::optional<size_t> first_slice;
    for (size_t i = 0; i < roles.size(); ++i) {
      bool stays = used_old[i];
      if (roles[i].kind == Kind::kState) {
        stays = live.state[i];
        num_state += stays ? 1 : 0;
      } else if (roles[i].kind == Kind::kSlice) {
        if (!first_slice) first_slice = i;
        num_slices += stays ? 1 : 0;
      }
      if (stays) kept.push_back(i);
    }
    if (kept.empty() && captured_.empty() && prefix == 0 && first_slice) {
      // An op has at least one input.
      kept.push_back(*first_slice);
      num_slices = 1;
    }
    std::vector<size_t> kept_new;
    for (size_t i = 0; i < captured_.size(); ++i) {
      const bool used = std::any_of(arguments.begin(), arguments.end(),
                                    [&](const Arguments& a) { return a.new_inputs[i] >= 0; });
      if (used) kept_new.push_back(i);
    }

    ValueIds operands;
    for (size_t i = 0; i < prefix; ++i) {
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(node.inputs[i]));
      operands.push_back(value);
    }
    for (const size_t i : kept) {
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(node.inputs[roles[i].input]));
      operands.push_back(value);
    }
    for (const size_t i : kept_new) operands.push_back(captured_[i]);
    std::vector<Ref<const OpBody>> made;
    for (size_t b = 0; b < bodies.size(); ++b) {
      std::vector<BodyArgument> inputs;
      for (const size_t i : kept) {
        TensorSpec spec = source_.spec(node.inputs[roles[i].input]);
        if (roles[i].kind == Kind::kSlice) spec.shape.erase(0);
        inputs.push_back({arguments[b].old_inputs[i], std::move(spec)});
      }
      for (const size_t i : kept_new) {
        inputs.push_back({arguments[b].new_inputs[i], result_.spec(captured_[i])});
      }
      TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> body, BodyOfGraph(bodies[b].graph, inputs));
      made.push_back(std::move(body));
    }
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs,
                            Attributes(node, made, live, num_state, num_slices));
    TANDEM_ASSIGN_OR_RETURN(const ValueIds outputs,
                            result_.AddNode(*node.op, attrs, operands, node.block, node.location));
    size_t next = 0;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (live.outputs[i]) map_[node.outputs[i]] = outputs[next++];
    }
    return absl::OkStatus();
  }

  absl::StatusOr<AttributeMap> Attributes(const Node& node,
                                          absl::Span<const Ref<const OpBody>> bodies,
                                          const ControlFlowLiveness& live, int64_t num_state,
                                          int64_t num_slices) const {
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, WithBodies(*node.op, node.attrs, bodies));
    std::vector<AttributeInit> init;
    for (int i = 0; i < attrs.size(); ++i) {
      const std::string& name = attrs.schema().defs()[i].name;
      AttributeValue value = attrs.value(i);
      if (name == "num_carry" || name == "num_state") {
        value = num_state;
      } else if (name == "num_scanned") {
        value = num_slices;
      } else if (name == "length" && num_slices < node.attrs.Int("num_scanned")) {
        // What told it may be gone.
        const int64_t first = (node.attrs.Bool("counted") ? 1 : 0) + node.attrs.Int("num_carry");
        value = source_.spec(node.inputs[first]).shape[0];
      } else if (name == "keep_states") {
        value = live.keeps_states;
      }
      init.emplace_back(name, value);
    }
    return AttributeMap::Create(node.op->attributes, init);
  }

  const Graph& source_;
  PassContext& context_;
  const PassPipeline& before_;
  const PassPipeline& after_;
  const std::vector<int32_t> uses_;
  Graph result_;
  std::vector<ValueId> map_;  // by old value; -1: not there yet
  // Of the use that is rebuilt: values of the new graph that its bodies take besides the old ones.
  std::vector<ValueId> captured_;
};

}  // namespace

absl::StatusOr<Graph> SimplifyControlFlow::Run(const Graph& graph, PassContext& context) const {
  const bool any = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                               [](const Node& node) { return bool{node.op->control}; });
  if (!any) return graph;
  return Simplifier(graph, context, before_, after_).Run();
}

}  // namespace tandem
