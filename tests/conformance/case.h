// A conformance case: one use of an op, and what it should give.
//
// The list of cases serves every check and every device: comparison with the reference, gradients
// by finite differences, eager against hybrid, the text of errors, and speed.
//
//   cases->push_back({.op = "softmax",
//                     .inputs = {Input(DType::kF32, {3, 65}, Uniform(-4, 4))},
//                     .attrs = {{"axis", 1}},
//                     .reference = SoftmaxReference});
//
// A reference is written from the op's documentation, not from its code, and shares nothing with it.
// Thread rules: value types.
#ifndef TANDEM_TESTS_CONFORMANCE_CASE_H_
#define TANDEM_TESTS_CONFORMANCE_CASE_H_

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/tests/conformance/reference_tensor.h"

namespace tandem::conformance {

using Ints = std::vector<int64_t>;

// How an input lies in memory. Gaps between the elements hold garbage.
enum class Layout {
  kContiguous,
  kTransposed,  // column-major
  kSliced,      // every second element of a larger tensor, from the second one on
  kNegative,    // all axes backwards
  kBroadcast,   // stride 0 along the first axis, whose slices are equal
};
std::string LayoutName(Layout layout);

// Which values an input has.
struct Fill {
  Real low = -2;
  Real high = 2;
  std::vector<Real> values;  // if not empty: these, again and again
};
inline Fill Uniform(Real low, Real high) { return {low, high, {}}; }
inline Fill Values(std::vector<Real> values) { return {0, 0, std::move(values)}; }
// Zeros of both signs, infinities, NaN, subnormal and huge numbers of the dtype among ordinary ones;
// for integers the ends of their range.
Fill Specials(DType dtype);

struct InputDef {
  DType dtype = DType::kF32;
  Shape shape;
  Fill fill;
  Layout layout = Layout::kContiguous;
};
inline InputDef Input(DType dtype, const Shape& shape, Fill fill = {},
                      Layout layout = Layout::kContiguous) {
  return {dtype, shape, std::move(fill), layout};
}

// What a reference sees.
struct RefCall {
  const AttributeMap& attrs;
  const std::vector<RefTensor>& inputs;
  const RefTensor& in(int i) const { return inputs[i]; }
};
using Reference = std::function<std::vector<RefTensor>(const RefCall&)>;

struct Case {
  std::string op;
  std::vector<InputDef> inputs = {};
  std::vector<AttributeInit> attrs = {};
  Reference reference = nullptr;

  // The check of gradients. Only cases whose floating-point inputs all are f64 take part.
  bool gradient = true;
  // Inputs that are moved, and outputs that are looked at; empty: all of floating point.
  std::vector<int> gradient_inputs = {};
  std::vector<int> gradient_outputs = {};

  // "softmax(f32[3,65]) {axis=1}"
  std::string ToString() const;
};

using CaseList = std::vector<Case>;

// A use that must be refused: inference must fail, and its text must name the op, every input's
// dtype and shape, and `mentions`.
struct BadCase {
  std::string op;
  std::vector<TensorSpec> inputs = {};
  std::vector<AttributeInit> attrs = {};
  std::vector<std::string> mentions = {};
  // False: the error is about attributes or the number of inputs, and need not show shapes.
  bool shows_shapes = true;
};
using BadCaseList = std::vector<BadCase>;

// The values of an input, rounded to its dtype.
RefTensor MakeValues(const InputDef& input, std::mt19937_64& random);
// A tensor with these values, in the layout that `layout` asks for.
absl::StatusOr<Tensor> MakeTensor(const RefTensor& values, Layout layout, Device& device);

// --- the families ---------------------------------------------------------------------------------

void AddUnaryCases(CaseList* cases, BadCaseList* bad);
void AddBinaryCases(CaseList* cases, BadCaseList* bad);
void AddCreationCases(CaseList* cases, BadCaseList* bad);
void AddRandomCases(CaseList* cases, BadCaseList* bad);
void AddReductionCases(CaseList* cases, BadCaseList* bad);
void AddLinearAlgebraCases(CaseList* cases, BadCaseList* bad);
void AddSoftmaxCases(CaseList* cases, BadCaseList* bad);
void AddConvolutionCases(CaseList* cases, BadCaseList* bad);
void AddPoolingCases(CaseList* cases, BadCaseList* bad);
void AddNormalizationCases(CaseList* cases, BadCaseList* bad);
void AddShapeCases(CaseList* cases, BadCaseList* bad);
void AddJoiningCases(CaseList* cases, BadCaseList* bad);
void AddIndexingCases(CaseList* cases, BadCaseList* bad);
void AddFusedCases(CaseList* cases, BadCaseList* bad);
void AddControlFlowCases(CaseList* cases, BadCaseList* bad);

// All of them.
const CaseList& AllCases();
const BadCaseList& AllBadCases();

// --- what the families share ----------------------------------------------------------------------

inline const std::vector<DType> kFloatTypes = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64};
inline const std::vector<DType> kIntegerTypes = {DType::kI8, DType::kU8, DType::kI16, DType::kI32,
                                                 DType::kI64};
inline const std::vector<DType> kNumberTypes = {DType::kF16, DType::kBF16, DType::kF32,
                                                DType::kF64, DType::kI8,   DType::kU8,
                                                DType::kI16, DType::kI32,  DType::kI64};
inline const std::vector<DType> kAllTypes = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64,
                                             DType::kI8,  DType::kU8,   DType::kI16, DType::kI32,
                                             DType::kI64, DType::kBool};
inline const std::vector<Layout> kStridedLayouts = {Layout::kTransposed, Layout::kSliced,
                                                    Layout::kNegative, Layout::kBroadcast};

// The lattice of dtype.h, from its text.
DType Promote(DType a, DType b);
// The axis in [0, rank).
int Axis(int64_t axis, int rank);

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_CASE_H_
