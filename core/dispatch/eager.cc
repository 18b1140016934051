// The eager interpreter: one op at a time, at once.

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/random.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/core/op/kernel.h"

namespace tandem {
namespace {

constexpr int kFew = 4;  // most ops have fewer inputs and outputs than this

std::string DescribeInputs(absl::Span<const Tensor> inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const Tensor& t) {
    absl::StrAppend(out, t.Describe());
  });
}

absl::StatusOr<Device*> DeviceOf(const OpDef& op, absl::Span<const Tensor> inputs,
                                 const InvokeOptions& options) {
  if (inputs.empty()) {
    if (options.device != nullptr) return options.device;
    return absl::InvalidArgumentError(
        absl::StrCat(op.name, ": an op without inputs needs to be told its device"));
  }
  Device* const device = inputs[0].device();
  for (const Tensor& input : inputs) {
    if (input.device() != device) {
      return absl::InvalidArgumentError(absl::StrCat(
          op.name, "(", DescribeInputs(inputs), "): inputs are on different devices, ",
          device->id().ToString(), " and ", input.device()->id().ToString(),
          "; copy one of them first, such as with To(x, \"", device->id().ToString(), "\")"));
    }
    if (!input.buffer()) {
      return absl::InternalError(absl::StrCat(op.name, "(", DescribeInputs(inputs),
                                              "): uses a value that was released"));
    }
  }
  return device;
}

absl::Status NoKernel(const OpDef& op, absl::Span<const Tensor> inputs,
                      const absl::Span<const TensorSpec> outputs, const Device& device) {
  const auto kernels = KernelRegistry::Global().KernelsOf(op.name, device.id().type);
  std::string known = "none is registered";
  if (!kernels.empty()) {
    known = absl::StrCat("there are: ", absl::StrJoin(kernels, ", ", [](std::string* out,
                                                                        const KernelDef* kernel) {
                           absl::StrAppend(out, kernel->name);
                         }));
  }
  return absl::UnimplementedError(absl::StrCat(
      op.name, "(", DescribeInputs(inputs), ") to ",
      outputs.empty() ? "nothing" : outputs[0].ToString(), ": no kernel on ",
      device.id().ToString(), " takes these, and the op has no decomposition; ", known));
}

class Eager : public Interpreter {
 public:
  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    for (const Tensor& input : inputs) {
      if (input.defined() && input.is_symbolic()) {
        Interpreter* const recorder = input.symbol()->interpreter();
        if (recorder == nullptr) return input.symbol()->ValueError(op.name);
        return recorder->Invoke(op, inputs, attrs, options);
      }
    }
    TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(op, attrs, inputs));
    TANDEM_ASSIGN_OR_RETURN(Device* const device, DeviceOf(op, inputs, options));
    if (op.view) return View(op, inputs, attrs, specs);
    if (op.control) {
      InterpreterInvoker invoker(this);
      return RunControlFlow(op, attrs, inputs, specs, invoker);
    }
    return RunKernel(op, inputs, attrs, specs, *device);
  }

  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override {
    for (const Tensor& input : inputs) {
      if (input.defined() && input.is_symbolic()) {
        Interpreter* const recorder = input.symbol()->interpreter();
        if (recorder == nullptr) return input.symbol()->ValueError(callable.name());
        return recorder->Call(callable, inputs);
      }
    }
    return callable.Run(inputs);
  }

  absl::StatusOr<Tensor> Read(Variable& variable) override {
    Tensor value = variable.Get();
    if (!value.defined()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "'", variable.name(), "' has no value yet; initialize it before the first use"));
    }
    return value;
  }

  absl::Status Write(Variable& variable, const Tensor& value) override {
    return variable.Set(value);
  }

  absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) override {
    const RandomOffset start = ReserveRandom(blocks);
    TANDEM_ASSIGN_OR_RETURN(
        Tensor state, Tensor::FromVector<int64_t>({static_cast<int64_t>(start.seed),
                                                   static_cast<int64_t>(start.offset)},
                                                  {2}, device));
    return RandomState{std::move(state), 0};
  }

 private:
  absl::StatusOr<TensorList> View(const OpDef& op, absl::Span<const Tensor> inputs,
                                  const AttributeMap& attrs, const SpecList& specs) {
    Tensor source = inputs[0];
    LayoutList layouts;
    if (!op.view(source.layout(), attrs, specs, &layouts)) {
      TANDEM_ASSIGN_OR_RETURN(source, Contiguous(source));
      layouts.clear();
      if (!op.view(source.layout(), attrs, specs, &layouts)) {
        return absl::InternalError(
            absl::StrCat(op.name, ": no view of the contiguous ", source.Describe()));
      }
    }
    TensorList outputs;
    for (const TensorLayout& layout : layouts) {
      TANDEM_ASSIGN_OR_RETURN(Tensor output, source.WithLayout(layout));
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

  // A row-major copy from element 0.
  absl::StatusOr<Tensor> Contiguous(const Tensor& tensor) {
    const OpDef* const identity = OpRegistry::Global().Find("identity");
    if (identity == nullptr) {
      return absl::FailedPreconditionError("the standard ops are not registered");
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList copy, RunKernel(*identity, {&tensor, 1}, AttributeMap(),
                                                       {tensor.spec()}, *tensor.device()));
    return std::move(copy[0]);
  }

  absl::StatusOr<TensorList> RunKernel(const OpDef& op, absl::Span<const Tensor> inputs,
                                       const AttributeMap& attrs, const SpecList& specs,
                                       Device& device) {
    absl::InlinedVector<TensorLayout, kFew> in_layouts;
    for (const Tensor& input : inputs) in_layouts.push_back(input.layout());
    LayoutList out_layouts;
    bool all_empty = true;
    for (const TensorSpec& spec : specs) {
      out_layouts.push_back(TensorLayout::Contiguous(spec));
      all_empty = all_empty && spec.shape.num_elements() == 0;
    }
    TensorList outputs;
    if (all_empty) {
      // Nothing to compute, so that no kernel has to care.
      for (const TensorSpec& spec : specs) {
        TANDEM_ASSIGN_OR_RETURN(Tensor output, Tensor::Empty(spec, device));
        outputs.push_back(std::move(output));
      }
      return outputs;
    }
    const KernelRequest request{op, attrs, in_layouts, out_layouts, device};
    const KernelDef* const kernel = KernelRegistry::Global().Find(request);
    if (kernel == nullptr) return Decompose(op, inputs, attrs, specs, device);

    absl::InlinedVector<Tensor, kFew> sources(inputs.begin(), inputs.end());
    absl::InlinedVector<BufferView, kFew> in_views;
    for (size_t i = 0; i < sources.size(); ++i) {
      BufferView view = sources[i].view();
      if (!kernel->strided_inputs) {
        // A contiguous tensor inside a larger buffer is bound where it starts, if that is aligned.
        const int64_t start = in_layouts[i].offset * DTypeSize(in_layouts[i].spec.dtype);
        if (in_layouts[i].is_contiguous() && start % device.info().alignment == 0) {
          view.offset += start;
          view.size -= start;
        } else {
          TANDEM_ASSIGN_OR_RETURN(sources[i], Contiguous(sources[i]));
          view = sources[i].view();
        }
        in_layouts[i] = TensorLayout::Contiguous(in_layouts[i].spec);
      }
      in_views.push_back(view);
    }

    TANDEM_ASSIGN_OR_RETURN(const Ref<const PreparedKernel> prepared, kernel->prepare(request));
    absl::InlinedVector<BufferView, 2> out_views;
    for (const TensorSpec& spec : specs) {
      TANDEM_ASSIGN_OR_RETURN(Tensor output, Tensor::Empty(spec, device));
      out_views.push_back(output.view());
      outputs.push_back(std::move(output));
    }
    BufferView workspace_view;
    Ref<Buffer> workspace;
    if (const int64_t bytes = prepared->workspace_bytes(); bytes > 0) {
      TANDEM_ASSIGN_OR_RETURN(workspace, device.allocator().Allocate(bytes));
      workspace_view = BufferView::Of(*workspace);
    }
    const absl::Status status =
        prepared->Record(device.default_stream(), in_views, out_views, workspace_view);
    if (!status.ok()) return Annotate(status, absl::StrCat(op.name, " by ", kernel->name));
    return outputs;
  }

  absl::StatusOr<TensorList> Decompose(const OpDef& op, absl::Span<const Tensor> inputs,
                                       const AttributeMap& attrs, const SpecList& specs,
                                       Device& device) {
    if (!op.decompose) return NoKernel(op, inputs, specs, device);
    InterpreterInvoker invoker(this);
    DecomposeContext context(attrs, inputs, invoker);
    auto outputs = op.decompose(context);
    if (!outputs.ok()) return Annotate(outputs.status(), absl::StrCat("in ", op.name));
    for (size_t i = 0; i < specs.size(); ++i) {
      if (i >= outputs->size() || !(*outputs)[i].defined() || (*outputs)[i].spec() != specs[i]) {
        return absl::InternalError(absl::StrCat(op.name, ": its decomposition does not give ",
                                                specs[i].ToString(), " as output ", i));
      }
    }
    return outputs;
  }
};

}  // namespace

Interpreter& EagerInterpreter() {
  static auto* interpreter = new Eager;
  return *interpreter;
}

}  // namespace tandem
