#include "tandem/graph/trace/body_writer.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/autograd/tape.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/graph/ir/body_graph.h"
#include "tandem/graph/trace/graph_symbol.h"
#include "tandem/graph/trace/trace_interpreter.h"

namespace tandem {
namespace {

// The tape over the trace of a body. Its one task is to see what has no gradient: a value that comes
// without a node of this tape was detached, or computed in a pause. A body has no tape of its own
// when it is differentiated, so such values pass a stop_gradient into it.
class BodyTape final : public TapeInterpreter {
 public:
  explicit BodyTape(TraceInterpreter& trace) : TapeInterpreter(trace), trace_(trace) {}

  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    absl::InlinedVector<Tensor, 4> symbols;
    for (const Tensor& input : inputs) {
      TANDEM_ASSIGN_OR_RETURN(Tensor symbol, Seen(input));
      symbols.push_back(std::move(symbol));
    }
    return TapeInterpreter::Invoke(op, symbols, attrs, options);
  }
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override {
    return callable.Inline(inputs);
  }

  // The symbol of this trace that stands for `tensor`, with a gradient or stopped.
  absl::StatusOr<Tensor> Seen(const Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    if (!trace_.Owns(tensor)) {
      TANDEM_ASSIGN_OR_RETURN(Tensor symbol, trace_.Capture(tensor));
      if (IsFloating(symbol.dtype()) && !RequiresGrad(symbol)) {
        TANDEM_RETURN_IF_ERROR(AttachGrad(symbol));
      }
      return symbol;
    }
    if (!IsFloating(tensor.dtype()) || RequiresGrad(tensor)) return tensor;
    const Graph& graph = trace_.graph();
    const ValueId value = static_cast<const GraphSymbol&>(*tensor.symbol()).value();
    const int32_t node = graph.values()[value].node;
    if (node >= 0) {
      const Node& producer = graph.nodes()[node];
      // Nothing to stop.
      if (producer.inputs.empty() || producer.op->name == "stop_gradient") return tensor;
    } else if (const int32_t input = graph.InputIndex(value);
               input >= 0 && graph.inputs()[input].kind == InputKind::kState) {
      return tensor;
    }
    Tensor& stopped = stopped_[value];
    if (!stopped.defined()) {
      TANDEM_ASSIGN_OR_RETURN(const OpDef* const op, OpRegistry::Global().Get("stop_gradient"));
      TANDEM_ASSIGN_OR_RETURN(TensorList result,
                              trace_.Invoke(*op, {&tensor, 1}, AttributeMap(), {}));
      stopped = std::move(result[0]);
    }
    return stopped;
  }

 private:
  TraceInterpreter& trace_;
  absl::flat_hash_map<ValueId, Tensor> stopped_;
};

absl::StatusOr<Tensor> InvokeOne(absl::string_view op, absl::Span<const Tensor> inputs,
                                 absl::Span<const AttributeInit> attrs,
                                 const InvokeOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(TensorList outputs, Invoke(op, inputs, attrs, options));
  return std::move(outputs[0]);
}

}  // namespace

absl::Status BodyWriter::Record(const std::string& name, const BodyFunction& function,
                                absl::Span<const TensorSpec> arguments, Device* device) {
  TraceInterpreter trace(absl::StrCat(op_, " ", name), device, TraceInterpreter::Foreign::kCapture);
  std::vector<Tensor> symbols;
  for (size_t i = 0; i < arguments.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Tensor symbol,
                            trace.AddArgument(absl::StrCat("in", i), arguments[i], device));
    if (IsFloating(symbol.dtype())) TANDEM_RETURN_IF_ERROR(AttachGrad(symbol));
    symbols.push_back(std::move(symbol));
  }
  std::vector<std::pair<std::string, Tensor>> outputs;
  {
    BodyTape tape(trace);
    InterpreterScope scope(tape);
    TANDEM_ASSIGN_OR_RETURN(const TensorList results, function(symbols));
    if (results.empty()) return Error(name, "gives no results");
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].defined()) {
        return Error(name, absl::StrCat("gives an undefined tensor as result ", i));
      }
      TANDEM_ASSIGN_OR_RETURN(Tensor seen, tape.Seen(results[i]));
      outputs.emplace_back(absl::StrCat("out", i), std::move(seen));
    }
  }
  TANDEM_ASSIGN_OR_RETURN(TracedGraph traced, trace.Finish(outputs));
  for (const StateUpdate& update : traced.graph.updates()) {
    return Unsupported(name,
                       absl::StrCat("writes '", traced.graph.inputs()[update.input].name, "'"),
                       "make it a value that the function takes and gives");
  }
  random_blocks_ = traced.graph.random_blocks();
  if (random_blocks_ > 0 && !steps_) {
    return Unsupported(name, "draws random numbers", "draw them before, and use them here");
  }
  Recorded recorded;
  std::vector<ValueId> random;
  for (size_t i = 0; i < traced.bindings.size(); ++i) {
    const InputBinding& binding = traced.bindings[i];
    const ValueId value = traced.graph.inputs()[i].value;
    if (binding.kind == InputKind::kArgument) {
      recorded.given.push_back(value);
    } else if (binding.kind == InputKind::kRandomState) {
      random.push_back(value);
    }
    const bool is_given =
        binding.kind == InputKind::kArgument || binding.kind == InputKind::kRandomState;
    recorded.captured.push_back(is_given ? -1 : Captured(binding));
  }
  recorded.given.insert(recorded.given.end(), random.begin(), random.end());
  recorded.graph = std::move(traced.graph);
  recorded_.push_back(std::move(recorded));
  return absl::OkStatus();
}

absl::StatusOr<Tensor> BodyWriter::RandomStates(Device* device) const {
  if (device == nullptr) {
    return Error("the step", "draws random numbers, but no input says on which device");
  }
  TANDEM_ASSIGN_OR_RETURN(const int64_t blocks, CheckedMul(steps_->count, random_blocks_));
  TANDEM_ASSIGN_OR_RETURN(const RandomState state, NextRandom(*device, blocks));
  const int64_t last = std::max<int64_t>(blocks - random_blocks_, 0);
  const int64_t start = state.delta + (steps_->reverse ? last : 0);
  const int64_t step = steps_->reverse ? -random_blocks_ : random_blocks_;
  InvokeOptions options;
  options.device = device;
  options.location = location_;
  TANDEM_ASSIGN_OR_RETURN(const Tensor offsets, InvokeOne("arange", {},
                                                          {{"start", static_cast<double>(start)},
                                                           {"step", static_cast<double>(step)},
                                                           {"count", steps_->count},
                                                           {"dtype", DType::kI64}},
                                                          options));
  TANDEM_ASSIGN_OR_RETURN(
      const Tensor zeros,
      InvokeOne("full", {},
                {{"shape", Dims({steps_->count})}, {"value", 0.0}, {"dtype", DType::kI64}},
                options));
  TANDEM_ASSIGN_OR_RETURN(const Tensor pairs,
                          InvokeOne("stack", {zeros, offsets}, {{"axis", 1}}, options));
  return InvokeOne("add", {state.state, pairs}, {}, options);
}

absl::StatusOr<TensorList> BodyWriter::Invoke(absl::Span<const Tensor> inputs,
                                              std::vector<AttributeInit> attributes,
                                              absl::Span<const absl::string_view> body_names) {
  std::vector<Tensor> operands(inputs.begin(), inputs.end());
  for (const InputBinding& binding : captured_) {
    Tensor value = binding.tensor;
    if (binding.variable != nullptr) {
      TANDEM_ASSIGN_OR_RETURN(value, ReadVariable(*binding.variable));
    }
    operands.push_back(std::move(value));
  }
  for (size_t i = 0; i < recorded_.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> body, Body(recorded_[i]));
    const AttributeValue value(body);
    attributes.emplace_back(body_names[i], value);
  }
  InvokeOptions options;
  options.location = location_;
  return tandem::Invoke(op_, operands, attributes, options);
}

absl::Status BodyWriter::Error(absl::string_view name, absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(op_, ": ", name, " ", what, " [at ", ToString(location_), "]"));
}

absl::Status BodyWriter::Unsupported(absl::string_view name, absl::string_view what,
                                     absl::string_view remedy) const {
  return absl::UnimplementedError(
      absl::StrCat(op_, ": ", name, " ", what,
                   ", which a body of control flow cannot where it is compiled or differentiated; ",
                   remedy, " [at ", ToString(location_), "]"));
}

int BodyWriter::Captured(const InputBinding& binding) {
  for (size_t i = 0; i < captured_.size(); ++i) {
    const bool same = binding.variable != nullptr
                          ? captured_[i].variable == binding.variable
                          : captured_[i].variable == nullptr &&
                                captured_[i].tensor.impl() == binding.tensor.impl();
    if (same) return static_cast<int>(i);
  }
  captured_.push_back(binding);
  return static_cast<int>(captured_.size()) - 1;
}

absl::StatusOr<Ref<const OpBody>> BodyWriter::Body(const Recorded& recorded) const {
  std::vector<BodyArgument> arguments;
  for (const ValueId value : recorded.given) arguments.push_back({value});
  for (const InputBinding& binding : captured_) {
    arguments.push_back(
        {-1, binding.variable != nullptr ? binding.variable->Get().spec() : binding.tensor.spec()});
  }
  for (size_t i = 0; i < recorded.captured.size(); ++i) {
    if (recorded.captured[i] < 0) continue;
    const size_t place = recorded.given.size() + static_cast<size_t>(recorded.captured[i]);
    arguments[place].value = recorded.graph.inputs()[i].value;
  }
  return BodyOfGraph(recorded.graph, arguments);
}

}  // namespace tandem
