#include "tandem/core/ops/control_flow.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

using Kind = BodyInput::Kind;

// How a body sees the op's inputs from `first` on: `state` of them, then `slices`, then the rest.
std::vector<BodyInput> InputsOf(int first, int64_t state, int64_t slices, int num_inputs) {
  std::vector<BodyInput> result;
  int input = first;
  for (; input < num_inputs; ++input) {
    const int64_t index = input - first;
    const Kind kind = index < state            ? Kind::kState
                      : index < state + slices ? Kind::kSlice
                                               : Kind::kCaptured;
    result.push_back({kind, input});
  }
  return result;
}

int NumOutputs(const AttributeMap& attrs, absl::string_view body) {
  const OpBody* const held = BodyAttribute(attrs, body);
  return held == nullptr ? 0 : static_cast<int>(held->outputs().size());
}

// The specs of what body `index` gives, whose name is `name`.
absl::StatusOr<SpecList> InferBody(const InferContext& c, absl::string_view name, int index) {
  const OpBody* const body = BodyAttribute(c.attrs(), name);
  if (body == nullptr) return c.Error(absl::StrCat("has no ", name));
  std::vector<const TensorSpec*> inputs;
  for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(&c.input(i));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs,
                          Explain(c, BodyInputSpecs(c.op(), c.attrs(), inputs, index)));
  std::vector<const TensorSpec*> given;
  for (const TensorSpec& spec : specs) given.push_back(&spec);
  absl::StatusOr<SpecList> outputs = body->Infer(given);
  if (!outputs.ok()) return Explain(c, Annotate(outputs.status(), name));
  return outputs;
}

bool HasOneElement(const TensorSpec& spec) { return spec.shape.num_elements() == 1; }

// `got[i]`, what the body gives for state i, must be as the state is.
absl::Status CheckState(const InferContext& c, absl::string_view what, int first,
                        const SpecList& got, int64_t count) {
  if (static_cast<int64_t>(got.size()) < count) {
    return c.Error(absl::StrCat("the body gives ", got.size(), " results, but there are ", count,
                                " values of ", what, ", which come first among them"));
  }
  for (int64_t i = 0; i < count; ++i) {
    const TensorSpec& start = c.input(first + static_cast<int>(i));
    if (got[i] == start) continue;
    return c.Error(
        absl::StrCat(what, " ", i, " is ", start.ToString(), ", the body makes ", got[i].ToString(),
                     " of it; ", what, " keeps its dtype and shape from step to step"),
        start.dtype != got[i].dtype
            ? absl::StrCat("Cast the result, or start with ", DTypeName(got[i].dtype))
            : std::string("Reshape the result, or start with the shape that it has after a step"));
  }
  return absl::OkStatus();
}

// --- cond ----------------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferCond(const InferContext& c) {
  if (!HasOneElement(c.input(0))) {
    return c.Error(absl::StrCat("the predicate is ", c.input(0).ToString(),
                                ", it must have exactly one element"),
                   "reduce it with All or Any, or choose element by element with Where");
  }
  TANDEM_ASSIGN_OR_RETURN(SpecList then_specs, InferBody(c, "then_body", 0));
  TANDEM_ASSIGN_OR_RETURN(const SpecList else_specs, InferBody(c, "else_body", 1));
  if (then_specs.size() != else_specs.size()) {
    return c.Error(absl::StrCat("then_body gives ", then_specs.size(), " results, else_body ",
                                else_specs.size(), "; both must give as many"));
  }
  for (size_t i = 0; i < then_specs.size(); ++i) {
    if (then_specs[i] == else_specs[i]) continue;
    return c.Error(absl::StrCat("result ", i, " is ", then_specs[i].ToString(),
                                " from then_body and ", else_specs[i].ToString(),
                                " from else_body; both must give one dtype and shape"),
                   "Cast, Reshape or BroadcastTo one of them");
  }
  return then_specs;
}

OpDef Cond() {
  OpDef def;
  def.name = "cond";
  def.doc =
      "Runs one of two bodies: then_body if the predicate (one element of any dtype) is not 0, "
      "else "
      "else_body. Only that one runs. The gradient flows through the body that ran; inputs that it "
      "does not use get zeros.";
  def.family = "control flow";
  def.inputs = {{"inputs", "the predicate, then what the bodies take, the same for both"}};
  def.variadic = true;
  def.num_outputs = [](const AttributeMap& attrs) { return NumOutputs(attrs, "then_body"); };
  def.attributes = {
      AttributeDef::Required("then_body", AttributeType::kBody, "runs if the predicate holds"),
      AttributeDef::Required("else_body", AttributeType::kBody, "runs if it does not"),
  };
  def.infer = InferCond;
  def.vjp = CondGradient;
  def.vjp_outputs = 0;
  def.control.run = ExecuteCond;
  def.control.body_inputs = [](const AttributeMap&, int num_inputs, int) {
    return InputsOf(1, 0, 0, num_inputs);
  };
  return def;
}

// --- scan ----------------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferScan(const InferContext& c) {
  const int64_t carry = c.attrs().Int("num_carry");
  const int64_t scanned = c.attrs().Int("num_scanned");
  const int first = c.attrs().Bool("counted") ? 1 : 0;
  if (carry < 0 || scanned < 0 || carry > c.num_inputs() || scanned > c.num_inputs() ||
      first + carry + scanned > c.num_inputs()) {
    return c.Error(absl::StrCat("has ", c.num_inputs(), " inputs, too few for ", carry,
                                " carries and ", scanned, " tensors to go along"));
  }
  if (first == 1 && !(IsInteger(c.input(0).dtype) && HasOneElement(c.input(0)))) {
    return c.Error(
        absl::StrCat("the number of steps is ", c.input(0).ToString(), ", it must be an integer"));
  }
  int64_t length = c.attrs().Int("length");
  if (length < -1) return c.Error("length must not be negative");
  for (int i = first + static_cast<int>(carry); i < first + carry + scanned; ++i) {
    const Shape& shape = c.input(i).shape;
    if (shape.rank() == 0) {
      return c.Error(absl::StrCat("what is gone along, input ", i, ", is a scalar and has no axis"),
                     "give values that do not change from step to step as captured ones");
    }
    if (length >= 0 && shape[0] != length) {
      return c.Error(absl::StrCat("input ", i, " has ", shape[0],
                                  " steps along its first axis, not ", length,
                                  "; all tensors that are gone along, and length, must agree"));
    }
    length = shape[0];
  }
  if (length < 0) {
    return c.Error("without a tensor to go along it must be told its length");
  }
  TANDEM_ASSIGN_OR_RETURN(SpecList specs, InferBody(c, "body", 0));
  TANDEM_RETURN_IF_ERROR(CheckState(c, "carry", first, specs, carry));
  for (size_t i = static_cast<size_t>(carry); i < specs.size(); ++i) {
    specs[i].shape.insert(0, length);
  }
  return specs;
}

OpDef Scan() {
  OpDef def;
  def.name = "scan";
  def.doc =
      "Runs its body once for each index along the first axis of the scanned inputs. The body "
      "takes "
      "the carries, one slice of each scanned input, and the captured inputs; it gives the next "
      "carries, and then results, which are stacked along a new first axis. The outputs are the "
      "last carries and the stacked results.";
  def.family = "control flow";
  def.inputs = {{"inputs",
                 "if counted, the number of steps; num_carry carries; num_scanned scanned inputs; "
                 "captured ones"}};
  def.variadic = true;
  def.num_outputs = [](const AttributeMap& attrs) { return NumOutputs(attrs, "body"); };
  def.attributes = {
      AttributeDef::Required("body", AttributeType::kBody, "one step"),
      AttributeDef::Optional("num_carry", 0, "values that go from step to step"),
      AttributeDef::Optional("num_scanned", 0, "inputs that are gone along"),
      AttributeDef::Optional("length", -1, "number of steps; -1: that of the scanned inputs"),
      AttributeDef::Optional("reverse", false, "from the last index to the first"),
      AttributeDef::Optional("counted", false,
                             "the first input is an integer: only so many of the first indices are "
                             "visited; results at the others are 0"),
  };
  def.infer = InferScan;
  def.vjp = ScanGradient;
  def.control.run = ExecuteScan;
  def.control.body_inputs = [](const AttributeMap& attrs, int num_inputs, int) {
    return InputsOf(attrs.Bool("counted") ? 1 : 0, attrs.Int("num_carry"), attrs.Int("num_scanned"),
                    num_inputs);
  };
  return def;
}

// --- while_loop ----------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferWhileLoop(const InferContext& c) {
  const int64_t state = c.attrs().Int("num_state");
  const int64_t most = c.attrs().Int("max_iterations");
  if (state < 1 || state > c.num_inputs()) {
    return c.Error(absl::StrCat("num_state is ", state, ", but there are ", c.num_inputs(),
                                " inputs; a loop needs at least one value that changes"));
  }
  if (most < -1) return c.Error("max_iterations must not be negative");
  const bool keeps = c.attrs().Bool("keep_states");
  if (keeps && most < 0) return c.Error("keep_states needs max_iterations");
  TANDEM_ASSIGN_OR_RETURN(const SpecList condition, InferBody(c, "condition", 0));
  if (condition.size() != 1 || !HasOneElement(condition[0])) {
    return c.Error(absl::StrCat("the condition gives ",
                                condition.size() == 1 ? condition[0].ToString()
                                                      : absl::StrCat(condition.size(), " results"),
                                ", it must give exactly one element"),
                   "reduce it with All or Any");
  }
  TANDEM_ASSIGN_OR_RETURN(SpecList specs, InferBody(c, "body", 1));
  TANDEM_RETURN_IF_ERROR(CheckState(c, "state", 0, specs, state));
  if (static_cast<int64_t>(specs.size()) != state) {
    return c.Error(absl::StrCat("the body gives ", specs.size(), " results for ", state,
                                " values of state; both must be as many"));
  }
  if (keeps) {
    for (int64_t i = 0; i < state; ++i) {
      specs.push_back(specs[i]);
      specs.back().shape.insert(0, most);
    }
    specs.push_back({DType::kI64, {}});
  }
  return specs;
}

OpDef WhileLoop() {
  OpDef def;
  def.name = "while_loop";
  def.doc =
      "Runs its body on the state as long as the condition, a body too, gives something other than "
      "0, at most max_iterations times. The outputs are the last state and, with keep_states, the "
      "states before each step, stacked (0 where no step was), and the number of steps: from these "
      "the gradient is made.";
  def.family = "control flow";
  def.inputs = {{"inputs", "num_state values of state, then captured ones, for both bodies"}};
  def.variadic = true;
  def.num_outputs = [](const AttributeMap& attrs) {
    const int state = NumOutputs(attrs, "body");
    return attrs.Bool("keep_states") ? 2 * state + 1 : state;
  };
  def.attributes = {
      AttributeDef::Required("condition", AttributeType::kBody, "whether to take another step"),
      AttributeDef::Required("body", AttributeType::kBody, "one step"),
      AttributeDef::Optional("num_state", 1, "values that go from step to step"),
      AttributeDef::Optional("max_iterations", -1, "most steps; -1: any number"),
      AttributeDef::Optional("keep_states", false, "gives what the gradient needs"),
  };
  def.infer = InferWhileLoop;
  def.vjp = WhileLoopGradient;
  def.control.run = ExecuteWhileLoop;
  def.control.body_inputs = [](const AttributeMap& attrs, int num_inputs, int) {
    return InputsOf(0, attrs.Int("num_state"), 0, num_inputs);
  };
  return def;
}

}  // namespace

absl::Status RegisterControlFlowOps(OpRegistry* registry) {
  for (OpDef (*make)() : {Cond, Scan, WhileLoop}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(make()));
  }
  return absl::OkStatus();
}

}  // namespace tandem
