#include "tandem/graph/exec/executable.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/graph/exec/lower.h"

namespace tandem {
namespace {

// Slot 0 is the arena; the inputs follow, then the outputs and updates.
constexpr int kArenaSlot = 0;
constexpr int kFirstInputSlot = 1;

BufferView Resolve(const BufferView& view, absl::Span<const BufferView> bindings) {
  if (!view.is_slot()) return view;
  const BufferView& bound = bindings[view.slot];
  return {bound.buffer, -1, bound.offset + view.offset, view.size};
}

int64_t StartBytes(const TensorLayout& layout) {
  return layout.offset * DTypeSize(layout.spec.dtype);
}

BufferView ViewOf(const Tensor& tensor, int64_t bytes) {
  return BufferView::Of(*tensor.buffer(), StartBytes(tensor.layout()), bytes);
}

bool Overlap(const BufferView& a, const BufferView& b) {
  return a.buffer == b.buffer && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

}  // namespace

absl::StatusOr<Ref<Executable>> Executable::Create(const Graph& graph, Device& device,
                                                   const ExecutableOptions& options) {
  if (options.static_shape && !options.static_alloc) {
    return absl::InvalidArgumentError(
        "static_shape needs static_alloc: the recorded work is bound to an arena that is kept from "
        "run to run");
  }
  if (!options.input_layouts.empty() && options.input_layouts.size() != graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat(options.input_layouts.size(), " layouts for ",
                                                   graph.inputs().size(), " inputs"));
  }
  TANDEM_ASSIGN_OR_RETURN(const Graph lowered, LowerGraph(graph, device));
  Ref<Executable> program = MakeRef<Executable>(device, options);
  std::vector<InputRange> ranges;
  for (size_t i = 0; i < lowered.inputs().size(); ++i) {
    const GraphInput& input = lowered.inputs()[i];
    const TensorSpec& spec = lowered.spec(input.value);
    InputRange range = InputRange::Contiguous(spec);
    if (!options.input_layouts.empty()) {
      const TensorLayout& layout = options.input_layouts[i];
      range = InputRange::Of(layout, device.info().alignment);
      if (layout.spec != spec || range.start != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("input '", input.name, "' is ", spec.ToString(), ", its layout is for ",
                         layout.spec.ToString(), " from byte ", range.start));
      }
    }
    program->inputs_.push_back({input.name, range, range.layout.is_contiguous()});
    ranges.push_back(std::move(range));
  }
  TANDEM_ASSIGN_OR_RETURN(program->schedule_, Schedule::Create(lowered, device, ranges));
  for (const TensorSpec& spec : program->schedule_.outputs) {
    program->outputs_.push_back({TensorLayout::Contiguous(spec), spec.num_bytes()});
  }
  program->num_outputs_ = static_cast<int>(graph.outputs().size());
  BoundInputs& nothing = program->nothing_bound_;
  nothing.views_.resize(kFirstInputSlot + program->inputs_.size() + program->outputs_.size());
  for (size_t i = 0; i < program->inputs_.size(); ++i) nothing.open_.push_back(static_cast<int>(i));
  TANDEM_RETURN_IF_ERROR(program->BindSteps());
  TANDEM_RETURN_IF_ERROR(program->PartSteps());
  return program;
}

BufferView Executable::Address(const Operand& operand) const {
  const ScheduledBlock& block = schedule_.blocks[operand.block];
  const int64_t start = operand.byte_offset;
  const int64_t bytes = block.bytes - start;
  const int first_output_slot = kFirstInputSlot + static_cast<int>(inputs_.size());
  switch (block.kind) {
    case BlockKind::kInput:
      return BufferView::Slot(kFirstInputSlot + block.index, start, bytes);
    case BlockKind::kOutput:
      return BufferView::Slot(first_output_slot + block.index, start, bytes);
    case BlockKind::kConstant:
      return BufferView::Of(*schedule_.constants[block.index].buffer,
                            schedule_.constants[block.index].offset + start, bytes);
    case BlockKind::kTemporary:
      break;
  }
  const MemoryBlock& planned = schedule_.plan.blocks[block.index];
  const int slot = planned.pool == kArenaPool ? kArenaSlot : first_output_slot + planned.pool;
  return BufferView::Slot(slot, planned.offset + start, bytes);
}

absl::Status Executable::BindSteps() {
  bool uses_arena = schedule_.plan.arena_bytes > 0;
  for (const Step& step : schedule_.steps) {
    BoundStep bound;
    bound.kernel = step.kernel;
    for (const Operand& operand : step.inputs) bound.inputs.push_back(Address(operand));
    for (const Operand& operand : step.outputs) bound.outputs.push_back(Address(operand));
    if (step.control) {
      TANDEM_ASSIGN_OR_RETURN(bound.control, MakeControl(step));
      for (size_t i = 0; i < bound.control->bodies.size(); ++i) {
        for (StepNote note : bound.control->bodies[i]->notes()) {
          note.node = absl::StrCat(step.control->op->name, " body ", i, ": ", note.node);
          schedule_.notes.push_back(std::move(note));
        }
      }
    } else if (!step.kernel) {
      // A copy of bytes: of the value alone, which may be a part of its block.
      bound.inputs[0].size = step.inputs[0].layout.spec.num_bytes();
      bound.outputs[0].size = step.outputs[0].layout.spec.num_bytes();
    }
    if (step.workspace >= 0) {
      const MemoryBlock& planned = schedule_.plan.blocks[step.workspace];
      const int slot = planned.pool == kArenaPool
                           ? kArenaSlot
                           : kFirstInputSlot + static_cast<int>(inputs_.size()) + planned.pool;
      bound.workspace = BufferView::Slot(slot, planned.offset, planned.bytes);
    }
    // Empty values are bound to the arena, too, although nobody touches them there.
    for (const BufferView& view : bound.inputs) uses_arena |= view.slot == kArenaSlot;
    for (const BufferView& view : bound.outputs) uses_arena |= view.slot == kArenaSlot;
    steps_.push_back(std::move(bound));
  }
  arena_bytes_ = schedule_.plan.arena_bytes;
  if ((uses_arena || options_.static_shape) && arena_bytes_ == 0) {
    arena_bytes_ = device_.info().alignment;
  }
  return absl::OkStatus();
}

absl::Status Executable::Record(const Segment& segment, CommandRecorder& recorder,
                                absl::Span<const BufferView> bindings) const {
  absl::InlinedVector<BufferView, 8> inputs;
  absl::InlinedVector<BufferView, 4> outputs;
  for (size_t i = segment.begin; i < segment.end; ++i) {
    const BoundStep& step = steps_[i];
    if (step.kernel == nullptr) {
      TANDEM_RETURN_IF_ERROR(
          recorder.Copy(Resolve(step.inputs[0], bindings), Resolve(step.outputs[0], bindings)));
      continue;
    }
    inputs.clear();
    outputs.clear();
    for (const BufferView& view : step.inputs) inputs.push_back(Resolve(view, bindings));
    for (const BufferView& view : step.outputs) outputs.push_back(Resolve(view, bindings));
    TANDEM_RETURN_IF_ERROR(
        step.kernel->Record(recorder, inputs, outputs, Resolve(step.workspace, bindings)));
  }
  return absl::OkStatus();
}

absl::Status Executable::PartSteps() {
  const int num_slots = kFirstInputSlot + static_cast<int>(inputs_.size() + outputs_.size());
  Segment segment;
  for (; segment.end <= steps_.size(); segment.begin = segment.end) {
    while (segment.end < steps_.size() && !steps_[segment.end].control) ++segment.end;
    segment.commands = nullptr;
    if (options_.static_shape && segment.begin < segment.end) {
      TANDEM_ASSIGN_OR_RETURN(segment.commands, device_.CreateCommandBuffer(num_slots));
      for (size_t i = segment.begin; i < segment.end; ++i) {
        const BoundStep& step = steps_[i];
        if (step.kernel == nullptr) {
          TANDEM_RETURN_IF_ERROR(segment.commands->Copy(step.inputs[0], step.outputs[0]));
        } else {
          TANDEM_RETURN_IF_ERROR(
              step.kernel->Record(*segment.commands, step.inputs, step.outputs, step.workspace));
        }
      }
      TANDEM_RETURN_IF_ERROR(segment.commands->Finish());
    }
    segments_.push_back(segment);
    ++segment.end;  // past the step of control flow
  }
  return absl::OkStatus();
}

absl::Status Executable::RunSegments(Stream& stream, absl::Span<const BufferView> bindings) const {
  for (const Segment& segment : segments_) {
    if (segment.commands != nullptr) {
      TANDEM_RETURN_IF_ERROR(stream.Submit(segment.commands, bindings).status());
    } else {
      TANDEM_RETURN_IF_ERROR(Record(segment, stream, bindings));
    }
    if (segment.end == steps_.size()) break;
    Stream& usual = device_.default_stream();
    if (&stream != &usual) TANDEM_RETURN_IF_ERROR(usual.WaitFor(stream.Now()));
    TANDEM_RETURN_IF_ERROR(RunControl(steps_[segment.end], bindings));
    if (&stream != &usual) TANDEM_RETURN_IF_ERROR(stream.WaitFor(usual.Now()));
  }
  return absl::OkStatus();
}

std::optional<BufferView> Executable::Direct(const Tensor& tensor, int input) const {
  const InputRange& range = inputs_[input].range;
  if (tensor.defined() && tensor.layout() == range.layout && tensor.device() == &device_ &&
      tensor.buffer() != nullptr) [[likely]] {
    return BufferView::Of(*tensor.buffer(), 0, range.bytes);
  }
  return std::nullopt;
}

BufferView Executable::PreparedView(const Tensor& prepared, int input) const {
  const int64_t start = InputRange::Of(prepared.layout(), device_.info().alignment).start;
  return BufferView::Of(*prepared.buffer(), start, inputs_[input].range.bytes);
}

absl::StatusOr<Tensor> Executable::Prepared(const Tensor& tensor, int input) const {
  const Input& wanted = inputs_[input];
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("input '", wanted.name, "' ", what));
  };
  if (!tensor.defined()) return error("is undefined");
  if (tensor.is_symbolic()) {
    return tensor.symbol()->ValueError(absl::StrCat("running with input '", wanted.name, "'"));
  }
  if (tensor.spec() != wanted.range.layout.spec) {
    return error(absl::StrCat("is ", tensor.Describe(), "; this program takes ",
                              wanted.range.layout.spec.ToString()));
  }
  if (tensor.device() != &device_) {
    return error(absl::StrCat("is ", tensor.Describe(), "; this program runs on ",
                              device_.id().ToString(), ", copy it there first"));
  }
  const InputRange range = InputRange::Of(tensor.layout(), device_.info().alignment);
  if (range.aligned && range.layout == wanted.range.layout) return tensor;
  if (!wanted.contiguous) {
    return error(absl::StrCat(
        "lies with strides ", range.layout.strides.ToString(), " from element ",
        range.layout.offset, "; this program was made for strides ",
        wanted.range.layout.strides.ToString(), " from element ", wanted.range.layout.offset));
  }
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const identity, OpRegistry::Global().Get("identity"));
  TANDEM_ASSIGN_OR_RETURN(TensorList copy,
                          EagerInterpreter().Invoke(*identity, {&tensor, 1}, AttributeMap(), {}));
  return std::move(copy[0]);
}

absl::Status Executable::CheckBound(const Tensor& tensor, int output) const {
  const TensorSpec& wanted = outputs_[output].layout.spec;
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tensor bound to output ", output, ", ", tensor.Describe(), ", ", what));
  };
  if (tensor.is_symbolic()) return error("is a symbol and has no memory");
  if (tensor.spec() != wanted) return error(absl::StrCat("should be ", wanted.ToString()));
  if (tensor.device() != &device_) return error("is on another device");
  if (!tensor.is_contiguous()) return error("is not contiguous");
  return absl::OkStatus();
}

absl::StatusOr<Tensor> Executable::NewOutput(int output) const {
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, device_.allocator().Allocate(outputs_[output].bytes));
  auto impl = MakeRef<TensorImpl>();
  impl->layout = outputs_[output].layout;
  impl->device = &device_;
  impl->buffer = std::move(buffer);
  return Tensor(std::move(impl));
}

absl::StatusOr<Ref<const BoundInputs>> Executable::Bind(absl::Span<const Tensor> inputs) const {
  if (inputs.size() != inputs_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("this program takes ", inputs_.size(), " inputs, ", inputs.size(), " given"));
  }
  auto bound = MakeRef<BoundInputs>();
  bound->views_ = nothing_bound_.views_;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int input = static_cast<int>(i);
    if (!inputs[i].defined()) {
      bound->open_.push_back(input);
      continue;
    }
    BufferView& view = bound->views_[kFirstInputSlot + i];
    if (const std::optional<BufferView> direct = Direct(inputs[i], input)) {
      view = *direct;
      bound->tensors_.push_back(inputs[i]);
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(Tensor prepared, Prepared(inputs[i], input));
    if (prepared.buffer() != inputs[i].buffer()) bound->ready_ = device_.default_stream().Now();
    view = PreparedView(prepared, input);
    bound->tensors_.push_back(std::move(prepared));
  }
  return Ref<const BoundInputs>(std::move(bound));
}

absl::StatusOr<RunResult> Executable::Run(absl::Span<const Tensor> inputs,
                                          const RunOptions& options) const {
  return Run(nothing_bound_, inputs, options);
}

absl::StatusOr<RunResult> Executable::Run(const BoundInputs& bound, absl::Span<const Tensor> inputs,
                                          const RunOptions& options) const {
  if (inputs.size() != bound.open_.size()) {
    const size_t num_bound = inputs_.size() - bound.open_.size();
    return absl::InvalidArgumentError(absl::StrCat(
        "this program takes ", inputs_.size(), " inputs, ",
        num_bound > 0 ? absl::StrCat(num_bound, " are bound, ") : "", inputs.size(), " given"));
  }
  if (!options.outputs.empty() && static_cast<int>(options.outputs.size()) != num_outputs_) {
    return absl::InvalidArgumentError(absl::StrCat("this program has ", num_outputs_, " outputs, ",
                                                   options.outputs.size(), " are bound"));
  }
  Stream& stream = options.stream != nullptr ? *options.stream : device_.default_stream();
  // Arenas are reused in the order of the default stream.
  const bool pooled = options_.static_alloc && &stream == &device_.default_stream();

  BoundInputs::Views bindings = bound.views_;
  if (bound.ready_ && &stream != &device_.default_stream()) {
    TANDEM_RETURN_IF_ERROR(stream.WaitFor(*bound.ready_));
  }
  absl::InlinedVector<Tensor, 2> copies;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = inputs[i];
    const int input = bound.open_[i];
    BufferView& view = bindings[kFirstInputSlot + input];
    if (const std::optional<BufferView> direct = Direct(tensor, input)) [[likely]] {
      view = *direct;
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(Tensor prepared, Prepared(tensor, input));
    // The copy was made on the default stream.
    if (prepared.buffer() != tensor.buffer() && &stream != &device_.default_stream()) {
      TANDEM_RETURN_IF_ERROR(stream.WaitFor(device_.default_stream().Now()));
    }
    view = PreparedView(prepared, input);
    copies.push_back(std::move(prepared));
  }

  RunResult result;
  const size_t first_output = kFirstInputSlot + inputs_.size();
  absl::InlinedVector<std::pair<Tensor, Tensor>, 1> copy_back;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Tensor output;
    if (i < options.outputs.size() && options.outputs[i].defined()) {
      const Tensor& bound = options.outputs[i];
      TANDEM_RETURN_IF_ERROR(CheckBound(bound, static_cast<int>(i)));
      // Other values may use an output's memory before it is written, so it must not be that of an
      // input or of another output.
      bool shared = StartBytes(bound.layout()) % device_.info().alignment != 0;
      const BufferView place = ViewOf(bound, outputs_[i].bytes);
      for (const BufferView& view : bindings) shared |= Overlap(view, place);
      if (shared) {
        TANDEM_ASSIGN_OR_RETURN(output, NewOutput(static_cast<int>(i)));
        copy_back.push_back({output, bound});
      } else {
        output = bound;
      }
      bindings[first_output + i] = ViewOf(output, outputs_[i].bytes);
      result.outputs.push_back(bound);
      if (shared) copies.push_back(std::move(output));
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(output, NewOutput(static_cast<int>(i)));
    bindings[first_output + i] = ViewOf(output, outputs_[i].bytes);
    (static_cast<int>(i) < num_outputs_ ? result.outputs : result.updates)
        .push_back(std::move(output));
  }

  Ref<Buffer> arena;
  if (arena_bytes_ > 0) {
    if (pooled) arena = arenas_.Take();
    if (arena == nullptr) {
      TANDEM_ASSIGN_OR_RETURN(arena, device_.allocator().Allocate(arena_bytes_));
    }
    bindings[kArenaSlot] = BufferView::Of(*arena, 0, arena_bytes_);
  }
  absl::Status status = RunSegments(stream, bindings);
  for (const auto& [from, to] : copy_back) {
    if (!status.ok()) break;
    status = stream.Copy(ViewOf(from, from.spec().num_bytes()), ViewOf(to, to.spec().num_bytes()));
  }
  if (pooled && arena != nullptr) arenas_.Give(std::move(arena));
  if (!status.ok()) return status;
  return result;
}

int64_t Executable::bytes() const {
  int64_t bytes = options_.static_alloc ? arena_bytes_ : 0;
  for (const BufferView& constant : schedule_.constants) bytes += constant.size;
  for (const BoundStep& step : steps_) {
    if (!step.control) continue;
    for (const Ref<const Executable>& body : step.control->bodies) bytes += body->bytes();
  }
  return bytes;
}

}  // namespace tandem
