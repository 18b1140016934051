#include "tandem/core/tensor/shape.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace tandem {

void Dims::insert(int position, int64_t dim) {
  push_back(dim);
  if (!overflowed()) std::rotate(begin() + position, end() - 1, end());
}

void Dims::erase(int position) {
  if (overflowed()) return;
  std::copy(begin() + position + 1, end(), begin() + position);
  dims_[--size_] = 0;
}

std::string Dims::ToString() const {
  std::string text = "[";
  for (int i = 0; i < rank(); ++i) {
    if (i > 0) text += ",";
    if (dims_[i] == kDynamic) {
      text += "?";
    } else {
      absl::StrAppend(&text, dims_[i]);
    }
  }
  return text + (overflowed() ? ",...]" : "]");
}

int64_t Shape::num_elements() const {
  int64_t product = 1;
  bool saturated = false;
  for (int64_t d : *this) {
    if (d == 0) return 0;
    saturated = saturated || __builtin_mul_overflow(product, d, &product);
  }
  return saturated ? std::numeric_limits<int64_t>::max() : product;
}

absl::Status Shape::Validate(bool allow_dynamic) const {
  if (overflowed()) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape ", ToString(), " has more than ", kMaxRank, " dimensions"));
  }
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max() / 16;
  int64_t product = 1;
  for (int64_t d : *this) {
    if (d == kDynamic && allow_dynamic) continue;
    if (d < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(), " has a negative dimension"));
    }
    if (__builtin_mul_overflow(product, std::max<int64_t>(d, 1), &product) || product > kLargest) {
      return absl::ResourceExhaustedError(
          absl::StrCat("shape ", ToString(), " has more elements than memory can have"));
    }
  }
  return absl::OkStatus();
}

Strides ContiguousStrides(const Shape& shape) {
  Strides strides = Strides::Filled(shape.rank(), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) {
    strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  }
  return strides;
}

bool IsContiguous(const Shape& shape, const Strides& strides) {
  int64_t expected = 1;
  bool contiguous = true;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;  // no element can be in the wrong place
    contiguous = contiguous && (shape[i] == 1 || strides[i] == expected);
    expected *= shape[i];
  }
  return contiguous;
}

absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result(Dims::Filled(rank, 1));
  for (int i = 1; i <= rank; ++i) {  // from the last dimension
    const int64_t da = i <= a.rank() ? a[a.rank() - i] : 1;
    const int64_t db = i <= b.rank() ? b[b.rank() - i] : 1;
    if (da != db && da != 1 && db != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("shapes ", a.ToString(), " and ", b.ToString(),
                       " do not broadcast: dimension ", -i, " is ", da, " and ", db,
                       ", which must be equal or 1"));
    }
    result[rank - i] = da == 1 ? db : da;
  }
  return result;
}

absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return absl::InvalidArgumentError(absl::StrCat(
        "axis ", axis, " is out of range for rank ", rank,
        rank > 0 ? absl::StrCat("; valid: ", -rank, " to ", rank - 1) : "; a scalar has no axis"));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace tandem
