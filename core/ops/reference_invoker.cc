#include "tandem/core/ops/reference_invoker.h"

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/core/op/scalar_reference.h"
#include "tandem/core/op/slice_geometry.h"

namespace tandem {
namespace {

class ValueSymbol : public Symbol {
 public:
  explicit ValueSymbol(std::vector<double> values) : values(std::move(values)) {}
  std::string Describe() const override { return "reference value"; }
  std::string name() const override { return "%reference"; }
  absl::Status ValueError(absl::string_view what) const override {
    return absl::FailedPreconditionError(absl::StrCat(what, " of a reference value"));
  }
  Interpreter* interpreter() const override { return nullptr; }

  const std::vector<double> values;
};

ScalarNumber ToNumber(double value, DType dtype) {
  return RoundScalar(ScalarNumber::Real(ComputeType(dtype), value), dtype);
}

// Calls fn(index) for every index of `shape`, row-major.
template <typename Fn>
void ForEachIndex(const Shape& shape, Fn fn) {
  Dims index = Dims::Filled(shape.rank(), 0);
  for (int64_t n = shape.num_elements(); n > 0; --n) {
    fn(index);
    for (int d = shape.rank() - 1; d >= 0; --d) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

int64_t At(const Dims& index, const Strides& strides, int64_t offset = 0) {
  for (int d = 0; d < index.rank(); ++d) offset += index[d] * strides[d];
  return offset;
}

// Strides that read a contiguous tensor of shape `from` as `to`.
Strides BroadcastStrides(const Shape& from, const Shape& to) {
  Strides strides = Strides::Filled(to.rank(), 0);
  const Strides own = ContiguousStrides(from);
  const int leading = to.rank() - from.rank();
  for (int d = leading; d < to.rank(); ++d) {
    if (from[d - leading] == to[d]) strides[d] = own[d - leading];
  }
  return strides;
}

absl::StatusOr<Tensor> RunElementwise(const OpDef& op, absl::Span<const Tensor> inputs,
                                      const AttributeMap& attrs, const TensorSpec& output) {
  std::vector<DType> dtypes;
  std::vector<Strides> strides;
  for (const Tensor& input : inputs) {
    dtypes.push_back(input.dtype());
    strides.push_back(BroadcastStrides(input.shape(), output.shape));
  }
  TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, BuildScalarExpr(op, attrs, dtypes, output.dtype));
  std::vector<double> values;
  absl::Status status;
  ForEachIndex(output.shape, [&](const Dims& index) {
    std::vector<ScalarNumber> numbers;
    for (size_t i = 0; i < inputs.size(); ++i) {
      numbers.push_back(
          ToNumber(ReferenceInvoker::Values(inputs[i])[At(index, strides[i])], dtypes[i]));
    }
    const auto results = EvaluateScalarExpr(expr, numbers);
    if (!results.ok()) status = results.status();
    values.push_back(results.ok() ? (*results)[0].AsDouble() : 0);
  });
  if (!status.ok()) return status;
  return ReferenceInvoker::Make(output, std::move(values));
}

Tensor RunSum(const Tensor& x, const TensorSpec& output, const std::vector<int64_t>& axes) {
  // The output's strides along the input's dimensions: 0 along those that are summed.
  Shape kept = x.shape();
  for (int d = 0; d < kept.rank() && axes.empty(); ++d) kept[d] = 1;
  for (int64_t axis : axes) kept[static_cast<int>(axis < 0 ? axis + kept.rank() : axis)] = 1;
  const Strides strides = BroadcastStrides(kept, x.shape());
  std::vector<double> sums(output.shape.num_elements());
  const double* value = ReferenceInvoker::Values(x).data();
  ForEachIndex(x.shape(), [&](const Dims& index) { sums[At(index, strides)] += *value++; });
  return ReferenceInvoker::Make(output, std::move(sums));
}

// Writes `part` into `values` of `shape`, from `begin` on with steps of `stride`.
void Place(const Tensor& part, const Shape& shape, const Dims& begin, const Dims& stride,
           std::vector<double>* values) {
  const Strides own = ContiguousStrides(shape);
  const double* value = ReferenceInvoker::Values(part).data();
  ForEachIndex(part.shape(), [&](const Dims& index) {
    int64_t at = 0;
    for (int d = 0; d < index.rank(); ++d) at += (begin[d] + index[d] * stride[d]) * own[d];
    (*values)[at] = *value++;
  });
}

Tensor RunConcat(absl::Span<const Tensor> inputs, int axis, const TensorSpec& output) {
  std::vector<double> values(output.shape.num_elements());
  Dims begin = Dims::Filled(output.shape.rank(), 0);
  const Dims ones = Dims::Filled(output.shape.rank(), 1);
  for (const Tensor& input : inputs) {
    Place(input, output.shape, begin, ones, &values);
    begin[axis] += input.shape()[axis];
  }
  return ReferenceInvoker::Make(output, std::move(values));
}

}  // namespace

Tensor ReferenceInvoker::Make(const TensorSpec& spec, std::vector<double> values) {
  values.resize(spec.shape.num_elements());
  for (double& value : values) value = ToNumber(value, spec.dtype).AsDouble();
  return Tensor::Symbolic(spec, nullptr, Ref<Symbol>(new ValueSymbol(std::move(values))));
}

const std::vector<double>& ReferenceInvoker::Values(const Tensor& tensor) {
  return static_cast<const ValueSymbol*>(tensor.symbol().get())->values;
}

absl::StatusOr<TensorList> ReferenceInvoker::Invoke(absl::string_view name,
                                                    absl::Span<const Tensor> inputs,
                                                    absl::Span<const AttributeInit> attrs,
                                                    Device*) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* op, registry_->Get(name));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(op->attributes, attrs));
  TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(*op, map, inputs));
  return Run(*op, inputs, map, specs);
}

absl::StatusOr<TensorList> ReferenceInvoker::Run(const OpDef& op, absl::Span<const Tensor> inputs,
                                                 const AttributeMap& attrs,
                                                 absl::Span<const TensorSpec> outputs) {
  if (IsElementwise(op, attrs)) {
    TANDEM_ASSIGN_OR_RETURN(Tensor y, RunElementwise(op, inputs, attrs, outputs[0]));
    return TensorList{y};
  }
  if (op.view) {
    LayoutList layouts;
    if (!op.view(TensorLayout::Contiguous(inputs[0].spec()), attrs, outputs, &layouts)) {
      return absl::InternalError(absl::StrCat(op.name, " refuses to view a contiguous input"));
    }
    TensorList results;
    for (const TensorLayout& layout : layouts) {
      std::vector<double> values;
      ForEachIndex(layout.spec.shape, [&](const Dims& index) {
        values.push_back(Values(inputs[0]).at(At(index, layout.strides, layout.offset)));
      });
      results.push_back(Make(layout.spec, std::move(values)));
    }
    return results;
  }
  const Shape& shape = outputs[0].shape;
  if (op.name == "full") {
    return TensorList{
        Make(outputs[0], std::vector<double>(shape.num_elements(), attrs.Double("value")))};
  }
  if (op.name == "sum") return TensorList{RunSum(inputs[0], outputs[0], attrs.Ints("axes"))};
  if (op.name == "concat") {
    TANDEM_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(attrs.Int("axis"), shape.rank()));
    return TensorList{RunConcat(inputs, axis, outputs[0])};
  }
  if (op.name == "pad") {
    std::vector<double> values(shape.num_elements(), attrs.Double("value"));
    Place(inputs[0], shape, Dims(absl::MakeConstSpan(attrs.Ints("before"))),
          Dims::Filled(shape.rank(), 1), &values);
    return TensorList{Make(outputs[0], std::move(values))};
  }
  if (op.name == "slice_backward") {
    TANDEM_ASSIGN_OR_RETURN(const SliceGeometry slice,
                            SliceGeometry::Create(shape, attrs.Ints("begin"), attrs.Ints("end"),
                                                  attrs.Ints("strides")));
    std::vector<double> values(shape.num_elements());
    Place(inputs[0], shape, slice.begin, slice.stride, &values);
    return TensorList{Make(outputs[0], std::move(values))};
  }
  if (op.decompose) {
    DecomposeContext context(attrs, inputs, *this);
    return op.decompose(context);
  }
  return absl::UnimplementedError(absl::StrCat("no reference for ", op.name));
}

namespace {

// Sum over the outputs of weight * value, the function that is differentiated.
double Objective(const TensorList& outputs, const std::vector<Tensor>& weights) {
  double sum = 0;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const std::vector<double>& values = ReferenceInvoker::Values(outputs[k]);
    const std::vector<double>& weight = ReferenceInvoker::Values(weights[k]);
    for (size_t e = 0; e < values.size(); ++e) sum += weight[e] * values[e];
  }
  return sum;
}

Tensor PoisonUnless(bool read, const Tensor& tensor) {
  if (read || !IsFloating(tensor.dtype())) return tensor;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return ReferenceInvoker::Make(tensor.spec(), std::vector<double>(tensor.num_elements(), nan));
}

}  // namespace

absl::Status CheckGradient(const OpRegistry& registry, absl::string_view name,
                           const std::vector<Tensor>& inputs,
                           const std::vector<AttributeInit>& attrs, double tolerance) {
  ReferenceInvoker invoker(&registry);
  TANDEM_ASSIGN_OR_RETURN(const OpDef* op, registry.Get(name));
  if (!op->vjp) return absl::InternalError(absl::StrCat(name, " has no vjp"));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(op->attributes, attrs));
  TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, invoker.Invoke(name, inputs, attrs, nullptr));

  std::mt19937 random(17);
  std::uniform_real_distribution<double> uniform(0.5, 1.5);
  std::vector<Tensor> weights;
  for (const Tensor& output : outputs) {
    std::vector<double> values(output.num_elements());
    for (double& value : values) value = uniform(random);
    weights.push_back(ReferenceInvoker::Make(output.spec(), std::move(values)));
  }
  const auto reads = [](uint64_t mask, size_t i) { return i >= 64 || ((mask >> i) & 1) != 0; };
  std::vector<Tensor> seen_inputs, seen_outputs;
  for (const Tensor& input : inputs) {
    seen_inputs.push_back(PoisonUnless(reads(op->vjp_inputs, seen_inputs.size()), input));
  }
  for (const Tensor& output : outputs) {
    seen_outputs.push_back(PoisonUnless(reads(op->vjp_outputs, seen_outputs.size()), output));
  }
  VjpContext context(map, seen_inputs, seen_outputs, weights, ~uint64_t{0}, invoker);
  TANDEM_ASSIGN_OR_RETURN(const TensorList grads, op->vjp(context));
  if (grads.size() != inputs.size()) {
    return absl::InternalError(
        absl::StrCat(name, ": ", grads.size(), " gradients for ", inputs.size(), " inputs"));
  }

  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!IsFloating(inputs[i].dtype())) {
      if (grads[i].defined()) return absl::InternalError("gradient of an integer");
      continue;
    }
    if (grads[i].defined() && grads[i].spec() != inputs[i].spec()) {
      return absl::InternalError(absl::StrCat(name, ": gradient ", i, " is ",
                                              grads[i].spec().ToString(), ", the input ",
                                              inputs[i].spec().ToString()));
    }
    const std::vector<double>& values = ReferenceInvoker::Values(inputs[i]);
    for (size_t e = 0; e < values.size(); ++e) {
      double sides[2];
      for (int side = 0; side < 2; ++side) {
        std::vector<double> moved = values;
        moved[e] += side == 0 ? -kStep : kStep;
        std::vector<Tensor> arguments = inputs;
        arguments[i] = ReferenceInvoker::Make(inputs[i].spec(), std::move(moved));
        TANDEM_ASSIGN_OR_RETURN(const TensorList y,
                                invoker.Invoke(name, arguments, attrs, nullptr));
        sides[side] = Objective(y, weights);
      }
      const double expected = (sides[1] - sides[0]) / (2 * kStep);
      const double actual = grads[i].defined() ? ReferenceInvoker::Values(grads[i])[e] : 0;
      if (!(std::fabs(actual - expected) <= tolerance * (1 + std::fabs(expected)))) {
        return absl::InternalError(absl::StrCat(name, ": gradient of input ", i, ", element ", e,
                                                " at ", values[e], " is ", actual,
                                                ", differences give ", expected));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tandem
