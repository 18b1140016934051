// Matrix products.

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

// A sum of products, exact or with its error.
struct Accumulator {
  Real sum = 0;
  Real magnitude = 0;
  int64_t terms = 0;
  void Add(Real a, Real b, bool floating) {
    sum += floating ? a * b : WrappedProduct(a, b);
    if (!floating) sum = RoundTo(sum, DType::kI64);
    magnitude += std::abs(a * b);
    ++terms;
  }
  void Store(RefTensor* y, int64_t i) const {
    y->values[i] = IsFloating(y->dtype) ? sum : RoundTo(sum, y->dtype);
    if (IsFloating(y->dtype)) y->SetError(i, SumError(terms, magnitude));
  }
};

std::vector<RefTensor> MatmulReference(const RefCall& call) {
  const RefTensor &a = call.in(0), &b = call.in(1);
  const bool ta = call.attrs.Bool("transpose_a") && a.shape.rank() > 1;
  const bool tb = call.attrs.Bool("transpose_b") && b.shape.rank() > 1;
  // Vectors as matrices of one row and one column.
  const bool a_vector = a.shape.rank() == 1, b_vector = b.shape.rank() == 1;
  const Shape as = a_vector ? Shape({1, a.shape[0]}) : a.shape;
  const Shape bs = b_vector ? Shape({b.shape[0], 1}) : b.shape;
  const int ar = as.rank(), br = bs.rank();
  const int64_t m = as[ta ? ar - 1 : ar - 2], k = as[ta ? ar - 2 : ar - 1];
  const int64_t n = bs[tb ? br - 2 : br - 1];
  const Shape a_batch(as.span().subspan(0, ar - 2)), b_batch(bs.span().subspan(0, br - 2));
  const Shape batch = BroadcastShape(a_batch, b_batch);
  Shape out = batch;
  if (!a_vector) out.push_back(m);
  if (!b_vector) out.push_back(n);
  RefTensor y = RefTensor::Of(a.dtype, out);
  // Where matrix `at` of the batch begins in an operand.
  const auto start = [](const Shape& own, const std::vector<int64_t>& at, int64_t matrix) {
    const int leading = static_cast<int>(at.size()) - own.rank();
    int64_t linear = 0;
    for (int i = 0; i < own.rank(); ++i) {
      linear = linear * own[i] + (own[i] == 1 ? 0 : at[i + leading]);
    }
    return linear * matrix;
  };
  for (Index at(batch); at.valid(); at.Next()) {
    const Real* pa = a.values.data() + start(a_batch, at.at(), m * k);
    const Real* pb = b.values.data() + start(b_batch, at.at(), k * n);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        Accumulator sum;
        for (int64_t p = 0; p < k; ++p) {
          sum.Add(pa[ta ? p * m + i : i * k + p], pb[tb ? j * k + p : p * n + j],
                  IsFloating(a.dtype));
        }
        sum.Store(&y, (at.linear() * m + i) * n + j);
      }
    }
  }
  return {y};
}

std::vector<RefTensor> DotReference(const RefCall& call) {
  const RefTensor &a = call.in(0), &b = call.in(1);
  const bool a_first = call.attrs.Bool("transpose_a");
  const bool b_first = !call.attrs.Bool("transpose_b");
  const int a_axis = a_first ? 0 : a.shape.rank() - 1;
  const int b_axis = b_first ? 0 : b.shape.rank() - 1;
  Shape out;
  for (int i = 0; i < a.shape.rank(); ++i) {
    if (i != a_axis) out.push_back(a.shape[i]);
  }
  for (int i = 0; i < b.shape.rank(); ++i) {
    if (i != b_axis) out.push_back(b.shape[i]);
  }
  RefTensor y = RefTensor::Of(a.dtype, out);
  for (Index at(out); at.valid(); at.Next()) {
    Accumulator sum;
    for (int64_t p = 0; p < a.shape[a_axis]; ++p) {
      std::vector<int64_t> in_a, in_b;
      int next = 0;
      for (int i = 0; i < a.shape.rank(); ++i) in_a.push_back(i == a_axis ? p : at[next++]);
      for (int i = 0; i < b.shape.rank(); ++i) in_b.push_back(i == b_axis ? p : at[next++]);
      sum.Add(a.values[LinearIndex(a.shape, in_a)], b.values[LinearIndex(b.shape, in_b)],
              IsFloating(a.dtype));
    }
    sum.Store(&y, at.linear());
  }
  return {y};
}

struct Product {
  Shape a, b;
  bool ta = false, tb = false;
};

void Add(CaseList* cases, const std::string& op, const Product& p, DType dtype,
         Layout a_layout = Layout::kContiguous, Layout b_layout = Layout::kContiguous) {
  const Fill fill = dtype == DType::kU8 ? Uniform(0, 9) : Uniform(-9, 9);
  cases->push_back(
      {.op = op,
       .inputs = {Input(dtype, p.a, fill, a_layout), Input(dtype, p.b, fill, b_layout)},
       .attrs = {{"transpose_a", p.ta}, {"transpose_b", p.tb}},
       .reference = op == "dot" ? DotReference : MatmulReference});
}

}  // namespace

void AddLinearAlgebraCases(CaseList* cases, BadCaseList* bad) {
  const Product small[] = {{{7, 5}, {5, 3}},
                           {{5, 7}, {5, 3}, true, false},
                           {{7, 5}, {3, 5}, false, true},
                           {{5, 7}, {3, 5}, true, true},
                           {{5}, {5}},
                           {{5}, {5, 3}},
                           {{7, 5}, {5}},
                           {{0, 5}, {5, 3}},
                           {{3, 0}, {0, 4}},
                           {{1, 1}, {1, 1}}};
  const Product matmuls[] = {{{2, 3, 4}, {2, 4, 5}},
                             {{3, 1, 2, 4}, {5, 4, 3}},
                             {{4, 2, 3}, {3, 2}},
                             {{2, 4, 3}, {5, 4}, true, true},
                             {{3}, {2, 3, 4}},
                             {{2, 3, 4}, {4}},
                             {{0, 2, 3}, {3, 2}},
                             // No two axes of the batch are one for both operands.
                             {{3, 1, 3, 1, 3, 1, 1}, {1, 3, 1, 3, 1, 1, 1}}};
  // Around the sizes of tiles and panels, and longer than one part of a sum.
  const Product large[] = {{{63, 65}, {65, 64}},
                           {{65, 300}, {33, 300}, false, true},
                           {{1, 257}, {257, 129}},
                           {{129, 31}, {129, 1}, true, false},
                           {{16, 256}, {120, 256}, false, true}};
  const Product dots[] = {{{2, 3, 4}, {4, 5}},
                          {{2, 3, 4}, {4, 2, 2}},
                          {{4, 3}, {2, 3, 4}, true, true},
                          {{16, 84}, {10, 84}, false, true},
                          {{2, 0}, {0, 3}}};
  for (DType dtype : kNumberTypes) {
    for (const Product& p : small) {
      Add(cases, "matmul", p, dtype);
      Add(cases, "dot", p, dtype);
    }
    for (const Product& p : matmuls) Add(cases, "matmul", p, dtype);
    for (const Product& p : dots) Add(cases, "dot", p, dtype);
    if (!IsFloating(dtype) && dtype != DType::kI32) continue;
    for (const Product& p : large) Add(cases, "matmul", p, dtype);
  }
  for (Layout layout : kStridedLayouts) {
    for (const Product& p : small) {
      Add(cases, "matmul", p, DType::kF32, layout);
      Add(cases, "matmul", p, DType::kF32, Layout::kContiguous, layout);
      Add(cases, "matmul", p, DType::kF16, layout, layout);
    }
    Add(cases, "matmul", large[0], DType::kF32, layout, layout);
    Add(cases, "dot", dots[0], DType::kF32, layout, layout);
  }
  const Real infinity = std::numeric_limits<Real>::infinity();
  for (DType dtype : kFloatTypes) {
    // Infinities and NaN reach exactly the elements that they belong to.
    cases->push_back(
        {.op = "matmul",
         .inputs = {Input(dtype, {3, 2}, Values({1, infinity, 2, 3, std::nanl(""), 1})),
                    Input(dtype, {2, 3}, Values({1, 2, 3, 4, 5, 6}))},
         .reference = MatmulReference});
  }
  const TensorSpec x{DType::kF32, {2, 3}};
  for (const char* op : {"matmul", "dot"}) {
    bad->push_back({op, {x, {DType::kF32, {4, 5}}}, {}, {"3", "4"}});
    bad->push_back({op, {x, {DType::kF64, {3, 5}}}, {}, {}});
    bad->push_back({op, {x, {DType::kF32, {}}}, {}, {}});
    bad->push_back({op, {{DType::kBool, {2, 3}}, {DType::kBool, {3, 2}}}, {}, {"bool"}});
    const int64_t huge = int64_t{1} << 40;
    bad->push_back({op, {{DType::kF32, {huge, 1}}, {DType::kF32, {1, huge}}}, {}, {}, false});
  }
  bad->push_back({"matmul", {{DType::kF32, {2, 2, 3}}, {DType::kF32, {3, 3, 2}}}, {}, {}});
}

}  // namespace tandem::conformance
