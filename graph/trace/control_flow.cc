#include "tandem/graph/trace/control_flow.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/core/op/op_body.h"
#include "tandem/graph/trace/body_writer.h"

namespace tandem {
namespace {

// --- running functions as they are ----------------------------------------------------------------

struct Rule {
  absl::string_view name;  // "the body"
  int num_state = 0;       // so many results are as the first inputs are
  bool one_element = false;
};

// Runs functions of the host as bodies.
class FunctionRunner final : public BodyRunner {
 public:
  FunctionRunner(absl::string_view op, std::vector<const BodyFunction*> functions,
                 std::vector<Rule> rules)
      : op_(op),
        functions_(std::move(functions)),
        rules_(std::move(rules)),
        first_results_(rules_.size()),
        invoker_(&EagerInterpreter()) {}

  absl::StatusOr<TensorList> Run(int body, absl::Span<const Tensor> inputs,
                                 absl::Span<const Tensor> into) override {
    TANDEM_ASSIGN_OR_RETURN(TensorList results, (*functions_[body])(inputs));
    TANDEM_RETURN_IF_ERROR(Check(body, inputs, results));
    for (Tensor& result : results) {
      TANDEM_ASSIGN_OR_RETURN(result, MakeContiguous(result, invoker_));
    }
    TANDEM_RETURN_IF_ERROR(PlaceInto(&results, into, invoker_));
    return results;
  }
  Invoker& invoker() override { return invoker_; }

 private:
  absl::Status Check(int body, absl::Span<const Tensor> inputs, const TensorList& results) {
    const Rule& rule = rules_[body];
    const auto error = [&](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat(op_, ": ", rule.name, " ", what...));
    };
    if (results.empty()) return error("gives no results");
    std::vector<TensorSpec> specs;
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].defined()) return error("gives an undefined tensor as result ", i);
      if (results[i].is_symbolic()) {
        return results[i].symbol()->ValueError(
            absl::StrCat(op_, ": result ", i, " of ", rule.name));
      }
      specs.push_back(results[i].spec());
    }
    if (rule.one_element && (results.size() != 1 || results[0].num_elements() != 1)) {
      return error("gives ", results.size() == 1 ? results[0].Describe() : "several results",
                   ", it must give exactly one element; reduce it with All or Any");
    }
    const auto num_state = static_cast<size_t>(rule.num_state);
    if (results.size() < num_state) {
      return error("gives ", results.size(), " results for ", num_state, " values of state");
    }
    for (size_t i = 0; i < num_state; ++i) {
      if (specs[i] == inputs[i].spec()) continue;
      return error("makes ", specs[i].ToString(), " of state ", i, ", which is ",
                   inputs[i].spec().ToString(),
                   "; state keeps its dtype and shape from step to step");
    }
    std::vector<TensorSpec>& first = first_results_[body];
    if (first.empty()) {
      first = std::move(specs);
    } else if (first != specs) {
      return error(
          "gives other dtypes or shapes than in the step before; all steps must give alike");
    }
    return absl::OkStatus();
  }

  const absl::string_view op_;
  const std::vector<const BodyFunction*> functions_;
  const std::vector<Rule> rules_;
  std::vector<std::vector<TensorSpec>> first_results_;
  InterpreterInvoker invoker_;
};

// Control flow as something to call: the interpreters choose between running and recording it.
class ControlCall final : public Callable {
 public:
  using Inputs = absl::Span<const Tensor>;
  ControlCall(std::string name, std::function<absl::StatusOr<TensorList>(Inputs)> run,
              std::function<absl::StatusOr<TensorList>(Inputs)> record)
      : name_(std::move(name)), run_(std::move(run)), record_(std::move(record)) {}

  std::string name() const override { return name_; }
  absl::StatusOr<TensorList> Run(Inputs inputs) override { return run_(inputs); }
  // The tape records the op that this becomes, so nothing is left to differentiate here.
  absl::StatusOr<DifferentiableRun> RunForGradient(Inputs inputs) override {
    DifferentiableRun run;
    TANDEM_ASSIGN_OR_RETURN(run.outputs, record_(inputs));
    run.inputs.assign(inputs.begin(), inputs.end());
    return run;
  }
  absl::StatusOr<TensorList> Inline(Inputs inputs) override { return record_(inputs); }

 private:
  const std::string name_;
  const std::function<absl::StatusOr<TensorList>(Inputs)> run_;
  const std::function<absl::StatusOr<TensorList>(Inputs)> record_;
};

absl::Status CheckDefined(absl::string_view op, absl::string_view what,
                          absl::Span<const Tensor> tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) {
      return absl::InvalidArgumentError(absl::StrCat(op, ": ", what, " ", i, " is undefined"));
    }
  }
  return absl::OkStatus();
}

// Runs an op's own logic on functions instead of bodies.
absl::StatusOr<TensorList> RunFunctions(absl::string_view op, absl::Span<const Tensor> inputs,
                                        std::vector<AttributeInit> attributes,
                                        FunctionRunner& runner) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const def, OpRegistry::Global().Get(op));
  // The functions stand for the bodies, which nobody looks at.
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> nothing,
                          OpBody::Builder({TensorSpec()}).Finish({0}));
  const AttributeValue stand_in(nothing);
  for (const AttributeDef& attribute : def->attributes.defs()) {
    if (attribute.type != AttributeType::kBody) continue;
    attributes.emplace_back(attribute.name, stand_in);
  }
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs,
                          AttributeMap::Create(def->attributes, attributes));
  ControlContext context{attrs, inputs, {}, {}, runner};
  auto results = def->control.run(context);
  if (!results.ok()) return results.status();
  return results;
}

Device* DeviceOf(absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.device() != nullptr) return input.device();
  }
  return nullptr;
}

TensorSpec SliceSpec(const Tensor& tensor) {
  TensorSpec spec = tensor.spec();
  spec.shape.erase(0);
  return spec;
}

}  // namespace

absl::StatusOr<TensorList> RunCond(const Tensor& predicate, const BodyFunction& then_fn,
                                   const BodyFunction& else_fn, SourceLocation location) {
  TANDEM_RETURN_IF_ERROR(CheckDefined("cond", "predicate", {&predicate, 1}));
  if (predicate.num_elements() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cond: the predicate is ", predicate.Describe(),
                     ", it must have exactly one element; "
                     "reduce it with All or Any, or choose element by element with Where [at ",
                     ToString(location), "]"));
  }
  const auto run = [&](absl::Span<const Tensor> inputs) {
    FunctionRunner runner("cond", {&then_fn, &else_fn}, {{"then"}, {"else"}});
    return RunFunctions("cond", inputs, {}, runner);
  };
  const auto record = [&](absl::Span<const Tensor> inputs) -> absl::StatusOr<TensorList> {
    BodyWriter writer("cond", location);
    TANDEM_RETURN_IF_ERROR(writer.Record("then", then_fn, {}, inputs[0].device()));
    TANDEM_RETURN_IF_ERROR(writer.Record("else", else_fn, {}, inputs[0].device()));
    return writer.Invoke(inputs, {}, {"then_body", "else_body"});
  };
  const auto call = MakeRef<ControlCall>("cond", run, record);
  return Call(*call, {&predicate, 1});
}

absl::StatusOr<TensorList> RunScan(const BodyFunction& step, const ScanArguments& arguments,
                                   SourceLocation location) {
  const auto error = [&](const auto&... what) {
    return absl::InvalidArgumentError(
        absl::StrCat("scan: ", what..., " [at ", ToString(location), "]"));
  };
  TANDEM_RETURN_IF_ERROR(CheckDefined("scan", "carry", arguments.carry));
  TANDEM_RETURN_IF_ERROR(CheckDefined("scan", "scanned tensor", arguments.scanned));
  if (arguments.carry.empty() && arguments.scanned.empty()) {
    return error("it was given nothing: neither a carry nor a tensor to go along");
  }
  int64_t length = arguments.length;
  if (length < -1) return error("length is ", length);
  for (const Tensor& tensor : arguments.scanned) {
    if (tensor.rank() == 0)
      return error(tensor.Describe(), " is a scalar, it has no axis to go along");
    if (length >= 0 && tensor.shape()[0] != length) {
      return error("it is to go along ", tensor.Describe(), " for ", length,
                   " steps; all first axes, and length, must agree");
    }
    length = tensor.shape()[0];
  }
  if (length < 0) return error("without a tensor to go along it must be told its length");

  const auto num_carry = static_cast<int64_t>(arguments.carry.size());
  std::vector<Tensor> inputs(arguments.carry.begin(), arguments.carry.end());
  inputs.insert(inputs.end(), arguments.scanned.begin(), arguments.scanned.end());
  const auto attributes = [&](int64_t num_scanned) -> std::vector<AttributeInit> {
    return {{"num_carry", num_carry},
            {"num_scanned", num_scanned},
            {"length", arguments.length},
            {"reverse", arguments.reverse}};
  };
  const auto record = [&](absl::Span<const Tensor> given) -> absl::StatusOr<TensorList> {
    std::vector<TensorSpec> specs;
    for (const Tensor& carry : arguments.carry) specs.push_back(carry.spec());
    for (const Tensor& tensor : arguments.scanned) specs.push_back(SliceSpec(tensor));
    size_t num_results = 0;
    // The carries before each step are results, too, from which the gradient is made. A graph that
    // is not differentiated drops them.
    const BodyFunction with_carries =
        [&](absl::Span<const Tensor> symbols) -> absl::StatusOr<TensorList> {
      TANDEM_ASSIGN_OR_RETURN(TensorList results, step(symbols));
      num_results = results.size();
      if (results.empty()) return results;
      results.insert(results.end(), symbols.begin(), symbols.begin() + num_carry);
      return results;
    };
    BodyWriter writer("scan", location, BodyWriter::Steps{length, arguments.reverse});
    TANDEM_RETURN_IF_ERROR(writer.Record("the step", with_carries, specs, DeviceOf(given)));
    std::vector<Tensor> operands(given.begin(), given.end());
    if (writer.draws_random()) {
      TANDEM_ASSIGN_OR_RETURN(Tensor states, writer.RandomStates(DeviceOf(given)));
      operands.push_back(std::move(states));
    }
    const int64_t num_scanned = static_cast<int64_t>(operands.size()) - num_carry;
    TANDEM_ASSIGN_OR_RETURN(TensorList outputs,
                            writer.Invoke(operands, attributes(num_scanned), {"body"}));
    outputs.resize(num_results);
    return outputs;
  };
  const auto run = [&](absl::Span<const Tensor> given) -> absl::StatusOr<TensorList> {
    // What a step gives is not known if none runs; a trace tells.
    if (length == 0) return record(given);
    FunctionRunner runner("scan", {&step}, {{"the step", static_cast<int>(num_carry)}});
    return RunFunctions("scan", given, attributes(static_cast<int64_t>(arguments.scanned.size())),
                        runner);
  };
  const auto call = MakeRef<ControlCall>("scan", run, record);
  return Call(*call, inputs);
}

absl::StatusOr<TensorList> RunWhileLoop(const BodyFunction& condition, const BodyFunction& step,
                                        absl::Span<const Tensor> state, int64_t max_iterations,
                                        SourceLocation location) {
  TANDEM_RETURN_IF_ERROR(CheckDefined("while_loop", "state", state));
  if (state.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "while_loop: it has no state, so nothing could end it [at ", ToString(location), "]"));
  }
  if (max_iterations < -1) {
    return absl::InvalidArgumentError(absl::StrCat("while_loop: max_iterations is ", max_iterations,
                                                   " [at ", ToString(location), "]"));
  }
  const std::vector<AttributeInit> attributes = {{"num_state", static_cast<int64_t>(state.size())},
                                                 {"max_iterations", max_iterations}};
  const auto record = [&](absl::Span<const Tensor> given) -> absl::StatusOr<TensorList> {
    std::vector<TensorSpec> specs;
    for (const Tensor& tensor : given) specs.push_back(tensor.spec());
    BodyWriter writer("while_loop", location);
    TANDEM_RETURN_IF_ERROR(writer.Record("the condition", condition, specs, DeviceOf(given)));
    TANDEM_RETURN_IF_ERROR(writer.Record("the step", step, specs, DeviceOf(given)));
    std::vector<AttributeInit> all = attributes;
    all.emplace_back("keep_states", max_iterations >= 0);
    TANDEM_ASSIGN_OR_RETURN(TensorList outputs,
                            writer.Invoke(given, std::move(all), {"condition", "body"}));
    outputs.resize(given.size());
    return outputs;
  };
  const auto run = [&](absl::Span<const Tensor> given) {
    FunctionRunner runner(
        "while_loop", {&condition, &step},
        {{"the condition", 0, true}, {"the step", static_cast<int>(state.size())}});
    return RunFunctions("while_loop", given, attributes, runner);
  };
  const auto call = MakeRef<ControlCall>("while_loop", run, record);
  return Call(*call, state);
}

}  // namespace tandem
