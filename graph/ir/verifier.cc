#include "tandem/graph/ir/verifier.h"

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), has_origin_(graph.values().size()) {}

  absl::Status Verify() {
    if (graph_.random_blocks() < 0) return Fail("random_blocks is negative");
    TANDEM_RETURN_IF_ERROR(Inputs());
    TANDEM_RETURN_IF_ERROR(Constants());
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (node.op == nullptr) return Fail("node ", i, " has no op");
      TANDEM_RETURN_IF_ERROR(Annotate(VerifyNode(static_cast<int32_t>(i), node),
                                      absl::StrCat("node ", i, " (", node.op->name, ")")));
    }
    for (size_t value = 0; value < has_origin_.size(); ++value) {
      if (!has_origin_[value]) {
        return Fail("value ", value, " is no input, no constant and no output of a node");
      }
    }
    TANDEM_RETURN_IF_ERROR(Outputs());
    return Updates();
  }

 private:
  template <typename... Pieces>
  absl::Status Fail(const Pieces&... pieces) const {
    return absl::InternalError(absl::StrCat("graph '", graph_.name(), "': ", pieces...));
  }

  // The value has this origin and no other one.
  absl::Status Originate(ValueId value, int32_t node, int32_t output) {
    if (!graph_.HasValue(value)) return Fail("there is no value ", value);
    if (has_origin_[value]) return Fail("value ", value, " has two origins");
    has_origin_[value] = true;
    const ValueInfo& info = graph_.values()[value];
    if (info.node != node || (node >= 0 && info.output != output)) {
      return Fail("value ", value, " says it is output ", info.output, " of node ", info.node,
                  ", but it is output ", output, " of node ", node);
    }
    return absl::OkStatus();
  }

  absl::Status Inputs() {
    absl::flat_hash_set<absl::string_view> names;
    for (const GraphInput& input : graph_.inputs()) {
      TANDEM_RETURN_IF_ERROR(Originate(input.value, -1, 0));
      if (input.name.empty()) return Fail("an input has no name");
      if (!names.insert(input.name).second) return Fail("two inputs are named '", input.name, "'");
      const TensorSpec& spec = graph_.spec(input.value);
      TANDEM_RETURN_IF_ERROR(Annotate(spec.shape.Validate(), input.name));
      if (input.kind == InputKind::kRandomState && spec != TensorSpec{DType::kI64, {2}}) {
        return Fail("random state '", input.name, "' is ", spec.ToString(), ", not i64[2]");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Constants() {
    for (const GraphConstant& constant : graph_.constants()) {
      TANDEM_RETURN_IF_ERROR(Originate(constant.value, -1, 0));
      if (!constant.tensor.defined() || constant.tensor.is_symbolic()) {
        return Fail("constant ", graph_.ValueName(constant.value), " has no values");
      }
      if (constant.tensor.spec() != graph_.spec(constant.value)) {
        return Fail("constant ", graph_.ValueName(constant.value), " is ",
                    graph_.spec(constant.value).ToString(), ", its tensor ",
                    constant.tensor.spec().ToString());
      }
    }
    return absl::OkStatus();
  }

  absl::Status VerifyNode(int32_t index, const Node& node) {
    absl::InlinedVector<const TensorSpec*, 8> input_specs;
    for (const ValueId input : node.inputs) {
      if (!graph_.HasValue(input)) return Fail("it uses value ", input, ", which is not there");
      // Values of earlier nodes, inputs and constants have their origin by now.
      if (!has_origin_[input]) {
        return Fail("it uses ", graph_.ValueName(input), ", which is made later");
      }
      input_specs.push_back(&graph_.spec(input));
    }
    TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(*node.op, node.attrs, input_specs));
    if (specs.size() != node.outputs.size()) {
      return Fail("it has ", node.outputs.size(), " outputs, inference gives ", specs.size());
    }
    for (size_t i = 0; i < specs.size(); ++i) {
      TANDEM_RETURN_IF_ERROR(Originate(node.outputs[i], index, static_cast<int32_t>(i)));
      if (graph_.spec(node.outputs[i]) != specs[i]) {
        return Fail(graph_.ValueName(node.outputs[i]), " is ",
                    graph_.spec(node.outputs[i]).ToString(), ", inference gives ",
                    specs[i].ToString());
      }
    }
    return absl::OkStatus();
  }

  absl::Status Outputs() {
    absl::flat_hash_set<absl::string_view> names;
    for (const GraphOutput& output : graph_.outputs()) {
      if (!graph_.HasValue(output.value)) {
        return Fail("output '", output.name, "': there is no value ", output.value);
      }
      if (!names.insert(output.name).second) {
        return Fail("two outputs are named '", output.name, "'");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Updates() {
    absl::flat_hash_set<int32_t> updated;
    for (const StateUpdate& update : graph_.updates()) {
      if (update.input < 0 || update.input >= static_cast<int32_t>(graph_.inputs().size())) {
        return Fail("an update is of input ", update.input, ", which is not there");
      }
      const GraphInput& input = graph_.inputs()[update.input];
      if (input.kind != InputKind::kState && input.kind != InputKind::kParameter) {
        return Fail("an update is of ", InputKindName(input.kind), " '", input.name, "'");
      }
      if (!updated.insert(update.input).second) return Fail("'", input.name, "' is updated twice");
      if (!graph_.HasValue(update.value)) {
        return Fail("the update of '", input.name, "' is value ", update.value,
                    ", which is not there");
      }
      if (graph_.spec(update.value) != graph_.spec(input.value)) {
        return Fail("the update of '", input.name, "' is ", graph_.spec(update.value).ToString(),
                    ", the input is ", graph_.spec(input.value).ToString());
      }
    }
    return absl::OkStatus();
  }

  const Graph& graph_;
  std::vector<bool> has_origin_;
};

}  // namespace

absl::Status VerifyGraph(const Graph& graph) { return Verifier(graph).Verify(); }

}  // namespace tandem
