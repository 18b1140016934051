// Gradients of control flow: control flow again, whose bodies are the gradients of the bodies.
//
// A body's intermediate values are not kept: the gradient's body runs the step again. What is kept
// are the states before each step, so the work of a gradient grows with the number of steps, and not
// with its square.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/body_recorder.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/core/ops/control_flow.h"

namespace tandem {
namespace {

// A zero that changes nothing it is added to: +0.0 would make +0.0 of -0.0.
constexpr double kNoGradient = -0.0;

Tensor NoGradient(Emitter& emit, const Tensor& like) { return emit.FullLike(kNoGradient, like); }

bool WantsGradient(const VjpContext& c, int input) {
  return c.wants(input) && IsFloating(c.input(input).dtype());
}

template <typename T>
void Append(std::vector<T>* to, absl::Span<const T> from) {
  to->insert(to->end(), from.begin(), from.end());
}

std::vector<TensorSpec> SpecsOf(absl::Span<const Tensor> tensors) {
  std::vector<TensorSpec> specs;
  for (const Tensor& tensor : tensors) specs.push_back(tensor.spec());
  return specs;
}

// A loop that is differentiated: what its step takes, and how the gradient goes along it.
struct Loop {
  const OpBody* body;
  Tensor count;                // the number of steps; undefined: all
  std::vector<Tensor> states;  // before each step, stacked
  std::vector<Tensor> scanned;
  std::vector<Tensor> captured;
  std::vector<Tensor> state_grads;   // of the last state; undefined where there is none
  std::vector<Tensor> result_grads;  // of the stacked results; undefined where there is none
  std::vector<bool> wants_captured;
  int64_t length = -1;
  bool reverse = false;
};

struct LoopGradients {
  std::vector<Tensor> state;  // of the first state; undefined for integers
  std::vector<Tensor> scanned;
  std::vector<Tensor> captured;
};

// The spec of one step of a stacked tensor.
TensorSpec StepSpec(const Tensor& stacked) {
  TensorSpec spec = stacked.spec();
  spec.shape.erase(0);
  return spec;
}

// Emits the scan that gives the gradients. Its carries are the gradients of the state and the sums
// of those of the captured values; it goes along the states, the scanned inputs and the gradients of
// the results.
absl::StatusOr<LoopGradients> DifferentiateLoop(const Loop& loop, Emitter& emit) {
  const size_t num_state = loop.states.size();
  const size_t num_scanned = loop.scanned.size();
  const size_t num_captured = loop.captured.size();
  std::vector<Tensor> carries;  // of the new scan
  std::vector<size_t> floating;
  for (size_t i = 0; i < num_state; ++i) {
    if (!IsFloating(loop.states[i].dtype())) continue;
    floating.push_back(i);
    Tensor grad = loop.state_grads[i];
    if (!grad.defined()) {
      const TensorSpec spec = StepSpec(loop.states[i]);
      grad =
          emit("broadcast_to", {emit.Full(kNoGradient, loop.states[i])}, {{"shape", spec.shape}});
    }
    carries.push_back(std::move(grad));
  }
  std::vector<size_t> summed;
  for (size_t i = 0; i < num_captured; ++i) {
    if (!loop.wants_captured[i]) continue;
    summed.push_back(i);
    carries.push_back(NoGradient(emit, loop.captured[i]));
  }
  std::vector<Tensor> along = loop.states;
  Append<Tensor>(&along, loop.scanned);
  std::vector<size_t> with_grad;
  for (size_t i = 0; i < loop.result_grads.size(); ++i) {
    if (!loop.result_grads[i].defined()) continue;
    with_grad.push_back(i);
    along.push_back(loop.result_grads[i]);
  }
  TANDEM_RETURN_IF_ERROR(emit.status());

  std::vector<TensorSpec> specs = SpecsOf(carries);
  for (const Tensor& tensor : along) specs.push_back(StepSpec(tensor));
  Append<TensorSpec>(&specs, SpecsOf(loop.captured));
  BodyRecorder recorder(specs);
  const absl::Span<const Tensor> given = recorder.inputs();
  const absl::Span<const Tensor> along_symbols = given.subspan(carries.size(), along.size());
  std::vector<Tensor> inputs(along_symbols.begin(),
                             along_symbols.begin() + num_state + num_scanned);
  Append<Tensor>(&inputs, given.subspan(carries.size() + along.size()));
  std::vector<bool> wanted(num_state + num_scanned, true);
  wanted.insert(wanted.end(), loop.wants_captured.begin(), loop.wants_captured.end());
  std::vector<Tensor> output_grads(loop.body->outputs().size());
  for (size_t i = 0; i < floating.size(); ++i) output_grads[floating[i]] = given[i];
  for (size_t i = 0; i < with_grad.size(); ++i) {
    output_grads[num_state + with_grad[i]] = along_symbols[num_state + num_scanned + i];
  }
  TANDEM_ASSIGN_OR_RETURN(const TensorList grads,
                          RecordGradients(recorder, *loop.body, inputs, output_grads, wanted));
  Emitter step(recorder);
  std::vector<Tensor> results;
  for (const size_t i : floating) {
    results.push_back(grads[i].defined() ? grads[i] : NoGradient(step, inputs[i]));
  }
  for (size_t i = 0; i < summed.size(); ++i) {
    const Tensor& sum = given[floating.size() + i];
    const Tensor& grad = grads[num_state + num_scanned + summed[i]];
    results.push_back(grad.defined() ? step("add", {sum, grad}) : sum);
  }
  std::vector<size_t> scanned_with_grad;
  for (size_t i = 0; i < num_scanned; ++i) {
    if (!IsFloating(loop.scanned[i].dtype()) || !grads[num_state + i].defined()) continue;
    scanned_with_grad.push_back(i);
    results.push_back(grads[num_state + i]);
  }
  TANDEM_RETURN_IF_ERROR(step.status());
  LoopGradients found{std::vector<Tensor>(num_state), std::vector<Tensor>(num_scanned),
                      std::vector<Tensor>(num_captured)};
  if (results.empty()) return found;
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body, recorder.Finish(results));

  std::vector<Tensor> operands;
  if (loop.count.defined()) operands.push_back(loop.count);
  Append<Tensor>(&operands, carries);
  Append<Tensor>(&operands, along);
  Append<Tensor>(&operands, loop.captured);
  TensorList outputs = emit.Multi("scan", operands,
                                  {{"body", body},
                                   {"num_carry", static_cast<int64_t>(carries.size())},
                                   {"num_scanned", static_cast<int64_t>(along.size())},
                                   {"length", loop.length},
                                   {"reverse", !loop.reverse},
                                   {"counted", loop.count.defined()}},
                                  static_cast<int>(results.size()));
  size_t next = 0;
  for (const size_t i : floating) found.state[i] = outputs[next++];
  for (const size_t i : summed) found.captured[i] = outputs[next++];
  for (const size_t i : scanned_with_grad) found.scanned[i] = outputs[next++];
  return found;
}

// The body as it is for the inputs of this use.
absl::StatusOr<Ref<const OpBody>> BodyHere(const VjpContext& c, absl::string_view op,
                                           const OpBody& body, int index) {
  std::vector<const TensorSpec*> inputs;
  for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(&c.input(i).spec());
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const def, OpRegistry::Global().Get(op));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs,
                          BodyInputSpecs(*def, c.attrs(), inputs, index));
  return body.WithInputs(specs);
}

std::vector<Tensor> InputsOf(const VjpContext& c, size_t first, size_t count) {
  std::vector<Tensor> inputs;
  for (size_t i = first; i < first + count; ++i) inputs.push_back(c.input(static_cast<int>(i)));
  return inputs;
}

// A body that gives the inputs `values`, too, after its other outputs.
absl::StatusOr<Ref<const OpBody>> WithOutputs(const OpBody& body,
                                              absl::Span<const int32_t> values) {
  OpBody::Builder builder({body.input_specs().begin(), body.input_specs().end()});
  for (const OpBody::Step& step : body.steps()) {
    TANDEM_RETURN_IF_ERROR(builder.Add(*step.op, step.attrs, step.inputs).status());
  }
  std::vector<int32_t> outputs = body.outputs();
  outputs.insert(outputs.end(), values.begin(), values.end());
  return builder.Finish(std::move(outputs));
}

// The carries before each step, stacked: among the results, or from a run of the same scan that
// gives them.
absl::StatusOr<std::vector<Tensor>> CarriesOf(VjpContext& c, const OpBody& body, size_t count) {
  std::vector<Tensor> carries(count);
  for (size_t i = count; i < body.outputs().size(); ++i) {
    const auto value = static_cast<size_t>(body.outputs()[i]);
    if (value < count) carries[value] = c.output(static_cast<int>(i));
  }
  std::vector<int32_t> missing;
  for (size_t i = 0; i < count; ++i) {
    if (!carries[i].defined()) missing.push_back(static_cast<int32_t>(i));
  }
  if (missing.empty()) return carries;
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> more, WithOutputs(body, missing));
  const int outputs = static_cast<int>(more->outputs().size());
  const TensorList results =
      c.emit.Multi("scan", InputsOf(c, 0, static_cast<size_t>(c.num_inputs())),
                   {{"body", more},
                    {"num_carry", c.attrs().Int("num_carry")},
                    {"num_scanned", c.attrs().Int("num_scanned")},
                    {"length", c.attrs().Int("length")},
                    {"reverse", c.attrs().Bool("reverse")},
                    {"counted", c.attrs().Bool("counted")}},
                   outputs);
  TANDEM_RETURN_IF_ERROR(c.emit.status());
  for (size_t i = 0; i < missing.size(); ++i) {
    carries[missing[i]] = results[outputs - missing.size() + i];
  }
  return carries;
}

}  // namespace

absl::StatusOr<TensorList> CondGradient(VjpContext& c) {
  const auto num_captured = static_cast<size_t>(c.num_inputs()) - 1;
  std::vector<Tensor> operands = InputsOf(c, 1, num_captured);
  std::vector<bool> wanted;
  bool any = false;
  for (size_t i = 0; i < num_captured; ++i) {
    wanted.push_back(WantsGradient(c, static_cast<int>(i) + 1));
    any = any || wanted.back();
  }
  TensorList result(static_cast<size_t>(c.num_inputs()));
  if (!any) return result;
  const OpBody* const then_body = BodyAttribute(c.attrs(), "then_body");
  std::vector<size_t> with_grad;
  for (size_t i = 0; i < then_body->outputs().size(); ++i) {
    if (!c.has_grad(static_cast<int>(i))) continue;
    with_grad.push_back(i);
    operands.push_back(c.grad(static_cast<int>(i)));
  }
  std::vector<Ref<const OpBody>> bodies;
  int num_results = 0;
  for (const absl::string_view name : {"then_body", "else_body"}) {
    const OpBody& body = *BodyAttribute(c.attrs(), name);
    BodyRecorder recorder(SpecsOf(operands));
    std::vector<Tensor> output_grads(body.outputs().size());
    for (size_t i = 0; i < with_grad.size(); ++i) {
      output_grads[with_grad[i]] = recorder.input(static_cast<int>(num_captured + i));
    }
    const absl::Span<const Tensor> inputs = recorder.inputs().subspan(0, num_captured);
    TANDEM_ASSIGN_OR_RETURN(const TensorList grads,
                            RecordGradients(recorder, body, inputs, output_grads, wanted));
    Emitter emit(recorder);
    std::vector<Tensor> results;
    for (size_t i = 0; i < num_captured; ++i) {
      if (!wanted[i]) continue;
      results.push_back(grads[i].defined() ? grads[i] : NoGradient(emit, inputs[i]));
    }
    TANDEM_RETURN_IF_ERROR(emit.status());
    TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> gradient, recorder.Finish(results));
    num_results = static_cast<int>(results.size());
    bodies.push_back(std::move(gradient));
  }
  operands.insert(operands.begin(), c.input(0));
  TensorList grads = c.emit.Multi(
      "cond", operands, {{"then_body", bodies[0]}, {"else_body", bodies[1]}}, num_results);
  size_t next = 0;
  for (size_t i = 0; i < num_captured; ++i) {
    if (wanted[i]) result[i + 1] = grads[next++];
  }
  return c.Finish(std::move(result));
}

absl::StatusOr<TensorList> ScanGradient(VjpContext& c) {
  const size_t first = c.attrs().Bool("counted") ? 1 : 0;
  const auto num_carry = static_cast<size_t>(c.attrs().Int("num_carry"));
  const auto num_scanned = static_cast<size_t>(c.attrs().Int("num_scanned"));
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body,
                          BodyHere(c, "scan", *BodyAttribute(c.attrs(), "body"), 0));
  Loop loop;
  loop.body = body.get();
  if (first == 1) loop.count = c.input(0);
  TANDEM_ASSIGN_OR_RETURN(loop.states, CarriesOf(c, *body, num_carry));
  loop.scanned = InputsOf(c, first + num_carry, num_scanned);
  const size_t fixed = first + num_carry + num_scanned;
  loop.captured = InputsOf(c, fixed, static_cast<size_t>(c.num_inputs()) - fixed);
  for (size_t i = 0; i < body->outputs().size(); ++i) {
    (i < num_carry ? loop.state_grads : loop.result_grads).push_back(c.grad(static_cast<int>(i)));
  }
  for (int i = static_cast<int>(fixed); i < c.num_inputs(); ++i) {
    loop.wants_captured.push_back(WantsGradient(c, i));
  }
  loop.length = c.attrs().Int("length");
  loop.reverse = c.attrs().Bool("reverse");
  TANDEM_ASSIGN_OR_RETURN(const LoopGradients found, DifferentiateLoop(loop, c.emit));
  TensorList grads(first);
  grads.insert(grads.end(), found.state.begin(), found.state.end());
  grads.insert(grads.end(), found.scanned.begin(), found.scanned.end());
  grads.insert(grads.end(), found.captured.begin(), found.captured.end());
  return c.Finish(std::move(grads));
}

absl::StatusOr<TensorList> WhileLoopGradient(VjpContext& c) {
  if (!c.attrs().Bool("keep_states")) {
    return absl::UnimplementedError(
        "while_loop: a gradient needs the states before each step, for which there must be a bound "
        "of their number; give max_iterations, or detach the state if no gradient is wanted");
  }
  const auto num_state = static_cast<size_t>(c.attrs().Int("num_state"));
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body,
                          BodyHere(c, "while_loop", *BodyAttribute(c.attrs(), "body"), 1));
  Loop loop;
  loop.body = body.get();
  loop.count = c.output(static_cast<int>(2 * num_state));
  for (size_t i = 0; i < num_state; ++i) {
    loop.states.push_back(c.output(static_cast<int>(num_state + i)));
    loop.state_grads.push_back(c.grad(static_cast<int>(i)));
  }
  loop.captured = InputsOf(c, num_state, static_cast<size_t>(c.num_inputs()) - num_state);
  for (int i = static_cast<int>(num_state); i < c.num_inputs(); ++i) {
    loop.wants_captured.push_back(WantsGradient(c, i));
  }
  loop.length = c.attrs().Int("max_iterations");
  TANDEM_ASSIGN_OR_RETURN(const LoopGradients found, DifferentiateLoop(loop, c.emit));
  TensorList grads(found.state.begin(), found.state.end());
  grads.insert(grads.end(), found.captured.begin(), found.captured.end());
  return c.Finish(std::move(grads));
}

}  // namespace tandem
