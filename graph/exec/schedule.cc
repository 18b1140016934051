#include "tandem/graph/exec/schedule.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/core/op/op_body.h"

namespace tandem {
namespace {

class Scheduler {
 public:
  Scheduler(const Graph& graph, Device& device, absl::Span<const InputRange> inputs)
      : graph_(graph), device_(device), inputs_(inputs) {}

  absl::StatusOr<Schedule> Run() {
    CountUses();
    values_.resize(graph_.values().size());
    TANDEM_RETURN_IF_ERROR(BindSources());
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (!needed_[i]) continue;
      if (absl::Status status = AddNode(node); !status.ok()) {
        std::string where = node.op->name;
        if (!node.block.empty()) absl::StrAppend(&where, " in block ", node.block);
        if (!node.location.empty()) absl::StrAppend(&where, " at ", node.location);
        return Annotate(status, where);
      }
    }
    for (const GraphOutput& output : graph_.outputs()) {
      TANDEM_RETURN_IF_ERROR(AddOutput(output.value));
    }
    for (const StateUpdate& update : graph_.updates()) {
      TANDEM_RETURN_IF_ERROR(AddOutput(update.value));
    }
    TANDEM_RETURN_IF_ERROR(PlanMemory());
    return std::move(result_);
  }

 private:
  // Uses by nodes that matter, outputs and updates.
  void CountUses() {
    uses_.assign(graph_.values().size(), 0);
    needed_.assign(graph_.nodes().size(), false);
    for (const GraphOutput& output : graph_.outputs()) ++uses_[output.value];
    for (const StateUpdate& update : graph_.updates()) ++uses_[update.value];
    for (size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      for (const ValueId output : node.outputs) needed_[i] = needed_[i] || uses_[output] > 0;
      if (!needed_[i]) continue;
      for (const ValueId input : node.inputs) ++uses_[input];
    }
  }

  int AddBlock(BlockKind kind, int index, int64_t bytes, std::string name) {
    const int now = static_cast<int>(result_.steps.size());
    result_.blocks.push_back({kind, index, bytes, now, now, std::move(name)});
    pending_.push_back(0);
    return static_cast<int>(result_.blocks.size()) - 1;
  }

  // A new block for one contiguous tensor.
  Operand NewOperand(BlockKind kind, int index, const TensorSpec& spec, std::string name) {
    return {AddBlock(kind, index, spec.num_bytes(), std::move(name)),
            TensorLayout::Contiguous(spec)};
  }

  void SetValue(ValueId value, Operand operand) {
    pending_[operand.block] += uses_[value];
    values_[value] = std::move(operand);
  }

  absl::Status BindSources() {
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      const GraphInput& input = graph_.inputs()[i];
      const int block = AddBlock(BlockKind::kInput, static_cast<int>(i), inputs_[i].bytes,
                                 graph_.ValueName(input.value));
      SetValue(input.value, {block, inputs_[i].layout});
    }
    for (size_t i = 0; i < graph_.constants().size(); ++i) {
      const GraphConstant& constant = graph_.constants()[i];
      Tensor tensor = constant.tensor;
      InputRange range = InputRange::Of(tensor.layout(), device_.info().alignment);
      if (tensor.device() != &device_ || !range.aligned) {
        std::vector<std::byte> bytes(tensor.spec().num_bytes());
        TANDEM_RETURN_IF_ERROR(tensor.CopyToHost(absl::MakeSpan(bytes)));
        TANDEM_ASSIGN_OR_RETURN(tensor, Tensor::FromBytes(bytes, tensor.spec(), device_));
        range = InputRange::Contiguous(tensor.spec());
      }
      const int block = AddBlock(BlockKind::kConstant, static_cast<int>(i), range.bytes,
                                 graph_.ValueName(constant.value));
      SetValue(constant.value, {block, range.layout});
      result_.constants.push_back(BufferView::Of(*tensor.buffer(), range.start, range.bytes));
      result_.constant_buffers.push_back(tensor.buffer());
    }
    return absl::OkStatus();
  }

  std::string Label(ValueId value, absl::string_view producer) const {
    return absl::StrCat(graph_.ValueName(value), " = ", producer, " : ",
                        graph_.spec(value).ToString());
  }

  // "fused(matmul, add, relu)" for an op that is its body, else its name.
  static std::string Producer(const Node& node) {
    const OpBody* body = BodyOf(*node.op, node.attrs);
    if (body == nullptr) return node.op->name;
    const auto name = [](std::string* out, const OpBody::Step& step) { *out += step.op->name; };
    return absl::StrCat(node.op->name, "(", absl::StrJoin(body->steps(), ", ", name), ")");
  }

  void Note(const Node& node, std::string kernel, std::string description = "") {
    result_.notes.push_back({Label(node.outputs[0], Producer(node)), std::move(kernel),
                             std::move(description), node.block, node.location});
  }

  absl::Status AddNode(const Node& node) {
    bool all_empty = true;
    for (const ValueId output : node.outputs) {
      all_empty = all_empty && graph_.spec(output).shape.num_elements() == 0;
    }
    if (all_empty) {
      for (const ValueId input : node.inputs) --pending_[values_[input].block];
      for (const ValueId output : node.outputs) {
        SetValue(output, NewOperand(BlockKind::kTemporary, -1, graph_.spec(output),
                                    graph_.ValueName(output)));
      }
      Note(node, "nothing to compute");
      return absl::OkStatus();
    }
    if (node.op->control) return AddControl(node);
    return node.op->view ? AddView(node) : AddKernel(node);
  }

  absl::Status AddView(const Node& node) {
    absl::InlinedVector<TensorSpec, 2> specs;
    for (const ValueId output : node.outputs) specs.push_back(graph_.spec(output));
    Operand source = values_[node.inputs[0]];
    for (const ValueId input : node.inputs) --pending_[values_[input].block];
    LayoutList layouts;
    if (!node.op->view(source.layout, node.attrs, specs, &layouts)) {
      TANDEM_ASSIGN_OR_RETURN(source, Contiguous(source, graph_.ValueName(node.inputs[0])));
      layouts.clear();
      if (!node.op->view(source.layout, node.attrs, specs, &layouts)) {
        return absl::InternalError(
            absl::StrCat("no view of a contiguous ", source.layout.spec.ToString()));
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      SetValue(node.outputs[i], {source.block, layouts[i], source.byte_offset});
    }
    Note(node, "view");
    return absl::OkStatus();
  }

  // A row-major copy in a block of its own.
  absl::StatusOr<Operand> Contiguous(const Operand& source, absl::string_view name) {
    Operand copy =
        NewOperand(BlockKind::kTemporary, -1, source.layout.spec, absl::StrCat("copy of ", name));
    TANDEM_RETURN_IF_ERROR(AddCopy(source, copy));
    return copy;
  }

  // Copies a value to a contiguous operand, by the identity op's kernel unless bytes are enough.
  absl::Status AddCopy(const Operand& from, const Operand& to) {
    Step step;
    const int64_t start = from.layout.offset * DTypeSize(from.layout.spec.dtype);
    if (from.layout.is_contiguous() && start % device_.info().alignment == 0) {
      Operand source = from;
      source.byte_offset += start;
      source.layout = TensorLayout::Contiguous(from.layout.spec);
      step.inputs.push_back(std::move(source));
      step.outputs.push_back(to);
    } else {
      TANDEM_ASSIGN_OR_RETURN(const OpDef* const identity, OpRegistry::Global().Get("identity"));
      static const AttributeMap kNone;
      const KernelRequest request{*identity, kNone, {&from.layout, 1}, {&to.layout, 1}, device_};
      const KernelDef* const kernel = KernelRegistry::Global().Find(request);
      if (kernel == nullptr || !kernel->strided_inputs) {
        return absl::UnimplementedError(absl::StrCat("no kernel of identity on ",
                                                     device_.id().ToString(), " copies a strided ",
                                                     from.layout.spec.ToString()));
      }
      TANDEM_ASSIGN_OR_RETURN(step.kernel, kernel->prepare(request));
      step.inputs.push_back(from);
      step.outputs.push_back(to);
      step.workspace_bytes = step.kernel->workspace_bytes();
    }
    PushStep(std::move(step));
    return absl::OkStatus();
  }

  void PushStep(Step step) {
    const int now = static_cast<int>(result_.steps.size());
    for (const Operand& operand : step.inputs) {
      ScheduledBlock& block = result_.blocks[operand.block];
      block.last = std::max(block.last, now);
    }
    for (const Operand& operand : step.outputs) {
      ScheduledBlock& block = result_.blocks[operand.block];
      block.last = std::max(block.last, now);
    }
    result_.steps.push_back(std::move(step));
  }

  absl::Status AddKernel(const Node& node) {
    absl::InlinedVector<Operand, 3> inputs;
    LayoutList in_layouts;
    for (const ValueId input : node.inputs) {
      inputs.push_back(values_[input]);
      in_layouts.push_back(values_[input].layout);
      --pending_[values_[input].block];
    }
    LayoutList out_layouts;
    for (const ValueId output : node.outputs) {
      out_layouts.push_back(TensorLayout::Contiguous(graph_.spec(output)));
    }
    // The same choice as the eager interpreter makes, which is why both give the same bits.
    const KernelRequest request{*node.op, node.attrs, in_layouts, out_layouts, device_};
    const KernelDef* kernel = KernelRegistry::Global().Find(request);
    const bool as_they_lie = kernel != nullptr && kernel->strided_inputs;
    if (kernel == nullptr) {
      // Lowering found one for contiguous inputs, and kept the node for its sake.
      LayoutList contiguous;
      for (const TensorLayout& layout : in_layouts) {
        contiguous.push_back(TensorLayout::Contiguous(layout.spec));
      }
      kernel =
          KernelRegistry::Global().Find({*node.op, node.attrs, contiguous, out_layouts, device_});
    }
    if (kernel == nullptr) {
      return absl::UnimplementedError(
          absl::StrCat("no kernel on ", device_.id().ToString(), " takes its inputs"));
    }
    if (!as_they_lie) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const int64_t start = in_layouts[i].offset * DTypeSize(in_layouts[i].spec.dtype);
        if (in_layouts[i].is_contiguous() && start % device_.info().alignment == 0) {
          inputs[i].byte_offset += start;
        } else {
          const std::string name = graph_.ValueName(node.inputs[i]);
          TANDEM_ASSIGN_OR_RETURN(inputs[i], Contiguous(inputs[i], name));
          result_.notes.push_back({Label(node.inputs[i], "identity"), "copy",
                                   absl::StrCat("made contiguous for ", kernel->name), node.block,
                                   node.location});
        }
        in_layouts[i] = TensorLayout::Contiguous(in_layouts[i].spec);
        inputs[i].layout = in_layouts[i];
      }
    }
    auto prepared = kernel->prepare(request);
    if (!prepared.ok()) return Annotate(prepared.status(), absl::StrCat("kernel ", kernel->name));

    Step step;
    step.kernel = *std::move(prepared);
    step.workspace_bytes = step.kernel->workspace_bytes();
    step.inputs = std::move(inputs);
    const int reused = ReusableInput(node, step);
    for (const ValueId output : node.outputs) {
      Operand operand = reused >= 0 ? Operand{step.inputs[reused].block,
                                              TensorLayout::Contiguous(graph_.spec(output))}
                                    : NewOperand(BlockKind::kTemporary, -1, graph_.spec(output),
                                                 graph_.ValueName(output));
      step.outputs.push_back(operand);
      SetValue(output, std::move(operand));
    }
    Note(node, kernel->name,
         absl::StrCat(step.kernel->description(), reused >= 0 ? " (in place)" : ""));
    PushStep(std::move(step));
    return absl::OkStatus();
  }

  // Values are taken as they lie, as eager mode takes them; results get memory of their own.
  absl::Status AddControl(const Node& node) {
    Step step;
    step.control = std::make_shared<const ControlStep>(ControlStep{node.op, node.attrs});
    for (const ValueId input : node.inputs) {
      step.inputs.push_back(values_[input]);
      --pending_[values_[input].block];
    }
    for (const ValueId output : node.outputs) {
      Operand operand =
          NewOperand(BlockKind::kTemporary, -1, graph_.spec(output), graph_.ValueName(output));
      step.outputs.push_back(operand);
      SetValue(output, std::move(operand));
    }
    Note(node, "control flow", "the host decides, its bodies are programs");
    PushStep(std::move(step));
    return absl::OkStatus();
  }

  // The input whose block the output may overwrite, or -1.
  int ReusableInput(const Node& node, const Step& step) const {
    if (node.outputs.size() != 1 || !IsInplaceSafe(*node.op, node.attrs)) return -1;
    const TensorSpec& spec = graph_.spec(node.outputs[0]);
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const Operand& input = step.inputs[i];
      const ScheduledBlock& block = result_.blocks[input.block];
      if (block.kind != BlockKind::kTemporary || pending_[input.block] != 0 ||
          block.bytes != spec.num_bytes() || input.byte_offset != 0 ||
          !(input.layout == TensorLayout::Contiguous(spec))) {
        continue;
      }
      // Another look at the same memory would see half-written values.
      const bool seen_otherwise =
          std::any_of(step.inputs.begin(), step.inputs.end(), [&](const Operand& other) {
            return other.block == input.block &&
                   !(other.layout == input.layout && other.byte_offset == 0);
          });
      if (!seen_otherwise) return static_cast<int>(i);
    }
    return -1;
  }

  // Outputs are written where they belong if they have a block to themselves, else copied there.
  absl::Status AddOutput(ValueId value) {
    const int index = static_cast<int>(result_.outputs.size());
    const TensorSpec& spec = graph_.spec(value);
    result_.outputs.push_back(spec);
    const Operand& operand = values_[value];
    ScheduledBlock& block = result_.blocks[operand.block];
    if (block.kind == BlockKind::kTemporary && operand.byte_offset == 0 &&
        operand.layout == TensorLayout::Contiguous(spec) && block.bytes == spec.num_bytes()) {
      block.kind = BlockKind::kOutput;
      block.index = index;
      return absl::OkStatus();
    }
    const Operand output =
        NewOperand(BlockKind::kOutput, index, spec, absl::StrCat("output ", index));
    if (spec.shape.num_elements() == 0) return absl::OkStatus();
    result_.notes.push_back(
        {Label(value, "identity"), "copy", "an output has memory of its own", "", ""});
    return AddCopy(operand, output);
  }

  absl::Status PlanMemory() {
    MemoryPlanner planner(device_.info().alignment);
    // Pools are numbered like outputs.
    std::vector<MemoryPool> outputs(result_.outputs.size());
    for (const ScheduledBlock& block : result_.blocks) {
      if (block.kind == BlockKind::kOutput) outputs[block.index] = {block.bytes, block.first};
    }
    for (const MemoryPool& pool : outputs) planner.AddPool(pool);
    for (ScheduledBlock& block : result_.blocks) {
      if (block.kind != BlockKind::kTemporary) continue;
      block.index = planner.Add(
          {.bytes = block.bytes, .first = block.first, .last = block.last, .name = block.name});
    }
    for (size_t i = 0; i < result_.steps.size(); ++i) {
      Step& step = result_.steps[i];
      if (step.workspace_bytes <= 0) continue;
      const int now = static_cast<int>(i);
      step.workspace = planner.Add({.bytes = step.workspace_bytes,
                                    .first = now,
                                    .last = now,
                                    .name = absl::StrCat("workspace of step ", i)});
    }
    TANDEM_ASSIGN_OR_RETURN(result_.plan, planner.Plan());
    return absl::OkStatus();
  }

  const Graph& graph_;
  Device& device_;
  const absl::Span<const InputRange> inputs_;
  Schedule result_;
  std::vector<int32_t> uses_;
  std::vector<bool> needed_;
  std::vector<Operand> values_;
  std::vector<int64_t> pending_;  // uses that a block still has
};

}  // namespace

absl::StatusOr<Schedule> Schedule::Create(const Graph& graph, Device& device,
                                          absl::Span<const InputRange> inputs) {
  return Scheduler(graph, device, inputs).Run();
}

}  // namespace tandem
