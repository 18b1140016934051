#include "tandem/backends/vulkan/elementwise/elementwise.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/elementwise/expression_tester.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

using testing::HasSubstr;

constexpr DType kCompute[] = {DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kBool};
constexpr DType kAll[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI8,
                          DType::kU8,  DType::kI16,  DType::kI32, DType::kI64, DType::kBool};

DType StorageOf(ScalarType type) { return kCompute[static_cast<int>(type)]; }

ScalarExpr Identity(DType dtype) {
  ScalarBuilder b;
  b.Output(b.Input(0, dtype), dtype);
  return *b.Finish();
}

ScalarExpr Add(DType dtype) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, dtype), y = b.Input(1, dtype);
  b.Output(b.Add(x, y), dtype);
  return *b.Finish();
}

class ElementwiseTest : public testing::Test {
 protected:
  // One device for all tests: opening it under validation takes a while.
  static void SetUpTestSuite() { tester_ = new ExpressionTester(); }
  static void TearDownTestSuite() {
    delete tester_;
    tester_ = nullptr;
  }
  void SetUp() override {
    if (!tester_->available()) GTEST_SKIP() << "no Vulkan device: " << tester_->reason();
  }
  ExpressionTester& tester() { return *tester_; }

  static ExpressionTester* tester_;
};
ExpressionTester* ElementwiseTest::tester_ = nullptr;

// All operations that the type has and that must be exact, as one expression. Comparisons are cast
// to i32, so that the expression fits width 1, too.
ScalarExpr ExactOperations(DType dtype) {
  const ScalarType type = ComputeType(dtype);
  constexpr ScalarOp kUnary[] = {ScalarOp::kNeg,  ScalarOp::kAbs,   ScalarOp::kFloor,
                                 ScalarOp::kCeil, ScalarOp::kTrunc, ScalarOp::kRint,
                                 ScalarOp::kNot};
  constexpr ScalarOp kBinary[] = {ScalarOp::kAdd, ScalarOp::kSub, ScalarOp::kMul, ScalarOp::kDiv,
                                  ScalarOp::kRem, ScalarOp::kAnd, ScalarOp::kOr,  ScalarOp::kXor,
                                  ScalarOp::kShl, ScalarOp::kShr, ScalarOp::kLt,  ScalarOp::kLe,
                                  ScalarOp::kEq,  ScalarOp::kNe};
  const auto defined = [&](ScalarOp op, bool unary) {
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, dtype);
    const ScalarValue y = unary ? b.Unary(op, x) : b.Binary(op, x, b.Input(1, dtype));
    b.Output(y, StorageOf(y.type));
    return b.Finish().ok();
  };
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, dtype), y = b.Input(1, dtype);
  const auto output = [&](ScalarValue value) {
    if (value.type == ScalarType::kBool) value = b.Cast(value, ScalarType::kI32);
    b.Output(value, StorageOf(value.type));
  };
  for (ScalarOp op : kUnary) {
    if (defined(op, true)) output(b.Unary(op, x));
  }
  for (ScalarOp op : kBinary) {
    const bool inexact = op == ScalarOp::kDiv && IsFloating(type);
    if (defined(op, false) && !inexact) output(b.Binary(op, x, y));
  }
  output(b.Select(b.Eq(x, y), x, y));
  output(b.Max(x, y));
  output(b.Min(x, y));
  output(b.IsNan(x));
  if (IsFloating(type)) {
    const ScalarType bits = type == ScalarType::kF32 ? ScalarType::kI32 : ScalarType::kI64;
    // NaN's bits are not defined.
    const ScalarValue number = b.Select(b.IsNan(x), b.Constant(0, type), x);
    const ScalarValue cast = b.Bitcast(number, bits);
    output(cast);
    output(b.Bitcast(b.Binary(ScalarOp::kXor, cast, b.ConstantInt(1, bits)), type));
  }
  return *b.Finish();
}

TEST_F(ElementwiseTest, EveryExactOperationOnEveryType) {
  for (DType dtype : kCompute) {
    SCOPED_TRACE(DTypeName(dtype));
    const ScalarExpr expr = ExactOperations(dtype);
    EXPECT_GE(expr.outputs.size(), 8);
    for (int width : {1, 4}) {
      tester().Check(expr,
                     {tester().RandomArray(dtype, {4001}), tester().RandomArray(dtype, {4001})},
                     {4001}, 0, width);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ElementwiseTest, EveryCombinationOfHardIntegers) {
  for (DType dtype : {DType::kI32, DType::kI64}) {
    std::vector<ScalarNumber> hard;
    const ScalarType type = ComputeType(dtype);
    for (int64_t v : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{2}, int64_t{7}, int64_t{-7},
                      int64_t{31}, int64_t{33}, int64_t{INT32_MAX}, int64_t{INT32_MIN}, INT64_MAX,
                      INT64_MIN, int64_t{1} << 33}) {
      hard.push_back(ScalarNumber::Integer(type, v));
    }
    const auto n = static_cast<int64_t>(hard.size());
    TestArray column = TestArray::Make(dtype, hard, {n, 1});
    const TestArray row = TestArray::Make(dtype, hard, {n});
    tester().Check(ExactOperations(dtype), {column, row}, {n, n});
  }
}

TEST_F(ElementwiseTest, DivisionAndSquareRoot) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, dtype), y = b.Input(1, dtype);
    b.Output(b.Div(x, y), dtype);
    b.Output(b.Unary(ScalarOp::kSqrt, b.Unary(ScalarOp::kAbs, x)), dtype);
    const ScalarExpr expr = *b.Finish();
    const std::vector<TestArray> inputs = {tester().RandomArray(dtype, {5000}),
                                           tester().RandomArray(dtype, {5000})};
    // Vulkan allows 2.5 ulp; software drivers round as the CPU does.
    tester().Check(expr, inputs, {5000}, tester().device().capabilities().is_cpu ? 0 : 2.5);
  }
}

TEST_F(ElementwiseTest, ComposedOperationsOnHardFloats) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, dtype), y = b.Input(1, dtype);
    b.Output(b.Erf(x), dtype);
    b.Output(b.Sigmoid(x), dtype);
    b.Output(b.Softplus(x), dtype);
    b.Output(b.Sign(x), dtype);
    b.Output(b.FloorMod(x, y), dtype);
    b.Output(b.FloorDiv(x, y), dtype);
    b.Output(b.Pow(x, y), dtype);
    const ScalarExpr expr = *b.Finish();
    const Shape shape{3000};
    const std::vector<TestArray> inputs = {tester().RandomArray(dtype, shape),
                                           tester().RandomArray(dtype, shape)};
    const std::vector<TestArray> got = tester().Run(expr, inputs, shape);
    const std::vector<TestArray> want = tester().RunOnCpu(expr, inputs, shape);
    ASSERT_EQ(got.size(), want.size());
    // Each is a dozen operations of at most 2.5 ulp away from the CPU's, where those are not exact.
    const double ulps = tester().device().capabilities().is_cpu ? 0 : 30;
    for (size_t o = 0; o < got.size(); ++o) {
      for (int64_t i = 0; i < shape[0]; ++i) {
        ASSERT_LE(UlpsBetween(got[o].Get(i), want[o].Get(i)), ulps)
            << "output " << o << " of " << inputs[0].Get(i).real << " and " << inputs[1].Get(i).real
            << ": " << got[o].Get(i).real << ", on the CPU " << want[o].Get(i).real;
      }
    }
  }
}

TEST_F(ElementwiseTest, CastsBetweenAllDTypes) {
  for (DType from : kAll) {
    SCOPED_TRACE(DTypeName(from));
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, from);
    for (DType to : kAll) b.Output(b.Cast(x, ComputeType(to)), to);
    tester().Check(*b.Finish(), {tester().RandomArray(from, {1003})}, {1003});
    if (HasFatalFailure()) return;
  }
}

TEST_F(ElementwiseTest, EveryHalfConverts) {
  for (DType dtype : {DType::kF16, DType::kBF16}) {
    const TestArray all =
        TestArray::OfBits(dtype, 65536, [](int64_t i) { return static_cast<uint64_t>(i); });
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, dtype);
    b.Output(x, DType::kF32);
    b.Output(b.Binary(ScalarOp::kMul, x, b.Constant(0.7, ScalarType::kF32)), dtype);
    b.Output(b.RoundTo(b.Binary(ScalarOp::kMul, x, b.Constant(1.3, ScalarType::kF32)), dtype),
             DType::kF32);
    b.Output(x, dtype);  // moved: also a NaN's bits stay
    const ScalarExpr expr = *b.Finish();
    tester().Check(expr, {all}, {65536});
    const std::vector<TestArray> moved = tester().Run(Identity(dtype), {all}, {65536});
    ASSERT_EQ(moved.size(), 1);
    EXPECT_EQ(moved[0].bytes, all.bytes);
  }
}

TEST_F(ElementwiseTest, FloatsOfEveryKindConvertToHalves) {
  // Every sign and exponent, with fractions round about the ties.
  constexpr int64_t kCount = 512 * 1024;
  const TestArray floats = TestArray::OfBits(DType::kF32, kCount, [](int64_t i) {
    const uint64_t exponent = static_cast<uint64_t>(i / 1024) << 23;
    const uint64_t k = static_cast<uint64_t>(i % 1024);
    // 512 ties of f16 with a unit more and less, and 512 spread out.
    const uint64_t fraction = k < 512 ? (k << 14) + 0x1000 + k % 3 - 1 : (k - 512) * 16381 + k;
    return exponent | (fraction & 0x7FFFFF);
  });
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32);
  b.Output(x, DType::kF16);
  b.Output(x, DType::kBF16);
  tester().Check(*b.Finish(), {floats}, {kCount});
}

TEST_F(ElementwiseTest, EveryLengthOfTailWithinItsOwnBytes) {
  for (DType dtype : {DType::kU8, DType::kF16, DType::kF32, DType::kI64}) {
    for (int64_t n = 1; n <= 11; ++n) {
      tester().Check(Add(dtype),
                     {tester().RandomArray(dtype, {n}), tester().RandomArray(dtype, {n})}, {n}, 0,
                     4);
      if (HasFatalFailure()) return;
    }
  }
  tester().Check(
      Add(DType::kF32),
      {tester().RandomArray(DType::kF32, {0, 3}), tester().RandomArray(DType::kF32, {3})}, {0, 3});
}

TEST_F(ElementwiseTest, OffsetsOfInputs) {
  for (DType dtype : {DType::kI8, DType::kBF16, DType::kF32, DType::kF64}) {
    for (int64_t offset : {1, 2, 4, 7, 8, 1000, 4099}) {
      const int64_t n = 37;
      TestArray x = tester().RandomArray(dtype, {offset + n});
      x.layout = TensorLayout::Contiguous({dtype, {n}});
      x.layout.offset = offset;
      tester().Check(Add(dtype), {x, tester().RandomArray(dtype, {n})}, {n}, 0, 4);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ElementwiseTest, StridedAndBroadcastInputs) {
  struct Case {
    Shape shape;  // of the output
    Shape own;    // of the input
    Strides strides;
    int64_t offset;
    int64_t elements;  // of its buffer
  };
  const Case cases[] = {
      {{7, 5}, {7, 5}, {1, 7}, 0, 35},                     // transposed
      {{3, 40, 52}, {3, 40, 52}, {2080, 1, 40}, 0, 6240},  // in a batch, with whole vectors
      {{40, 3, 50}, {40, 3, 50}, {1, 2000, 40}, 0, 6000},  // around an axis
      {{64}, {64}, {-1}, 63, 64},                          // reversed
      {{9, 11}, {9, 11}, {22, 2}, 1, 9 * 22},              // every second column
      {{9, 12}, {9, 12}, {24, 2}, 1, 9 * 24},              // … with whole vectors
      {{9, 11}, {11}, {1}, 0, 11},                         // a row for each row
      {{9, 11}, {9, 1}, {1, 1}, 0, 9},                     // a column
      {{2, 3, 4, 5}, {3, 1, 5}, {5, 5, 1}, 0, 15},         // in the middle
      {{4, 300}, {4, 300}, {0, 1}, 5, 305},                // a stride of 0
      {{6, 6}, {}, {}, 3, 4},                              // one element
      {{1, 1, 1}, {1, 1, 1}, {9, 9, 9}, 2, 3},
      {{2, 1, 70}, {2, 1, 70}, {70, 9, 1}, 0, 140},
      {{2, 2, 2, 2, 2, 2, 2, 2}, {2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}, 0, 256},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.shape.ToString() + " from " + c.own.ToString() + c.strides.ToString());
    for (DType dtype : {DType::kU8, DType::kF16, DType::kF32, DType::kI64}) {
      TestArray x = tester().RandomArray(dtype, {c.elements});
      x.layout = {{dtype, c.own}, c.strides, c.offset};
      const TestArray flat = tester().RandomArray(dtype, c.shape);
      for (int width : {1, 4}) {
        if (width == 1 && DTypeSize(dtype) < 4) continue;
        tester().Check(Add(dtype), {x, flat}, c.shape, 0, width);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(ElementwiseTest, TwoStridedInputsAndTheirParametersInABuffer) {
  // Rank 8 and three strided inputs: more parameters than push constants hold.
  const Shape shape{2, 3, 2, 3, 2, 3, 2, 3};
  std::vector<TestArray> inputs;
  ScalarBuilder b;
  ScalarValue sum = b.Constant(0, ScalarType::kF32);
  for (int i = 0; i < 3; ++i) {
    TestArray x = tester().RandomArray(DType::kF32, {1296});
    Strides strides = ContiguousStrides(shape);
    std::swap(strides[i], strides[i + 4]);
    Shape own = shape;
    own[i + 1] = 1;
    x.layout = {{DType::kF32, own}, strides, 0};
    inputs.push_back(x);
    sum = b.Add(sum, b.Input(i, DType::kF32));
  }
  b.Output(sum, DType::kF32);
  const ScalarExpr expr = *b.Finish();
  for (int width : {1, 4}) tester().Check(expr, inputs, shape, 0, width);
}

TEST_F(ElementwiseTest, LongExpressionsTakeOneElementAnInvocation) {
  ScalarBuilder b;
  ScalarValue x = b.Input(0, DType::kF32);
  for (int i = 0; i < 100; ++i) x = b.Add(b.Constant(i, x.type), x);
  b.Output(x, DType::kF32);
  const ScalarExpr expr = *b.Finish();
  const TensorLayout layout = TensorLayout::Contiguous({DType::kF32, {1001}});
  const auto kernel = PrepareExpression(expr, {layout}, {layout}, tester().device());
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  EXPECT_THAT((*kernel)->description(), HasSubstr("width 1"));
  tester().Check(expr, {tester().RandomArray(DType::kF32, {1001})}, {1001});
}

TEST_F(ElementwiseTest, OutputOnItsInput) {
  for (DType dtype : {DType::kF32, DType::kF16}) {
    const int64_t n = 1003;
    const TestArray x = tester().RandomArray(dtype, {n});
    ScalarBuilder b;
    b.Output(b.Unary(ScalarOp::kNeg, b.Input(0, dtype)), dtype);
    const TensorLayout layout = TensorLayout::Contiguous({dtype, {n}});
    const auto kernel = PrepareExpression(*b.Finish(), {layout}, {layout}, tester().device());
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    VulkanDevice& device = tester().device();
    const Ref<Buffer> staging = *device.allocator().Allocate(x.bytes.size(), MemoryKind::kUpload);
    std::copy(x.bytes.begin(), x.bytes.end(), *staging->Map());
    ASSERT_TRUE(staging->Unmap().ok());
    const Ref<Buffer> buffer = *device.allocator().Allocate(x.bytes.size());
    const Ref<Buffer> back = *device.allocator().Allocate(x.bytes.size(), MemoryKind::kReadback);
    Stream& stream = device.default_stream();
    const BufferView view = BufferView::Of(*buffer);
    ASSERT_TRUE(stream.Copy(BufferView::Of(*staging), view).ok());
    ASSERT_TRUE((*kernel)->Record(stream, {&view, 1}, {&view, 1}, BufferView()).ok());
    ASSERT_TRUE(stream.Copy(view, BufferView::Of(*back)).ok());
    ASSERT_TRUE(stream.Synchronize(stream.Now()).ok());
    const std::byte* data = *back->Map();
    TestArray y = x;
    y.bytes.assign(data, data + x.bytes.size());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_TRUE(SameNumber(y.Get(i), ScalarNumber::Real(ScalarType::kF32, -x.Get(i).real))) << i;
    }
  }
}

TEST_F(ElementwiseTest, ForeignBoolsAreZeroOrOne) {
  const TestArray x =
      TestArray::OfBits(DType::kBool, 3, [](int64_t i) { return i == 0 ? 0 : 127 * i + 1; });
  ScalarBuilder b;
  b.Output(b.Binary(ScalarOp::kAnd, b.Input(0, DType::kBool), b.Constant(1, ScalarType::kBool)),
           DType::kBool);
  const std::vector<TestArray> y = tester().Run(*b.Finish(), {x}, {3});
  ASSERT_EQ(y.size(), 1);
  EXPECT_EQ(y[0].bytes, (std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{1}}));
}

TEST_F(ElementwiseTest, AnOpIsFoundAndPrepared) {
  OpDef op;
  op.name = "test_scale";
  op.inputs = {{"x", ""}};
  op.attributes = {AttributeDef::Optional("factor", 1.0, "")};
  op.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap& attrs) {
    return b.Mul(x[0], b.Constant(attrs.Double("factor"), x[0].type));
  };
  op.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> { return SpecList{c.input(0)}; };
  OpRegistry ops;
  ASSERT_TRUE(ops.Register(op).ok());
  const OpDef& registered = *ops.Find("test_scale");
  KernelRegistry kernels;
  ASSERT_TRUE(RegisterElementwiseKernels(&kernels).ok());
  const TensorLayout layout = TensorLayout::Contiguous({DType::kF32, {5}});
  const TestArray x = tester().RandomArray(DType::kF32, {5});
  for (double factor : {2.0, 3.0, 2.0}) {
    const AttributeMap attrs = *AttributeMap::Create(registered.attributes, {{"factor", factor}});
    const KernelRequest request{registered, attrs, {&layout, 1}, {&layout, 1}, tester().device()};
    const KernelDef* def = kernels.Find(request);
    ASSERT_NE(def, nullptr);
    EXPECT_TRUE(def->strided_inputs);
    const auto kernel = def->prepare(request);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    const std::vector<TestArray> y = tester().RunKernel(**kernel, {x}, {layout.spec});
    ASSERT_EQ(y.size(), 1);
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(
          SameNumber(y[0].Get(i), ScalarNumber::Real(ScalarType::kF32, x.Get(i).real * factor)));
    }
  }
}

TEST_F(ElementwiseTest, WhatDoesNotFitIsAnError) {
  const auto prepare = [&](Shape x, Shape y, Shape out) {
    const TensorLayout layouts[] = {TensorLayout::Contiguous({DType::kF32, x}),
                                    TensorLayout::Contiguous({DType::kF32, y})};
    const TensorLayout output = TensorLayout::Contiguous({DType::kF32, out});
    return PrepareExpression(Add(DType::kF32), layouts, {output}, tester().device()).status();
  };
  EXPECT_THAT(prepare({3}, {2}, {3}).message(), HasSubstr("does not broadcast"));
  const int64_t huge = int64_t{1} << 31;
  EXPECT_EQ(prepare({huge}, {1}, {huge}).code(), absl::StatusCode::kResourceExhausted);
  const int64_t large = tester().device().capabilities().max_storage_range / 4 + 1;
  EXPECT_THAT(prepare({large}, {1}, {large}).message(), HasSubstr("too large"));
  const TensorLayout f16 = TensorLayout::Contiguous({DType::kF16, {2}});
  EXPECT_EQ(
      PrepareExpression(Add(DType::kF32), {f16, f16}, {f16}, tester().device()).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(ElementwiseFeaturesTest, DevicesWithout64Bits) {
  ExpressionTester tester("float64,int64,storage8,storage16,float16");
  if (!tester.available()) GTEST_SKIP() << "no Vulkan device: " << tester.reason();
  for (DType dtype : {DType::kF64, DType::kI64}) {
    const TensorLayout layout = TensorLayout::Contiguous({dtype, {2}});
    const auto add = PrepareExpression(Add(dtype), {layout, layout}, {layout}, tester.device());
    EXPECT_EQ(add.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(add.status().message(), HasSubstr("64-bit"));
    // Elements still move, with their steps.
    TestArray x = tester.RandomArray(dtype, {35});
    x.layout = {{dtype, {7, 5}}, {1, 7}, 0};
    for (int width : {1, 4}) tester.Check(Identity(dtype), {x}, {7, 5}, 0, width);
  }
  // Types that are stored in few bits are computed with as everywhere.
  for (DType dtype : {DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16}) {
    tester.Check(Add(dtype), {tester.RandomArray(dtype, {41}), tester.RandomArray(dtype, {41})},
                 {41});
  }
}

}  // namespace
}  // namespace tandem::vulkan_backend
