#include "tandem/tests/conformance/reference_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::conformance {
namespace {

struct Format {
  int precision;     // bits of the significand, the hidden one included
  int min_exponent;  // of the smallest normal number, 2^min_exponent
  Real max;
};

Format FormatOf(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return {11, -14, 65504.0L};
    case DType::kBF16:
      return {8, -126, 0x1.FEp127L};
    case DType::kF64:
      return {53, -1022, std::numeric_limits<double>::max()};
    default:
      return {24, -126, std::numeric_limits<float>::max()};
  }
}

DType ComputeDType(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

Real UlpIn(Real value, const Format& format) {
  if (value == 0 || !std::isfinite(value)) {
    return std::ldexp(Real{1}, format.min_exponent - format.precision + 1);
  }
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  return std::ldexp(Real{1}, exponent - format.precision + 1);
}

Real RoundFloating(Real value, const Format& format) {
  if (!std::isfinite(value) || value == 0) return value;
  const Real ulp = UlpIn(value, format);
  const Real rounded = std::nearbyint(value / ulp) * ulp;
  if (std::abs(rounded) > format.max) {
    return std::copysign(std::numeric_limits<Real>::infinity(), value);
  }
  return rounded;
}

Real Wrap(Real value, int bits, bool is_signed) {
  const Real modulus = std::ldexp(Real{1}, bits);
  Real wrapped = std::fmod(std::trunc(value), modulus);
  if (wrapped < 0) wrapped += modulus;
  if (is_signed && wrapped >= modulus / 2) wrapped -= modulus;
  return wrapped + 0;  // integers have no -0
}

std::string At(const Shape& shape, int64_t linear) {
  Dims at = Dims::Filled(shape.rank(), 0);
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    at[axis] = linear % shape[axis];
    linear /= shape[axis];
  }
  return at.ToString();
}

}  // namespace

int64_t LinearIndex(const Shape& shape, const std::vector<int64_t>& at) {
  int64_t linear = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) linear = linear * shape[axis] + at[axis];
  return linear;
}

Real RoundTo(Real value, DType dtype) {
  switch (dtype) {
    case DType::kI8:
      return Wrap(value, 8, true);
    case DType::kU8:
      return Wrap(value, 8, false);
    case DType::kI16:
      return Wrap(value, 16, true);
    case DType::kI32:
      return Wrap(value, 32, true);
    case DType::kI64:
      return Wrap(value, 64, true);
    case DType::kBool:
      return value != 0;
    default:
      return RoundFloating(value, FormatOf(dtype));
  }
}

Real UnitRoundoff(DType dtype) {
  return std::ldexp(Real{1}, -FormatOf(ComputeDType(dtype)).precision);
}

Real ComputeUlp(Real value, DType dtype) { return UlpIn(value, FormatOf(ComputeDType(dtype))); }

Real SumError(int64_t terms, Real magnitude) {
  const Real n = static_cast<Real>(terms);
  return std::min(n + 1, 4 * std::sqrt(n + 1)) * magnitude;
}

absl::StatusOr<std::vector<Real>> ReadValues(const Tensor& tensor) {
  std::vector<std::byte> bytes(tensor.spec().num_bytes());
  TANDEM_RETURN_IF_ERROR(tensor.CopyToHost(absl::MakeSpan(bytes)));
  std::vector<Real> values(tensor.num_elements());
  DispatchDType(tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        values[i] = static_cast<uint8_t>(bytes[i]) != 0;
      } else {
        T value;
        std::copy_n(bytes.data() + i * sizeof(T), sizeof(T), reinterpret_cast<std::byte*>(&value));
        if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
          values[i] = static_cast<float>(value);
        } else {
          values[i] = value;
        }
      }
    }
  });
  return values;
}

std::string Compare(const RefTensor& expected, const Tensor& actual) {
  if (actual.spec() != expected.spec()) {
    return absl::StrCat("has spec ", actual.spec().ToString(), ", expected ",
                        expected.spec().ToString());
  }
  const absl::StatusOr<std::vector<Real>> values = ReadValues(actual);
  if (!values.ok()) return absl::StrCat("cannot be read: ", values.status().ToString());
  const DType dtype = expected.dtype;
  const bool floating = IsFloating(dtype);
  const bool narrow = dtype == DType::kF16 || dtype == DType::kBF16;
  int64_t wrong = 0;
  std::string first;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const Real want = expected.values[i];
    const Real got = (*values)[i];
    Real low = want;
    Real high = want;
    if (floating && std::isfinite(want)) {
      Real slack = expected.ulps * ComputeUlp(want, dtype);
      if (!expected.error.empty()) slack += expected.error[i] * UnitRoundoff(dtype);
      if (std::isnan(slack)) slack = std::numeric_limits<Real>::infinity();
      low = want - slack;
      high = want + slack;
      // The store rounds once more, beyond the largest number to infinity.
      if (narrow || high > FormatOf(dtype).max || low < -FormatOf(dtype).max) {
        low = RoundTo(low, dtype);
        high = RoundTo(high, dtype);
      }
    }
    const bool fits = std::isnan(want) ? std::isnan(got) : got >= low && got <= high;
    if (fits) continue;
    if (wrong++ == 0) {
      first = absl::StrFormat("%s is %.21Lg, expected %.21Lg (from %.21Lg to %.21Lg)",
                              At(expected.shape, i), got, want, low, high);
    }
  }
  if (wrong == 0) return "";
  return absl::StrCat(wrong, " of ", expected.size(), " elements are wrong: ", first);
}

std::string CompareBits(const Tensor& expected, const Tensor& actual) {
  if (!expected.defined() || !actual.defined()) {
    return expected.defined() == actual.defined() ? "" : "only one of them is defined";
  }
  if (actual.spec() != expected.spec()) {
    return absl::StrCat("have specs ", expected.spec().ToString(), " and ",
                        actual.spec().ToString());
  }
  std::vector<std::byte> a(expected.spec().num_bytes());
  std::vector<std::byte> b(a.size());
  for (const absl::Status& status :
       {expected.CopyToHost(absl::MakeSpan(a)), actual.CopyToHost(absl::MakeSpan(b))}) {
    if (!status.ok()) return status.ToString();
  }
  if (a == b) return "";
  const auto x = ReadValues(expected);
  const auto y = ReadValues(actual);
  if (!x.ok() || !y.ok()) return "cannot be read";
  const int64_t size = DTypeSize(expected.dtype());
  for (size_t i = 0; i < x->size(); ++i) {
    if (std::equal(a.begin() + i * size, a.begin() + (i + 1) * size, b.begin() + i * size))
      continue;
    return absl::StrFormat("differ at %s: %.21Lg and %.21Lg", At(expected.shape(), i), (*x)[i],
                           (*y)[i]);
  }
  return "";
}

}  // namespace tandem::conformance
