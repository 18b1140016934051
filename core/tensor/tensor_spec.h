// What is known of a tensor without its values: dtype and shape; and where its elements lie.
//
//   TensorSpec spec{DType::kF32, {16, 10}};
//   spec.ToString();  // "f32[16,10]"
#ifndef TANDEM_CORE_TENSOR_TENSOR_SPEC_H_
#define TANDEM_CORE_TENSOR_TENSOR_SPEC_H_

#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/dtype.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

struct TensorSpec {
  DType dtype = DType::kF32;
  Shape shape;

  // Of a valid shape (Shape::Validate).
  int64_t num_bytes() const { return shape.num_elements() * DTypeSize(dtype); }
  std::string ToString() const { return absl::StrCat(DTypeName(dtype), shape.ToString()); }
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TensorSpec& spec) {
    return H::combine(std::move(h), spec.dtype, static_cast<const Dims&>(spec.shape));
  }
};

using SpecList = absl::InlinedVector<TensorSpec, 2>;

// A spec with its place in a buffer: element (i, j, …) is at offset + i·strides[0] + j·strides[1] …
// elements from the start of the buffer.
struct TensorLayout {
  TensorSpec spec;
  Strides strides;
  int64_t offset = 0;  // elements

  static TensorLayout Contiguous(const TensorSpec& spec) {
    return {spec, ContiguousStrides(spec.shape), 0};
  }
  bool is_contiguous() const { return IsContiguous(spec.shape, strides); }
  friend bool operator==(const TensorLayout&, const TensorLayout&) = default;
};

// "f32[2,?]" -> spec; INVALID_ARGUMENT otherwise.
absl::StatusOr<TensorSpec> ParseTensorSpec(absl::string_view text);

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_TENSOR_SPEC_H_
