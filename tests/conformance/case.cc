#include "tandem/tests/conformance/case.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tandem::conformance {
namespace {

constexpr Real kInf = std::numeric_limits<Real>::infinity();
constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();

// `value`, which is one of T's.
template <typename T>
T Store(Real value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace

std::string LayoutName(Layout layout) {
  switch (layout) {
    case Layout::kContiguous:
      return "contiguous";
    case Layout::kTransposed:
      return "transposed";
    case Layout::kSliced:
      return "sliced";
    case Layout::kNegative:
      return "negative";
    case Layout::kBroadcast:
      return "broadcast";
  }
  return "";
}

Fill Specials(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return Values({0.0L, -0.0L, kInf, -kInf, kNan, 1, -1, 65504, -65504, 0x1p-14L, -0x1p-24L,
                     0x1p-20L, 0.5, 2.5, -2.5, 3.75, 1000});
    case DType::kBF16:
      return Values({0.0L, -0.0L, kInf, -kInf, kNan, 1, -1, 0x1.FEp127L, -0x1.FEp127L, 0x1p-126L,
                     -0x1p-133L, 0x1p-130L, 0.5, 2.5, -2.5, 3.75, 1000});
    case DType::kF32:
      return Values({0.0L,
                     -0.0L,
                     kInf,
                     -kInf,
                     kNan,
                     1,
                     -1,
                     0x1.FFFFFEp127L,
                     -0x1.FFFFFEp127L,
                     0x1p-126L,
                     -0x1p-149L,
                     0x1.8p-130L,
                     0.5,
                     2.5,
                     -2.5,
                     88.7L,
                     -87.3L,
                     104,
                     -104,
                     1e-8L,
                     16777217,
                     1e10L});
    case DType::kF64:
      return Values({0.0L,
                     -0.0L,
                     kInf,
                     -kInf,
                     kNan,
                     1,
                     -1,
                     std::numeric_limits<double>::max(),
                     -std::numeric_limits<double>::max(),
                     0x1p-1022L,
                     -0x1p-1074L,
                     0x1.8p-1030L,
                     0.5,
                     2.5,
                     -2.5,
                     709.7L,
                     -708.3L,
                     -745,
                     746,
                     1e-17L,
                     9007199254740993.0L,
                     1e300L});
    case DType::kI8:
      return Values({0, 1, -1, 127, -128, 2, -3, 100, -100});
    case DType::kU8:
      return Values({0, 1, 255, 128, 2, 3, 100, 254});
    case DType::kI16:
      return Values({0, 1, -1, 32767, -32768, 2, -3, 255, -1000});
    case DType::kI32:
      return Values({0, 1, -1, 2147483647, -2147483648.0L, 2, -3, 65536, -100000});
    case DType::kI64:
      return Values({0, 1, -1, 9223372036854775807.0L, -9223372036854775808.0L, 2, -3,
                     4294967296.0L, -10000000000.0L});
    case DType::kBool:
      break;
  }
  return Values({0, 1, 1, 0, 0});
}

std::string Case::ToString() const {
  const std::string args = absl::StrJoin(inputs, ", ", [](std::string* out, const InputDef& in) {
    absl::StrAppend(out, TensorSpec{in.dtype, in.shape}.ToString());
    if (in.layout != Layout::kContiguous) absl::StrAppend(out, " ", LayoutName(in.layout));
  });
  const std::string attributes = absl::StrJoin(attrs, ", ", [](std::string* out, const auto& a) {
    absl::StrAppend(out, a.first, "=", a.second.ToString());
  });
  return absl::StrCat(op, "(", args, ")", attributes.empty() ? "" : " {", attributes,
                      attributes.empty() ? "" : "}");
}

RefTensor MakeValues(const InputDef& input, std::mt19937_64& random) {
  RefTensor t = RefTensor::Of(input.dtype, input.shape);
  std::uniform_real_distribution<double> uniform(static_cast<double>(input.fill.low),
                                                 static_cast<double>(input.fill.high));
  const std::vector<Real>& given = input.fill.values;
  for (int64_t i = 0; i < t.size(); ++i) {
    Real value = given.empty() ? uniform(random) : given[i % given.size()];
    if (given.empty() && !IsFloating(input.dtype)) value = std::round(value);
    t.values[i] = RoundTo(value, input.dtype);
  }
  if (input.layout == Layout::kBroadcast && t.shape.rank() > 0 && t.size() > 0) {
    const int64_t slice = t.size() / t.shape[0];
    for (int64_t i = slice; i < t.size(); ++i) t.values[i] = t.values[i - slice];
  }
  return t;
}

absl::StatusOr<Tensor> MakeTensor(const RefTensor& values, Layout layout, Device& device) {
  const int rank = values.shape.rank();
  TensorLayout place = TensorLayout::Contiguous(values.spec());
  int64_t size = values.size();  // of the buffer, in elements
  if (size > 0) {
    switch (layout) {
      case Layout::kContiguous:
        break;
      case Layout::kTransposed:
        for (int axis = 0, stride = 1; axis < rank; ++axis) {
          place.strides[axis] = stride;
          stride *= values.shape[axis];
        }
        break;
      case Layout::kSliced: {
        Shape parent;
        for (int64_t d : values.shape) parent.push_back(2 * d + 1);
        place.strides = ContiguousStrides(parent);
        for (int64_t& stride : place.strides) {
          place.offset += stride;
          stride *= 2;
        }
        size = parent.num_elements();
        break;
      }
      case Layout::kNegative:
        place.offset = size - 1;
        for (int64_t& stride : place.strides) stride = -stride;
        break;
      case Layout::kBroadcast:
        if (rank > 0) {
          size /= values.shape[0];
          place.strides[0] = 0;
        }
        break;
    }
  }
  // What is between the elements is NaN in every floating-point dtype.
  std::vector<std::byte> bytes(size * DTypeSize(values.dtype), std::byte{0xFF});
  if (values.dtype == DType::kBool) std::fill(bytes.begin(), bytes.end(), std::byte{1});
  DispatchDType(values.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Index at(values.shape); at.valid(); at.Next()) {
      int64_t offset = place.offset;
      for (int axis = 0; axis < rank; ++axis) offset += at[axis] * place.strides[axis];
      const T value = Store<T>(values.values[at.linear()]);
      std::copy_n(reinterpret_cast<const std::byte*>(&value), sizeof(T),
                  bytes.data() + offset * sizeof(T));
    }
  });
  if (layout == Layout::kContiguous) return Tensor::FromBytes(bytes, values.spec(), device);
  absl::StatusOr<Tensor> flat = Tensor::FromBytes(bytes, {values.dtype, {size}}, device);
  if (!flat.ok()) return flat.status();
  return flat->WithLayout(place);
}

DType Promote(DType a, DType b) {
  if (a == b) return a;
  const auto category = [](DType t) { return t == DType::kBool ? 0 : IsInteger(t) ? 1 : 2; };
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if (IsFloating(a)) {
    if (a == DType::kF64 || b == DType::kF64) return DType::kF64;
    return DType::kF32;  // f32 with another, or f16 with bf16
  }
  if (a != DType::kU8 && b != DType::kU8) return DTypeSize(a) > DTypeSize(b) ? a : b;
  const DType other = a == DType::kU8 ? b : a;
  return other == DType::kI8 ? DType::kI16 : other;
}

int Axis(int64_t axis, int rank) { return static_cast<int>(axis < 0 ? axis + rank : axis); }

namespace {

struct Lists {
  Lists() {
    for (auto add : {AddUnaryCases, AddBinaryCases, AddCreationCases, AddRandomCases,
                     AddReductionCases, AddLinearAlgebraCases, AddSoftmaxCases, AddConvolutionCases,
                     AddPoolingCases, AddNormalizationCases, AddShapeCases, AddJoiningCases,
                     AddIndexingCases, AddFusedCases, AddControlFlowCases}) {
      add(&cases, &bad);
    }
  }
  CaseList cases;
  BadCaseList bad;
};

const Lists& AllLists() {
  static const auto& lists = *new Lists();
  return lists;
}

}  // namespace

const CaseList& AllCases() { return AllLists().cases; }
const BadCaseList& AllBadCases() { return AllLists().bad; }

}  // namespace tandem::conformance
