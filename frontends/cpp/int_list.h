// IntList: what a list of integers looks like to a caller: axes, a shape, strides.
//
//   Sum(x, {.axes = {0, 1}});
//   Reshape(x, {0, -1});
//   Reshape(x, y.shape());
#ifndef TANDEM_FRONTENDS_CPP_INT_LIST_H_
#define TANDEM_FRONTENDS_CPP_INT_LIST_H_

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "tandem/core/tensor/shape.h"

namespace tandem {

class IntList {
 public:
  IntList() = default;
  // NOLINTBEGIN(google-explicit-constructor)
  IntList(std::initializer_list<int64_t> values) : values_(values) {}
  IntList(std::vector<int64_t> values) : values_(std::move(values)) {}
  IntList(const Dims& dims) : values_(dims.begin(), dims.end()) {}
  // NOLINTEND(google-explicit-constructor)

  const std::vector<int64_t>& values() const { return values_; }
  bool empty() const { return values_.empty(); }
  int64_t size() const { return static_cast<int64_t>(values_.size()); }
  Shape ToShape() const { return Shape(absl::MakeConstSpan(values_)); }

 private:
  std::vector<int64_t> values_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_INT_LIST_H_
