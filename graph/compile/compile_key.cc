#include "tandem/graph/compile/compile_key.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/op/kernel.h"
#include "tandem/graph/exec/input_range.h"

namespace tandem {

namespace {

std::string LayoutText(const CompileKey::Argument& argument) {
  if (argument.strides.empty()) return "contiguous";
  return absl::StrCat("strides ", argument.strides.ToString(), " from element ", argument.offset);
}

}  // namespace

CompileKey CompileKey::Of(absl::Span<const Tensor> inputs, bool gradient) {
  CompileKey key;
  for (const Tensor& input : inputs) {
    Argument argument{input.spec(), input.device(), gradient && RequiresGrad(input)};
    if (!input.is_contiguous()) {
      const TensorLayout layout =
          InputRange::Of(input.layout(), input.device()->info().alignment).layout;
      argument.strides = layout.strides;
      argument.offset = layout.offset;
    }
    key.arguments.push_back(std::move(argument));
  }
  key.training = IsTraining();
  key.gradient = gradient;
  key.kernel_generation = KernelRegistry::Global().generation();
  return key;
}

bool CompileKey::Matches(absl::Span<const Tensor> inputs, bool with_gradient) const {
  if (gradient != with_gradient || training != IsTraining() || inputs.size() != arguments.size() ||
      kernel_generation != KernelRegistry::Global().generation()) {
    return false;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Argument& argument = arguments[i];
    if (inputs[i].device() != argument.device || inputs[i].spec() != argument.spec ||
        (gradient && RequiresGrad(inputs[i]) != argument.requires_grad)) {
      return false;
    }
    if (inputs[i].is_contiguous()) {
      if (!argument.strides.empty()) return false;
      continue;
    }
    const TensorLayout layout =
        InputRange::Of(inputs[i].layout(), argument.device->info().alignment).layout;
    if (layout.strides != argument.strides || layout.offset != argument.offset) return false;
  }
  return true;
}

std::string CompileKey::ToString() const {
  std::vector<std::string> parts;
  for (const Argument& argument : arguments) {
    std::string part =
        absl::StrCat(argument.spec.ToString(), " ", argument.device->id().ToString());
    if (!argument.strides.empty()) {
      absl::StrAppend(&part, " strides ", argument.strides.ToString());
    }
    if (argument.requires_grad) absl::StrAppend(&part, " with gradient");
    parts.push_back(std::move(part));
  }
  parts.push_back(training ? "training" : "inference");
  if (gradient) parts.push_back("recording");
  return absl::StrJoin(parts, ", ");
}

std::string CompileKey::Difference(const CompileKey& older) const {
  std::vector<std::string> parts;
  if (arguments.size() != older.arguments.size()) {
    parts.push_back(absl::StrCat(arguments.size(), " arguments, were ", older.arguments.size()));
  } else {
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument& now = arguments[i];
      const Argument& was = older.arguments[i];
      const std::string name = absl::StrCat("argument ", i);
      if (now.spec.shape != was.spec.shape) {
        parts.push_back(absl::StrCat(name, ": new shape ", now.spec.shape.ToString(), ", was ",
                                     was.spec.shape.ToString()));
      }
      if (now.spec.dtype != was.spec.dtype) {
        parts.push_back(absl::StrCat(name, ": new dtype ", DTypeName(now.spec.dtype), ", was ",
                                     DTypeName(was.spec.dtype)));
      }
      if (now.strides != was.strides || now.offset != was.offset) {
        parts.push_back(absl::StrCat(name, " lies otherwise in memory: ", LayoutText(now), ", was ",
                                     LayoutText(was)));
      }
      if (now.device != was.device) {
        parts.push_back(absl::StrCat(name, ": new device ", now.device->id().ToString(), ", was ",
                                     was.device->id().ToString()));
      }
      if (now.requires_grad != was.requires_grad) {
        parts.push_back(absl::StrCat(
            name, now.requires_grad ? " now wants a gradient" : " wants no gradient any more"));
      }
    }
  }
  if (training != older.training) {
    parts.push_back(training ? "training mode, was inference" : "inference mode, was training");
  }
  if (gradient != older.gradient) {
    parts.push_back(gradient ? "recorded for a backward pass" : "not recorded any more");
  }
  if (kernel_generation != older.kernel_generation) parts.push_back("kernels were registered");
  return parts.empty() ? "nothing new" : absl::StrJoin(parts, "; ");
}

}  // namespace tandem
