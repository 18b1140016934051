#include "tandem/graph/compile/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/graph/exec/input_range.h"

namespace tandem {
namespace {

// Runs eagerly, without side effects, and remembers every op and its results.
class Recorder : public Interpreter {
 public:
  struct OpCall {
    const OpDef* op;
    AttributeMap attrs;
    TensorList outputs;
    std::string where;
  };

  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    TANDEM_ASSIGN_OR_RETURN(TensorList outputs,
                            EagerInterpreter().Invoke(op, inputs, attrs, options));
    std::string where;
    const std::string block = CurrentBlockPath();
    if (!block.empty()) absl::StrAppend(&where, " in block ", block);
    const std::string location = options.LocationString();
    if (!location.empty()) absl::StrAppend(&where, " at ", location);
    calls.push_back({&op, attrs, outputs, std::move(where)});
    return outputs;
  }
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override {
    return callable.Inline(inputs);
  }
  absl::StatusOr<Tensor> Read(Variable& variable) override {
    if (auto it = written_.find(&variable); it != written_.end()) return it->second;
    return EagerInterpreter().Read(variable);
  }
  absl::Status Write(Variable& variable, const Tensor& value) override {
    written_[&variable] = value;
    return absl::OkStatus();
  }
  absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) override {
    TANDEM_RETURN_IF_ERROR(MakeRandomState(device));
    RandomState state{random_state, next_block_};
    next_block_ += blocks;
    return state;
  }
  absl::Status MakeRandomState(Device& device) {
    if (random_state.defined()) return absl::OkStatus();
    TANDEM_ASSIGN_OR_RETURN(random_state, Tensor::FromVector<int64_t>({42, 0}, {2}, device));
    return absl::OkStatus();
  }

  std::vector<OpCall> calls;
  Tensor random_state;

  // What the body wrote last to each variable.
  const absl::flat_hash_map<const Variable*, Tensor>& written() const { return written_; }

 private:
  absl::flat_hash_map<const Variable*, Tensor> written_;
  int64_t next_block_ = 0;
};

std::string WhereOf(const Node& node) {
  std::string where;
  if (!node.block.empty()) absl::StrAppend(&where, " in block ", node.block);
  if (!node.location.empty()) absl::StrAppend(&where, " at ", node.location);
  return where;
}

absl::Status Differs(const std::string& name, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("'", name, "' differs from its eager body: ", what));
}

// The values of all nodes, op by op, eagerly.
absl::StatusOr<std::vector<Tensor>> Interpret(const Graph& graph, absl::Span<const Tensor> feed,
                                              Device* device) {
  std::vector<Tensor> values(graph.values().size());
  for (size_t i = 0; i < feed.size(); ++i) values[graph.inputs()[i].value] = feed[i];
  for (const GraphConstant& constant : graph.constants()) values[constant.value] = constant.tensor;
  for (const Node& node : graph.nodes()) {
    std::vector<Tensor> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(values[input]);
    InvokeOptions options;
    options.device = device;
    options.location_text = node.location;
    TANDEM_ASSIGN_OR_RETURN(TensorList outputs,
                            EagerInterpreter().Invoke(*node.op, inputs, node.attrs, options));
    for (size_t i = 0; i < outputs.size(); ++i) values[node.outputs[i]] = outputs[i];
  }
  return values;
}

absl::Status CompareNode(const std::string& name, const Graph& graph, const Node& node,
                         absl::Span<const Tensor> actual, absl::Span<const Tensor> expected,
                         absl::string_view mode) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(const std::string difference,
                            DescribeDifference(actual[i], expected[i]));
    if (difference.empty()) continue;
    return Differs(name, absl::StrCat(mode, ": ", graph.ValueName(node.outputs[i]), " = ",
                                      node.op->name, WhereOf(node), " ", difference));
  }
  return absl::OkStatus();
}

// Runs the graph compiled, with every value of a node as an output, and compares with `values`.
absl::Status CompareCompiled(const std::string& name, const Graph& graph,
                             absl::Span<const Tensor> feed, absl::Span<const Tensor> values,
                             Device& device) {
  Graph probe = graph;
  for (const Node& node : graph.nodes()) {
    for (const ValueId output : node.outputs) {
      TANDEM_RETURN_IF_ERROR(probe.AddOutput(absl::StrCat("probe of ", output), output));
    }
  }
  ExecutableOptions options;
  for (const Tensor& tensor : feed) {
    options.input_layouts.push_back(
        InputRange::Of(tensor.layout(), device.info().alignment).layout);
  }
  TANDEM_ASSIGN_OR_RETURN(const Ref<Executable> executable,
                          Executable::Create(probe, device, options));
  TANDEM_ASSIGN_OR_RETURN(const RunResult result, executable->Run(feed));
  size_t next = graph.outputs().size();
  for (const Node& node : graph.nodes()) {
    const absl::Span<const Tensor> actual(&result.outputs[next], node.outputs.size());
    std::vector<Tensor> expected;
    for (const ValueId output : node.outputs) expected.push_back(values[output]);
    TANDEM_RETURN_IF_ERROR(CompareNode(name, graph, node, actual, expected, "compiled"));
    next += node.outputs.size();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> DescribeDifference(const Tensor& actual, const Tensor& expected) {
  if (actual.spec() != expected.spec()) {
    return absl::StrCat("is ", actual.spec().ToString(), ", expected ", expected.spec().ToString());
  }
  std::vector<std::byte> left(actual.spec().num_bytes());
  std::vector<std::byte> right(left.size());
  TANDEM_RETURN_IF_ERROR(actual.CopyToHost(absl::MakeSpan(left)));
  TANDEM_RETURN_IF_ERROR(expected.CopyToHost(absl::MakeSpan(right)));
  if (left == right) return "";
  const int64_t size = DTypeSize(actual.dtype());
  const int64_t count = actual.num_elements();
  int64_t different = 0;
  double largest = 0;
  DispatchDType(actual.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < count; ++i) {
      if (std::memcmp(&left[i * size], &right[i * size], size) == 0) continue;
      ++different;
      T a;
      T b;
      std::memcpy(&a, &left[i * size], size);
      std::memcpy(&b, &right[i * size], size);
      const double error = std::abs(static_cast<double>(a) - static_cast<double>(b));
      // A NaN on one side only is the largest error there is.
      if (std::isnan(error)) largest = HUGE_VAL;
      largest = std::max(largest, error);
    }
  });
  return absl::StrCat("differs in ", different, " of ", count, " elements, largest error ",
                      largest);
}

absl::Status VerifyAgainstEager(const std::string& name, const TraceBody& body,
                                absl::Span<const Tensor> inputs, const TracedGraph& traced,
                                const Graph& optimized, const Executable& executable) {
  Recorder recorder;
  absl::StatusOr<TensorList> expected;
  {
    InterpreterScope scope(recorder);
    expected = body(inputs);
  }
  if (!expected.ok()) return Annotate(expected.status(), "running the body eagerly");

  std::vector<Tensor> feed;
  for (const InputBinding& binding : traced.bindings) {
    switch (binding.kind) {
      case InputKind::kArgument:
        feed.push_back(inputs[binding.argument]);
        break;
      case InputKind::kParameter:
      case InputKind::kState:
        feed.push_back(binding.variable->Get());
        break;
      case InputKind::kCapture:
        feed.push_back(binding.tensor);
        break;
      case InputKind::kRandomState:
        TANDEM_RETURN_IF_ERROR(recorder.MakeRandomState(*traced.device));
        feed.push_back(recorder.random_state);
        break;
    }
  }

  // The body against its trace: the same ops with the same results, in order.
  const Graph& graph = traced.graph;
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> values, Interpret(graph, feed, traced.device));
  for (size_t i = 0; i < graph.nodes().size() || i < recorder.calls.size(); ++i) {
    if (i >= recorder.calls.size()) {
      return Differs(name, absl::StrCat("it did not run ", graph.nodes()[i].op->name,
                                        WhereOf(graph.nodes()[i]), ", which was traced"));
    }
    const Recorder::OpCall& call = recorder.calls[i];
    if (i >= graph.nodes().size()) {
      return Differs(name,
                     absl::StrCat("it ran ", call.op->name, call.where, ", which was not traced"));
    }
    const Node& node = graph.nodes()[i];
    if (node.op != call.op || !(node.attrs == call.attrs)) {
      return Differs(
          name, absl::StrCat("it ran ", call.op->name, call.attrs.ToString(), call.where,
                             ", traced was ", node.op->name, node.attrs.ToString(), WhereOf(node)));
    }
    std::vector<Tensor> actual;
    for (const ValueId output : node.outputs) actual.push_back(values[output]);
    TANDEM_RETURN_IF_ERROR(CompareNode(name, graph, node, actual, call.outputs, "traced"));
  }

  TANDEM_ASSIGN_OR_RETURN(const RunResult result, executable.Run(feed));
  const auto compare = [&](absl::string_view what, const Tensor& actual,
                           const Tensor& wanted) -> absl::Status {
    TANDEM_ASSIGN_OR_RETURN(const std::string difference, DescribeDifference(actual, wanted));
    if (difference.empty()) return absl::OkStatus();
    // Where does it begin?
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> steps,
                            Interpret(optimized, feed, traced.device));
    TANDEM_RETURN_IF_ERROR(CompareCompiled(name, optimized, feed, steps, *traced.device));
    return Differs(name, absl::StrCat(what, " ", difference,
                                      "; each op alone agrees, so a pass or the memory plan is to "
                                      "blame"));
  };
  for (size_t i = 0; i < expected->size(); ++i) {
    TANDEM_RETURN_IF_ERROR(compare(absl::StrCat("output '", graph.outputs()[i].name, "'"),
                                   result.outputs[i], (*expected)[i]));
  }
  // The state that is written back.
  absl::flat_hash_set<const Variable*> updated;
  for (size_t i = 0; i < graph.updates().size(); ++i) {
    const Variable& variable = *traced.bindings[graph.updates()[i].input].variable;
    updated.insert(&variable);
    const auto written = recorder.written().find(&variable);
    if (written == recorder.written().end()) {
      return Differs(name, absl::StrCat("it did not write the variable '", variable.name(),
                                        "', which was traced"));
    }
    TANDEM_RETURN_IF_ERROR(
        compare(absl::StrCat("the new value of the variable '", variable.name(), "'"),
                result.updates[i], written->second));
  }
  for (const auto& [variable, value] : recorder.written()) {
    if (updated.contains(variable)) continue;
    return Differs(
        name, absl::StrCat("it wrote the variable '", variable->name(), "', which was not traced"));
  }
  return absl::OkStatus();
}

}  // namespace tandem
