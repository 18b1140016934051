#include "tandem/frontends/cpp/operators.h"

#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/op_def.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/frontends/cpp/op_call.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem {
namespace internal {
namespace {

// The definition and the attributes of an operator's op, looked up once.
struct Operator {
  const OpDef* op;
  AttributeMap attrs;
};

const Operator& Find(BinaryOp op) {
  static const auto* operators = [] {
    auto* result = new std::vector<Operator>;
    // In the order of BinaryOp.
    for (absl::string_view name : {"add", "sub", "mul", "div", "mod", "equal", "not_equal", "less",
                                   "less_equal", "greater", "greater_equal"}) {
      const OpDef& def = FindOp(name);
      result->push_back({&def, DefaultAttributes(def)});
    }
    return result;
  }();
  return (*operators)[static_cast<int>(op)];
}

Tensor Run(BinaryOp which, std::initializer_list<Tensor> inputs, const SourceLocation& loc) {
  const Operator& found = Find(which);
  TensorList outputs = CallOp(*found.op, {inputs.begin(), inputs.size()}, found.attrs, loc);
  return std::move(outputs[0]);
}

DType DTypeOfNumber(const NumberOperand& number, DType other) {
  if (IsFloating(other)) return other;
  if (number.floating) return DType::kF32;
  return other == DType::kBool ? DType::kI64 : other;
}

double SmallestOf(DType dtype) {
  return DispatchDType(dtype, [](auto zero) -> double {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) return static_cast<double>(std::numeric_limits<T>::min());
    return -std::numeric_limits<double>::infinity();
  });
}

double LargestOf(DType dtype) {
  return DispatchDType(dtype, [](auto zero) -> double {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) return static_cast<double>(std::numeric_limits<T>::max());
    return std::numeric_limits<double>::infinity();
  });
}

// The number as a scalar that broadcasts against `other`.
Tensor Scalar(const NumberOperand& number, const Tensor& other, const SourceLocation& loc) {
  if (!other.defined()) {
    Throw(absl::InvalidArgumentError(absl::StrCat(
        "an operator was given an empty Tensor; give it a value first [at ", ToString(loc), "]")));
  }
  const DType dtype = DTypeOfNumber(number, other.dtype());
  if (IsInteger(dtype) &&
      (!number.exact || number.value < SmallestOf(dtype) || number.value > LargestOf(dtype))) {
    Throw(absl::InvalidArgumentError(absl::StrCat(
        "the number ", number.value, " does not fit the tensor's dtype ", DTypeName(dtype),
        "; Cast the tensor first, or give the number as a tensor [at ", ToString(loc), "]")));
  }
  // An op without inputs cannot tell by them that it belongs to a symbol's graph.
  std::optional<InterpreterScope> scope;
  if (other.is_symbolic() && &CurrentInterpreter() == &EagerInterpreter()) {
    Interpreter* const recorder = other.symbol()->interpreter();
    if (recorder != nullptr) scope.emplace(*recorder);
  }
  return Full(IntList(), number.value, {.dtype = dtype}, other.device(), loc);
}

}  // namespace

Tensor Binary(BinaryOp op, const Tensor& a, const Tensor& b, const SourceLocation& loc) {
  return Run(op, {a, b}, loc);
}

Tensor Binary(BinaryOp op, const Tensor& a, const NumberOperand& b, const SourceLocation& loc) {
  return Run(op, {a, Scalar(b, a, loc)}, loc);
}

Tensor Binary(BinaryOp op, const NumberOperand& a, const Tensor& b, const SourceLocation& loc) {
  return Run(op, {Scalar(a, b, loc), b}, loc);
}

}  // namespace internal

Tensor operator-(const internal::TensorOperand& x) { return Neg(x.tensor, x.location); }
Tensor operator!(const Tensor& x) { return LogicalNot(x, SourceLocation()); }

}  // namespace tandem
