// Operators of tensors, with tensors and with numbers.
//
//   Tensor y = 2 * x + b;
//   y += 1;                    // rebinds y; the tensor it held is unchanged (R44)
//   Tensor mask = x > 0;       // bool, elementwise
//
// A number takes the tensor's dtype; a floating-point number makes integers and bools f32, and an
// integer makes bools i64. Errors and graph nodes carry the line of the expression.
// There is no conversion to C++ bool: `if (x > 0)` does not compile. Read the value, with
// Item<bool>(Any…), which a trace refuses with a remedy, or use Where.
// Thread rules: any thread.
#ifndef TANDEM_FRONTENDS_CPP_OPERATORS_H_
#define TANDEM_FRONTENDS_CPP_OPERATORS_H_

#include <cstdint>
#include <type_traits>

#include "tandem/core/base/source_location.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {
namespace internal {

enum class BinaryOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
};

// One side of an operator. Made by an implicit conversion, because that is where a default argument
// can capture the caller's line: operators cannot have any.
struct TensorOperand {
  TensorOperand(const Tensor& tensor,  // NOLINT(google-explicit-constructor)
                SourceLocation location = SourceLocation::current())
      : tensor(tensor), location(location) {}
  const Tensor& tensor;
  SourceLocation location;
};

struct NumberOperand {
  template <typename T>
  requires std::is_arithmetic_v<T> NumberOperand(
      T number,  // NOLINT(google-explicit-constructor)
      SourceLocation location = SourceLocation::current())
      : floating(std::is_floating_point_v<T>),
        value(static_cast<double>(number)),
        exact(std::is_floating_point_v<T> || static_cast<T>(value) == number),
        location(location) {}
  bool floating;
  double value;
  bool exact;  // false for an integer that a double does not hold
  SourceLocation location;
};

Tensor Binary(BinaryOp op, const Tensor& a, const Tensor& b, const SourceLocation& loc);
Tensor Binary(BinaryOp op, const Tensor& a, const NumberOperand& b, const SourceLocation& loc);
Tensor Binary(BinaryOp op, const NumberOperand& a, const Tensor& b, const SourceLocation& loc);

}  // namespace internal

#define TANDEM_BINARY_OPERATOR(symbol, op)                          \
  inline Tensor operator symbol(const internal::TensorOperand& a,   \
                                const internal::TensorOperand& b) { \
    return internal::Binary(op, a.tensor, b.tensor, a.location);    \
  }                                                                 \
  inline Tensor operator symbol(const internal::TensorOperand& a,   \
                                const internal::NumberOperand& b) { \
    return internal::Binary(op, a.tensor, b, a.location);           \
  }                                                                 \
  inline Tensor operator symbol(const internal::NumberOperand& a,   \
                                const internal::TensorOperand& b) { \
    return internal::Binary(op, a, b.tensor, b.location);           \
  }

TANDEM_BINARY_OPERATOR(+, internal::BinaryOp::kAdd)
TANDEM_BINARY_OPERATOR(-, internal::BinaryOp::kSub)
TANDEM_BINARY_OPERATOR(*, internal::BinaryOp::kMul)
TANDEM_BINARY_OPERATOR(/, internal::BinaryOp::kDiv)
TANDEM_BINARY_OPERATOR(%, internal::BinaryOp::kMod)
TANDEM_BINARY_OPERATOR(==, internal::BinaryOp::kEqual)
TANDEM_BINARY_OPERATOR(!=, internal::BinaryOp::kNotEqual)
TANDEM_BINARY_OPERATOR(<, internal::BinaryOp::kLess)
TANDEM_BINARY_OPERATOR(<=, internal::BinaryOp::kLessEqual)
TANDEM_BINARY_OPERATOR(>, internal::BinaryOp::kGreater)
TANDEM_BINARY_OPERATOR(>=, internal::BinaryOp::kGreaterEqual)
#undef TANDEM_BINARY_OPERATOR

// Rebind the handle on the left.
#define TANDEM_COMPOUND_OPERATOR(symbol, op)                                       \
  inline Tensor& operator symbol##=(Tensor& a, const internal::TensorOperand& b) { \
    return a = internal::Binary(op, a, b.tensor, b.location);                      \
  }                                                                                \
  inline Tensor& operator symbol##=(Tensor& a, const internal::NumberOperand& b) { \
    return a = internal::Binary(op, a, b, b.location);                             \
  }

TANDEM_COMPOUND_OPERATOR(+, internal::BinaryOp::kAdd)
TANDEM_COMPOUND_OPERATOR(-, internal::BinaryOp::kSub)
TANDEM_COMPOUND_OPERATOR(*, internal::BinaryOp::kMul)
TANDEM_COMPOUND_OPERATOR(/, internal::BinaryOp::kDiv)
#undef TANDEM_COMPOUND_OPERATOR

Tensor operator-(const internal::TensorOperand& x);
// Where x is 0. Takes the tensor itself, so its errors have no line: a conversion would compete
// with the one to bool.
Tensor operator!(const Tensor& x);

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_OPERATORS_H_
