#include "tandem/core/op/invoker.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace tandem {

Tensor Emitter::operator()(absl::string_view op, std::initializer_list<Tensor> inputs,
                           std::initializer_list<AttributeInit> attrs) {
  return Multi(op, {inputs.begin(), inputs.size()}, attrs, 1)[0];
}

TensorList Emitter::Multi(absl::string_view op, absl::Span<const Tensor> inputs,
                          std::initializer_list<AttributeInit> attrs, int num_outputs) {
  if (status_.ok()) {
    auto outputs = invoker_->Invoke(op, inputs, {attrs.begin(), attrs.size()}, nullptr);
    if (outputs.ok() && static_cast<int>(outputs->size()) >= num_outputs) {
      return *std::move(outputs);
    }
    Fail(outputs.ok() ? absl::InternalError(absl::StrCat(op, " has ", outputs->size(),
                                                         " outputs, ", num_outputs, " wanted"))
                      : outputs.status());
  }
  return TensorList(num_outputs);
}

Tensor Emitter::Full(double value, const Tensor& like) {
  if (!status_.ok()) return Tensor();
  auto result = invoker_->Invoke(
      "full", {},
      {{"shape", Dims()}, {"value", value}, {"dtype", like.dtype()}}, like.device());
  if (!result.ok()) {
    Fail(result.status());
    return Tensor();
  }
  return (*result)[0];
}

Tensor Emitter::FullLike(double value, const Tensor& like) {
  if (!status_.ok()) return Tensor();
  return (*this)("broadcast_to", {Full(value, like)}, {{"shape", like.shape()}});
}

Tensor Emitter::SumTo(const Tensor& x, const Shape& shape) {
  if (!status_.ok() || x.shape() == shape) return x;
  const int leading = x.rank() - shape.rank();
  std::vector<int64_t> axes;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < leading || (shape[i - leading] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  Tensor sum = (*this)("sum", {x}, {{"axes", axes}, {"keepdims", true}});
  if (leading == 0) return sum;
  // Not by reshape, where a 0 in the shape would mean "keep".
  axes.resize(leading);
  return (*this)("squeeze", {sum}, {{"axes", axes}});
}

Tensor Emitter::Cast(const Tensor& x, DType dtype) {
  if (!status_.ok() || x.dtype() == dtype) return x;
  return (*this)("cast", {x}, {{"dtype", dtype}});
}

}  // namespace tandem
