// Arrays: making tensors, reading them, printing them.
//
//   Tensor a = Array({1, 2, 3});                    // f32[3]
//   Tensor b = Array<int64_t>({1, 2, 3, 4}, {2, 2});
//   Tensor c = RandomNormal({2, 2});
//   std::vector<float> values = ToVector<float>(c);
//   std::cout << a << "\n";                         // [1, 2, 3] and what it is
//
// Reading the values of a traced tensor throws FAILED_PRECONDITION with the op, the block and the
// line that made it, and what to do instead (R42).
// Thread rules: any thread.
#ifndef TANDEM_FRONTENDS_CPP_ARRAY_H_
#define TANDEM_FRONTENDS_CPP_ARRAY_H_

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/defined.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/frontends/cpp/int_list.h"

namespace tandem {

// --- making --------------------------------------------------------------------------------------

// A copy of the values, of rank 1, or of `shape`, whose number of elements must be theirs.
template <typename T = float>
Tensor Array(const std::vector<T>& values, const IntList& shape, Device* device = nullptr) {
  return Value(Tensor::FromVector<T>(values, shape.ToShape(),
                                     device != nullptr ? *device : DefaultDevice()));
}
template <typename T = float>
Tensor Array(const std::vector<T>& values) {
  return Array<T>(values, {static_cast<int64_t>(values.size())});
}
// Rank 0.
template <typename T>
Tensor ScalarArray(T value, Device* device = nullptr) {
  return Value(Tensor::Scalar<T>(value, device != nullptr ? *device : DefaultDevice()));
}

Tensor Zeros(const IntList& shape, DType dtype = DType::kF32, Device* device = nullptr);
Tensor Ones(const IntList& shape, DType dtype = DType::kF32, Device* device = nullptr);
Tensor ZerosLike(const Tensor& x);
Tensor OnesLike(const Tensor& x);
// Full and Arange are ops (ops.h).

// Draws from the generator of the process (random::Seed), in a trace too.
Tensor RandomUniform(const IntList& shape, double low = 0.0, double high = 1.0,
                     DType dtype = DType::kF32, Device* device = nullptr);
Tensor RandomNormal(const IntList& shape, double mean = 0.0, double stddev = 1.0,
                    DType dtype = DType::kF32, Device* device = nullptr);
// 1 with probability p, otherwise 0.
Tensor RandomBernoulli(const IntList& shape, double p = 0.5, DType dtype = DType::kF32,
                       Device* device = nullptr);

namespace random {
// Makes every later draw repeatable, on every device, eager and compiled (R20).
void Seed(uint64_t seed);
}  // namespace random

// `x` on another device: a row-major copy there, through which gradients flow back; `x` itself if it
// is there already. FAILED_PRECONDITION for a traced tensor: a graph has one device.
Tensor To(const Tensor& x, Device& device, SourceLocation loc = SourceLocation::current());
Tensor To(const Tensor& x, absl::string_view device,  // "cuda:1"
          SourceLocation loc = SourceLocation::current());

// --- reading -------------------------------------------------------------------------------------

// All elements, row-major. INVALID_ARGUMENT unless T stores the tensor's dtype.
template <typename T = float>
std::vector<T> ToVector(const Tensor& x) {
  CheckDefined("ToVector", x);
  return Value(x.ToVector<T>());
}
// The only element.
template <typename T = float>
T Item(const Tensor& x) {
  CheckDefined("Item", x);
  return Value(x.Item<T>());
}
// The only element, of any dtype, as double.
double ItemAsDouble(const Tensor& x);

// Values as nested rows (shortened where there are many), and what it is; a symbol describes
// itself.
std::ostream& operator<<(std::ostream& out, const Tensor& x);

// --- writing -------------------------------------------------------------------------------------

// x[begin[0]:end[0], begin[1]:end[1], …] = value, which is broadcast. Tensors never change: `x` is
// rebound to a new one; other handles keep the old values. A traced tensor, and one whose gradient is
// being recorded, are refused with FAILED_PRECONDITION, which shows the rewrite (R44).
void WriteInto(Tensor& x, const IntList& begin, const IntList& end, const Tensor& value,
               SourceLocation loc = SourceLocation::current());

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_ARRAY_H_
