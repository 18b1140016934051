#include "tandem/core/ops/testing/gradient_check.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/testing/reference_tape.h"

namespace tandem {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// Tensors computed from leaves.
using TensorFunction = std::function<absl::StatusOr<std::vector<Tensor>>(
    ReferenceTape& invoker, const std::vector<Tensor>& leaves)>;

Tensor WithValue(const Tensor& tensor, int64_t element, double value) {
  std::vector<double> values = ReferenceTape::Values(tensor);
  values[element] = value;
  return ReferenceTape::Input(tensor.spec(), std::move(values));
}

// Weights that make one number of all results.
Tensor WeightsFor(const Tensor& head, uint32_t index) {
  const Tensor weights = RandomInput(head.shape(), 7919 + index);
  return ReferenceTape::Input(head.spec(), ReferenceTape::Values(weights));
}

struct WeightedSum {
  double value = 0;
  double magnitude = 0;
};

absl::StatusOr<WeightedSum> Evaluate(const OpRegistry& registry, const TensorFunction& function,
                                     const std::vector<Tensor>& leaves) {
  ReferenceTape invoker(registry);
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> heads, function(invoker, leaves));
  WeightedSum sum;
  for (size_t i = 0; i < heads.size(); ++i) {
    const std::vector<double>& values = ReferenceTape::Values(heads[i]);
    const Tensor weights = WeightsFor(heads[i], static_cast<uint32_t>(i));
    for (size_t k = 0; k < values.size(); ++k) {
      const double term = values[k] * ReferenceTape::Values(weights)[k];
      sum.value += term;
      sum.magnitude += std::fabs(term);
    }
  }
  return sum;
}

absl::Status CheckFunction(const OpRegistry& registry, const TensorFunction& function,
                           const std::vector<Tensor>& leaves, uint64_t differentiate,
                           absl::string_view what) {
  std::vector<Tensor> grads;
  {
    ReferenceTape invoker(registry);
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> heads, function(invoker, leaves));
    std::vector<Tensor> weights;
    for (size_t i = 0; i < heads.size(); ++i) {
      weights.push_back(WeightsFor(heads[i], static_cast<uint32_t>(i)));
    }
    TANDEM_ASSIGN_OR_RETURN(grads, invoker.Gradients(heads, weights, leaves));
  }
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (!IsFloating(leaves[leaf].dtype()) || ((differentiate >> leaf) & 1) == 0) continue;
    for (int64_t e = 0; e < leaves[leaf].num_elements(); ++e) {
      const double at = ReferenceTape::Values(leaves[leaf])[e];
      auto difference = [&](double step, double* magnitude) -> absl::StatusOr<double> {
        std::vector<Tensor> moved = leaves;
        moved[leaf] = WithValue(leaves[leaf], e, at + step);
        TANDEM_ASSIGN_OR_RETURN(const WeightedSum above, Evaluate(registry, function, moved));
        moved[leaf] = WithValue(leaves[leaf], e, at - step);
        TANDEM_ASSIGN_OR_RETURN(const WeightedSum below, Evaluate(registry, function, moved));
        *magnitude = above.magnitude + below.magnitude;
        return (above.value - below.value) / (2 * step);
      };
      const double step = 1e-4;
      double magnitude = 0;
      TANDEM_ASSIGN_OR_RETURN(const double coarse, difference(step, &magnitude));
      TANDEM_ASSIGN_OR_RETURN(const double fine, difference(step / 2, &magnitude));
      const double rounding = 64 * kEpsilon * (magnitude + std::fabs(at)) / step;
      const double tolerance = std::fabs(coarse - fine) + rounding;
      const double found = grads[leaf].defined() ? ReferenceTape::Values(grads[leaf])[e] : 0.0;
      if (!(std::fabs(found - fine) <= tolerance)) {
        return absl::InternalError(absl::StrCat(what, " by input ", leaf, ", element ", e, ": ",
                                                found, ", finite difference ", fine, " +- ",
                                                tolerance));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGradients(const OpRegistry& registry, const GradientCase& test) {
  const TensorFunction forward =
      [&](ReferenceTape& invoker,
          const std::vector<Tensor>& leaves) -> absl::StatusOr<std::vector<Tensor>> {
    TANDEM_ASSIGN_OR_RETURN(const TensorList outputs,
                            invoker.Invoke(test.op, leaves, test.attrs, nullptr));
    std::vector<Tensor> heads;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (((test.outputs >> i) & 1) != 0) heads.push_back(outputs[i]);
    }
    return heads;
  };
  TANDEM_RETURN_IF_ERROR(CheckFunction(registry, forward, test.inputs, test.differentiate,
                                       absl::StrCat("gradient of ", test.op)));
  if (!test.second_order) return absl::OkStatus();

  // The same question for the gradients, as functions of the inputs and the heads' gradients.
  std::vector<Tensor> leaves = test.inputs;
  {
    ReferenceTape invoker(registry);
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> heads, forward(invoker, test.inputs));
    for (size_t i = 0; i < heads.size(); ++i) {
      leaves.push_back(WeightsFor(heads[i], 31 + static_cast<uint32_t>(i)));
    }
  }
  const size_t num_inputs = test.inputs.size();
  const TensorFunction backward =
      [&](ReferenceTape& invoker,
          const std::vector<Tensor>& leaves) -> absl::StatusOr<std::vector<Tensor>> {
    const std::vector<Tensor> inputs(leaves.begin(), leaves.begin() + num_inputs);
    const std::vector<Tensor> head_grads(leaves.begin() + num_inputs, leaves.end());
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> heads, forward(invoker, inputs));
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> grads,
                            invoker.Gradients(heads, head_grads, inputs));
    std::vector<Tensor> result;
    for (size_t i = 0; i < grads.size(); ++i) {
      if (grads[i].defined() && ((test.differentiate >> i) & 1) != 0) result.push_back(grads[i]);
    }
    return result;
  };
  const uint64_t differentiate =
      (test.differentiate & ((uint64_t{1} << num_inputs) - 1)) | (~uint64_t{0} << num_inputs);
  return CheckFunction(registry, backward, leaves, differentiate,
                       absl::StrCat("second gradient of ", test.op));
}

absl::Status CheckDecomposition(const OpRegistry& registry, const GradientCase& test) {
  ReferenceTape invoker(registry);
  TANDEM_ASSIGN_OR_RETURN(const TensorList direct,
                          invoker.Invoke(test.op, test.inputs, test.attrs, nullptr));
  TANDEM_ASSIGN_OR_RETURN(const TensorList composed,
                          invoker.Decompose(test.op, test.inputs, test.attrs));
  for (size_t i = 0; i < direct.size(); ++i) {
    const std::vector<double>& a = ReferenceTape::Values(direct[i]);
    const std::vector<double>& b = ReferenceTape::Values(composed[i]);
    for (size_t e = 0; e < a.size(); ++e) {
      // A handful of operations on numbers of size 1: some ulp.
      const double tolerance = 256 * kEpsilon * std::max(1.0, std::fabs(a[e]));
      if (!(std::fabs(a[e] - b[e]) <= tolerance) && !(std::isnan(a[e]) && std::isnan(b[e]))) {
        return absl::InternalError(absl::StrCat(test.op, " output ", i, ", element ", e, ": ", a[e],
                                                ", decomposed ", b[e]));
      }
    }
  }
  return absl::OkStatus();
}

Tensor RandomInput(const Shape& shape, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<double> values;
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    values.push_back(static_cast<double>(generator()) / 2147483648.0 - 1.0);
  }
  return ReferenceTape::Input({DType::kF64, shape}, std::move(values));
}

}  // namespace tandem
