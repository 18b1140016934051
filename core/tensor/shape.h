// Shapes and strides: up to eight numbers, stored in place.
//
//   Shape s = {16, 1, 28, 28};
//   s.rank();          // 4
//   s.num_elements();  // 12544
//   s.ToString();      // "[16,1,28,28]"
//
// A dimension is >= 0 in a tensor. A signature may hold kDynamic (-1), a size that each call
// decides. A Dims that was made with too many numbers says so in Validate(), nothing aborts.
// Thread rules: a value type.
#ifndef TANDEM_CORE_TENSOR_SHAPE_H_
#define TANDEM_CORE_TENSOR_SHAPE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace tandem {

inline constexpr int kMaxRank = 8;
inline constexpr int64_t kDynamic = -1;

// A short list of integers: a shape, strides, axes, paddings.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> dims)
      : Dims(absl::MakeConstSpan(dims.begin(), dims.size())) {}
  explicit Dims(absl::Span<const int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }
  // `rank` copies of `value`.
  static Dims Filled(int rank, int64_t value) {
    Dims dims;
    for (int i = 0; i < rank; ++i) dims.push_back(value);
    return dims;
  }

  int rank() const { return std::min<int>(size_, kMaxRank); }
  int size() const { return rank(); }
  bool empty() const { return size_ == 0; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank(); }
  int64_t* begin() { return dims_.data(); }
  int64_t* end() { return dims_.data() + rank(); }
  int64_t back() const { return dims_[rank() - 1]; }
  absl::Span<const int64_t> span() const { return {dims_.data(), static_cast<size_t>(rank())}; }
  operator absl::Span<const int64_t>() const { return span(); }  // NOLINT

  // Beyond kMaxRank only the count grows: overflowed() and Validate() tell.
  void push_back(int64_t dim) {
    if (size_ < kMaxRank) dims_[size_] = dim;
    if (size_ <= kMaxRank) ++size_;
  }
  void insert(int position, int64_t dim);
  void erase(int position);
  bool overflowed() const { return size_ > kMaxRank; }

  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.size_ != b.size_) return false;
    // Not std::equal: that calls memcmp, which takes longer than the few sizes there are.
    for (int i = 0; i < a.rank(); ++i) {
      if (a.begin()[i] != b.begin()[i]) return false;
    }
    return true;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Dims& dims) {
    return H::combine_contiguous(H::combine(std::move(h), dims.size_), dims.begin(), dims.rank());
  }

  std::string ToString() const;  // "[2,3]"; kDynamic prints as "?"

 private:
  std::array<int64_t, kMaxRank> dims_ = {};
  uint8_t size_ = 0;
};

// The sizes of a tensor's dimensions.
class Shape : public Dims {
 public:
  using Dims::Dims;
  explicit Shape(const Dims& dims) : Dims(dims) {}

  // The product of the dimensions; saturates at INT64_MAX (and never overflows for a shape that
  // passed Validate). 1 for rank 0. Dynamic dimensions must not be there.
  int64_t num_elements() const;
  bool has_dynamic() const { return std::find(begin(), end(), kDynamic) != end(); }

  // OK if rank <= kMaxRank, every dimension is >= 0 (or kDynamic, where allowed) and the size in
  // bytes with elements of up to 16 bytes fits int64_t, also with zero dimensions left out.
  absl::Status Validate(bool allow_dynamic = false) const;
};

// Elements to step for each dimension; may be 0 (broadcast) or negative.
using Strides = Dims;

// Row-major strides.
Strides ContiguousStrides(const Shape& shape);
bool IsContiguous(const Shape& shape, const Strides& strides);

// The NumPy broadcast of two shapes; INVALID_ARGUMENT names both and the first dimension that
// does not fit.
absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b);

// Maps an axis in [-rank, rank) to [0, rank); INVALID_ARGUMENT otherwise.
absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank);

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_SHAPE_H_
