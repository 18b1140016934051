// The part of Executable that runs control flow: bodies as programs of their own.

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/body_graph.h"

namespace tandem {

// Runs compiled bodies.
class Executable::ControlRunner final : public BodyRunner {
 public:
  explicit ControlRunner(const Control& control)
      : control_(control), invoker_(&EagerInterpreter()) {}

  absl::StatusOr<TensorList> Run(int body, absl::Span<const Tensor> inputs,
                                 absl::Span<const Tensor> into) override {
    RunOptions options;
    options.outputs = into;
    TANDEM_ASSIGN_OR_RETURN(RunResult result, control_.bodies[body]->Run(inputs, options));
    return std::move(result.outputs);
  }
  Invoker& invoker() override { return invoker_; }

 private:
  const Control& control_;
  InterpreterInvoker invoker_;
};

absl::StatusOr<std::shared_ptr<const Executable::Control>> Executable::MakeControl(
    const Step& step) const {
  auto control = std::make_shared<Control>();
  control->step = step.control;
  const OpDef& op = *step.control->op;
  const AttributeMap& attrs = step.control->attrs;
  const int64_t alignment = device_.info().alignment;
  std::vector<const TensorSpec*> specs;
  for (const Operand& operand : step.inputs) {
    // The view that is bound starts at the operand's byte offset.
    control->inputs.push_back(operand.layout);
    specs.push_back(&operand.layout.spec);
  }
  for (const Operand& operand : step.outputs) control->outputs.push_back(operand.layout.spec);
  const std::vector<const OpBody*> bodies = BodiesOf(attrs);
  for (size_t b = 0; b < bodies.size(); ++b) {
    const int index = static_cast<int>(b);
    const std::string name = absl::StrCat(op.name, " body ", b);
    TANDEM_ASSIGN_OR_RETURN(const std::vector<TensorSpec> body_specs,
                            BodyInputSpecs(op, attrs, specs, index));
    TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body, bodies[b]->WithInputs(body_specs));
    TANDEM_ASSIGN_OR_RETURN(const Graph graph, GraphOfBody(*body, name));
    ExecutableOptions options{options_.static_alloc, options_.static_shape, {}};
    for (const BodyInput& input :
         op.control.body_inputs(attrs, static_cast<int>(step.inputs.size()), index)) {
      const size_t position = options.input_layouts.size();
      options.input_layouts.push_back(
          input.kind == BodyInput::Kind::kCaptured
              ? InputRange::Of(step.inputs[input.input].layout, alignment).layout
              : TensorLayout::Contiguous(body_specs[position]));
    }
    auto program = Executable::Create(graph, device_, options);
    if (!program.ok()) return Annotate(program.status(), name);
    control->bodies.push_back(*std::move(program));
  }
  return std::shared_ptr<const Control>(std::move(control));
}

absl::Status Executable::RunControl(const BoundStep& step,
                                    absl::Span<const BufferView> bindings) const {
  const Control& control = *step.control;
  // A tensor over memory that a view tells, which is aligned.
  const auto tensor = [&](const BufferView& view, const TensorLayout& layout) {
    BufferView place = view;
    if (view.is_slot()) {
      const BufferView& bound = bindings[view.slot];
      place = {bound.buffer, -1, bound.offset + view.offset, view.size};
    }
    auto impl = MakeRef<TensorImpl>();
    impl->layout = layout;
    impl->layout.offset += place.offset / DTypeSize(layout.spec.dtype);
    impl->device = &device_;
    impl->buffer = RefFrom(place.buffer);
    return Tensor(std::move(impl));
  };
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    inputs.push_back(tensor(step.inputs[i], control.inputs[i]));
  }
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    outputs.push_back(tensor(step.outputs[i], TensorLayout::Contiguous(control.outputs[i])));
  }
  ControlRunner runner(control);
  ControlContext context{control.step->attrs, inputs, control.outputs, outputs, runner};
  return control.step->op->control.run(context).status();
}

}  // namespace tandem
