#include "tandem/core/ops/definition_helpers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tandem {

absl::Status Explain(const InferContext& context, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), context.Error(status.message()).message());
}

absl::Status CheckFloating(const InferContext& context, int i) {
  const DType dtype = context.input(i).dtype;
  if (IsFloating(dtype)) return absl::OkStatus();
  return context.Error(absl::StrCat(context.op().inputs[i].name,
                                    " must have a floating-point dtype, not ", DTypeName(dtype)),
                       "cast it first");
}

absl::Status CheckInteger(const InferContext& context, int i) {
  const DType dtype = context.input(i).dtype;
  if (IsInteger(dtype)) return absl::OkStatus();
  return context.Error(absl::StrCat(context.op().inputs[i].name,
                                    " must have an integer dtype, not ", DTypeName(dtype)),
                       "cast it to i64 first");
}

absl::Status CheckSameDType(const InferContext& context, int i, int j) {
  const DType a = context.input(i).dtype;
  const DType b = context.input(j).dtype;
  if (a == b) return absl::OkStatus();
  return context.Error(
      absl::StrCat(context.op().inputs[i].name, " and ", context.op().inputs[j].name,
                   " must have one dtype, they have ", DTypeName(a), " and ", DTypeName(b)),
      absl::StrCat("cast one of them, for instance to ", DTypeName(PromoteTypes(a, b))));
}

absl::Status CheckShape(const InferContext& context, int i, const Shape& shape,
                        absl::string_view what) {
  if (context.input(i).shape == shape) return absl::OkStatus();
  return context.Error(absl::StrCat(context.op().inputs[i].name, " must have the shape ",
                                    shape.ToString(), ", ", what, ", not ",
                                    context.input(i).shape.ToString()));
}

DType WideDType(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 ? DType::kF32 : dtype;
}

Tensor Wide(Emitter& emit, const Tensor& x) {
  if (!emit.status().ok()) return Tensor();
  return emit.Cast(x, WideDType(x.dtype()));
}

Tensor ReshapeTo(Emitter& emit, const Tensor& x, const Shape& shape) {
  if (!emit.status().ok()) return Tensor();
  if (x.shape() == shape) return x;
  if (shape.num_elements() == 0 && x.num_elements() == 0) {
    // No elements: nothing depends on x.
    return emit("broadcast_to", {emit.Full(0.0, x)}, {{"shape", shape}});
  }
  return emit("reshape", {x}, {{"shape", shape}});
}

Tensor DivideByCount(Emitter& emit, const Tensor& x, int64_t count) {
  if (!emit.status().ok()) return Tensor();
  const double divisor = static_cast<double>(std::max<int64_t>(count, 1));
  return emit("div", {x, emit.Full(divisor, x)});
}

}  // namespace tandem
