#include "tandem/graph/exec/lower.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/kernel.h"
#include "tandem/graph/trace/graph_symbol.h"

namespace tandem {
namespace {

// Guards against decompositions that lead to themselves.
constexpr int kMaxDepth = 64;

// Adds what has a kernel to the new graph, decomposes the rest.
class Lowering : public Interpreter {
 public:
  Lowering(const Graph& graph, Device& device)
      : source_(graph),
        device_(device),
        result_(graph.name()),
        identity_(MakeRef<TraceIdentity>(graph.name(), this)) {}
  ~Lowering() override { identity_->Finish(); }

  absl::StatusOr<Graph> Run() {
    std::vector<ValueId> map(source_.values().size(), -1);
    for (const GraphInput& input : source_.inputs()) {
      TANDEM_ASSIGN_OR_RETURN(map[input.value],
                              result_.AddInput(input.name, source_.spec(input.value), input.kind));
    }
    for (const GraphConstant& constant : source_.constants()) {
      TANDEM_ASSIGN_OR_RETURN(map[constant.value], result_.AddConstant(constant.tensor));
    }
    for (const Node& node : source_.nodes()) {
      node_ = &node;
      ValueIds inputs;
      for (const ValueId input : node.inputs) inputs.push_back(map[input]);
      ValueIds outputs;
      const absl::Status status = Emit(*node.op, inputs, node.attrs, &outputs);
      if (!status.ok()) return Annotated(status);
      if (outputs.size() < node.outputs.size()) {
        return absl::InternalError(
            absl::StrCat(node.op->name, ": its decomposition gives too few outputs"));
      }
      for (size_t i = 0; i < node.outputs.size(); ++i) map[node.outputs[i]] = outputs[i];
    }
    for (const GraphOutput& output : source_.outputs()) {
      TANDEM_RETURN_IF_ERROR(result_.AddOutput(output.name, map[output.value]));
    }
    for (const StateUpdate& update : source_.updates()) {
      TANDEM_RETURN_IF_ERROR(result_.AddUpdate(update.input, map[update.value]));
    }
    result_.set_random_blocks(source_.random_blocks());
    return std::move(result_);
  }

  // What decompositions call.
  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs, const InvokeOptions&) override {
    ValueIds ids;
    for (const Tensor& input : inputs) {
      if (!input.defined()) {
        return absl::InternalError(absl::StrCat(op.name, ": an input is undefined"));
      }
      if (input.is_symbolic()) {
        ids.push_back(static_cast<const GraphSymbol&>(*input.symbol()).value());
      } else {
        TANDEM_ASSIGN_OR_RETURN(const ValueId constant, result_.AddConstant(input));
        ids.push_back(constant);
      }
    }
    ValueIds outputs;
    TANDEM_RETURN_IF_ERROR(Emit(op, ids, attrs, &outputs));
    TensorList symbols;
    for (const ValueId output : outputs) symbols.push_back(Symbol(output));
    return symbols;
  }
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor>) override {
    return absl::InternalError(absl::StrCat("a decomposition calls '", callable.name(), "'"));
  }
  absl::StatusOr<Tensor> Read(Variable& variable) override {
    return absl::InternalError(absl::StrCat("a decomposition reads '", variable.name(), "'"));
  }
  absl::Status Write(Variable& variable, const Tensor&) override {
    return absl::InternalError(absl::StrCat("a decomposition writes '", variable.name(), "'"));
  }
  absl::StatusOr<RandomState> NextRandom(Device&, int64_t) override {
    return absl::InternalError("a decomposition draws random numbers");
  }

 private:
  Tensor Symbol(ValueId value) {
    const TensorSpec& spec = result_.spec(value);
    return Tensor::Symbolic(
        spec, &device_,
        MakeRef<GraphSymbol>(identity_, value,
                             GraphSymbol::Origin{result_.ValueName(value), "value", spec,
                                                 node_->block, node_->location}));
  }

  absl::Status Annotated(const absl::Status& status) const {
    std::string text(status.message());
    if (!node_->block.empty()) absl::StrAppend(&text, " [in block ", node_->block, "]");
    if (!node_->location.empty()) absl::StrAppend(&text, " [at ", node_->location, "]");
    return absl::Status(status.code(), text);
  }

  absl::StatusOr<bool> HasKernel(const OpDef& op, const ValueIds& inputs,
                                 const AttributeMap& attrs) const {
    absl::InlinedVector<const TensorSpec*, 4> specs;
    LayoutList in_layouts;
    for (const ValueId input : inputs) {
      specs.push_back(&result_.spec(input));
      in_layouts.push_back(TensorLayout::Contiguous(*specs.back()));
    }
    TANDEM_ASSIGN_OR_RETURN(const SpecList out_specs, InferSpecs(op, attrs, specs));
    LayoutList out_layouts;
    bool all_empty = true;
    for (const TensorSpec& spec : out_specs) {
      out_layouts.push_back(TensorLayout::Contiguous(spec));
      all_empty = all_empty && spec.shape.num_elements() == 0;
    }
    // Nothing to compute needs no kernel.
    if (all_empty) return true;
    return KernelRegistry::Global().Find({op, attrs, in_layouts, out_layouts, device_}) != nullptr;
  }

  absl::Status Emit(const OpDef& op, const ValueIds& inputs, const AttributeMap& attrs,
                    ValueIds* outputs) {
    // Control flow is run by the executable, which compiles its bodies.
    bool direct = op.view || op.control;
    if (!direct) {
      TANDEM_ASSIGN_OR_RETURN(direct, HasKernel(op, inputs, attrs));
    }
    if (direct) {
      TANDEM_ASSIGN_OR_RETURN(*outputs,
                              result_.AddNode(op, attrs, inputs, node_->block, node_->location));
      return absl::OkStatus();
    }
    if (!op.decompose) {
      const std::string specs = absl::StrJoin(inputs, ", ", [&](std::string* out, ValueId id) {
        absl::StrAppend(out, result_.spec(id).ToString());
      });
      return absl::UnimplementedError(
          absl::StrCat(op.name, "(", specs, "): no kernel on ", device_.id().ToString(),
                       " takes these, and the op has no decomposition"));
    }
    if (depth_ == kMaxDepth) {
      return absl::InternalError(absl::StrCat(op.name, ": its decomposition does not end"));
    }
    std::vector<Tensor> symbols;
    for (const ValueId input : inputs) symbols.push_back(Symbol(input));
    InterpreterInvoker invoker(this);
    DecomposeContext context(attrs, symbols, invoker);
    ++depth_;
    auto results = op.decompose(context);
    --depth_;
    if (!results.ok()) return Annotate(results.status(), absl::StrCat("in ", op.name));
    for (const Tensor& result : *results) {
      outputs->push_back(static_cast<const GraphSymbol&>(*result.symbol()).value());
    }
    return absl::OkStatus();
  }

  const Graph& source_;
  Device& device_;
  Graph result_;
  const Ref<TraceIdentity> identity_;
  const Node* node_ = nullptr;  // the one that is being lowered
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<Graph> LowerGraph(const Graph& graph, Device& device) {
  return Lowering(graph, device).Run();
}

}  // namespace tandem
