#include "tandem/backends/cpu/elementwise.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/op/scalar_reference.h"

namespace tandem::cpu_backend {
namespace {

using testing::HasSubstr;

// Raw elements with a dtype; everything a test knows about an operand.
struct Array {
  TensorLayout layout;
  std::vector<std::byte> bytes;

  static Array Make(DType dtype, const std::vector<ScalarNumber>& values, Shape shape) {
    Array a;
    a.layout = TensorLayout::Contiguous({dtype, shape});
    a.bytes.resize(values.size() * DTypeSize(dtype));
    for (size_t i = 0; i < values.size(); ++i) a.Set(i, values[i]);
    return a;
  }
  DType dtype() const { return layout.spec.dtype; }
  void Set(int64_t element, const ScalarNumber& value) {
    DispatchDType(dtype(), [&](auto zero) {
      using T = decltype(zero);
      T stored;
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        stored = T(static_cast<float>(value.real));
      } else if constexpr (std::is_floating_point_v<T>) {
        stored = static_cast<T>(value.real);
      } else {
        stored = static_cast<T>(value.integer);
      }
      std::memcpy(bytes.data() + element * sizeof(T), &stored, sizeof(T));
    });
  }
  ScalarNumber Get(int64_t element) const {
    const ScalarType type = ComputeType(dtype());
    return DispatchDType(dtype(), [&](auto zero) {
      using T = decltype(zero);
      T stored;
      std::memcpy(&stored, bytes.data() + element * sizeof(T), sizeof(T));
      if constexpr (std::is_integral_v<T>) {
        return ScalarNumber::Integer(type, static_cast<int64_t>(stored));
      } else {
        return ScalarNumber::Real(type, static_cast<double>(stored));
      }
    });
  }
  // The element of this array, broadcast to `shape`, at the row-major position `i`.
  ScalarNumber At(const Shape& shape, int64_t i) const {
    int64_t element = layout.offset;
    const Shape& own = layout.spec.shape;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      const int64_t index = i % shape[d];
      i /= shape[d];
      const int k = d - (shape.rank() - own.rank());
      if (k >= 0 && own[k] != 1) element += index * layout.strides[k];
    }
    return Get(element);
  }
};

bool SameBits(const ScalarNumber& a, const ScalarNumber& b) {
  if (IsFloating(a.type)) {
    if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) && std::isnan(b.real);
    return std::bit_cast<uint64_t>(a.real) == std::bit_cast<uint64_t>(b.real);
  }
  return a.integer == b.integer;
}

class ElementwiseTest : public testing::Test {
 protected:
  ElementwiseTest() : device_(backend_.OpenDevice(0).value()) {
    EXPECT_TRUE(backend_.SetOption("poison", "1").ok());
  }
  CpuDevice& cpu() { return static_cast<CpuDevice&>(*device_); }

  static std::vector<Isa> Levels() {
    std::vector<Isa> levels;
    for (Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
      if (isa <= DetectIsa()) levels.push_back(isa);
    }
    return levels;
  }

  // The raw outputs of the expression.
  std::vector<Array> Run(const ScalarExpr& expr, const std::vector<Array>& inputs,
                         const Shape& shape, Isa isa) {
    std::vector<TensorLayout> in_layouts, out_layouts;
    std::vector<Ref<Buffer>> buffers;
    std::vector<BufferView> in_views, out_views;
    for (const Array& input : inputs) {
      in_layouts.push_back(input.layout);
      buffers.push_back(device_->allocator().Allocate(input.bytes.size()).value());
      std::memcpy(*buffers.back()->Map(), input.bytes.data(), input.bytes.size());
      in_views.push_back(BufferView::Of(*buffers.back()));
    }
    for (const ScalarExpr::Output& output : expr.outputs) {
      out_layouts.push_back(TensorLayout::Contiguous({output.dtype, shape}));
      buffers.push_back(device_->allocator().Allocate(out_layouts.back().spec.num_bytes()).value());
      out_views.push_back(BufferView::Of(*buffers.back()));
    }
    const auto kernel = PrepareExpression(expr, in_layouts, out_layouts, isa);
    EXPECT_TRUE(kernel.ok()) << kernel.status();
    if (!kernel.ok()) return {};
    const absl::Status status =
        (*kernel)->Record(device_->default_stream(), in_views, out_views, BufferView());
    EXPECT_TRUE(status.ok()) << status;
    std::vector<Array> results;
    for (size_t o = 0; o < out_views.size(); ++o) {
      Array result;
      result.layout = out_layouts[o];
      const std::byte* data = *out_views[o].buffer->Map();
      result.bytes.assign(data, data + out_layouts[o].spec.num_bytes());
      results.push_back(std::move(result));
    }
    return results;
  }

  // Compares every element with the reference, at every instruction set; `ulp` is the error that
  // f32 and f64 results may have.
  void Check(const ScalarExpr& expr, const std::vector<Array>& inputs, const Shape& shape,
             double ulp = 0) {
    std::vector<Array> first;
    for (Isa isa : Levels()) {
      SCOPED_TRACE(IsaName(isa));
      const std::vector<Array> outputs = Run(expr, inputs, shape, isa);
      ASSERT_EQ(outputs.size(), expr.outputs.size());
      for (int64_t i = 0; i < shape.num_elements(); ++i) {
        std::vector<ScalarNumber> arguments;
        for (const Array& input : inputs) arguments.push_back(input.At(shape, i));
        const auto expected = EvaluateScalarExpr(expr, arguments);
        ASSERT_TRUE(expected.ok()) << expected.status();
        for (size_t o = 0; o < outputs.size(); ++o) {
          const ScalarNumber got = outputs[o].Get(i), want = (*expected)[o];
          if (SameBits(got, want)) continue;
          const double unit =
              std::abs(want.real) * (got.type == ScalarType::kF32 ? 0x1p-23 : 0x1p-52);
          ASSERT_TRUE(IsFloating(got.type) && std::abs(got.real - want.real) <= ulp * unit)
              << "element " << i << " of " << shape.ToString() << ": " << got.AsDouble()
              << ", expected " << want.AsDouble() << "\n"
              << expr.ToString();
        }
      }
      if (first.empty()) first = outputs;
      for (size_t o = 0; o < outputs.size(); ++o) {
        // NaN's bits may come from either operand of an addition, so floats are compared by value.
        for (int64_t i = 0; i < shape.num_elements(); ++i) {
          ASSERT_TRUE(SameBits(outputs[o].Get(i), first[o].Get(i))) << "levels differ at " << i;
        }
      }
    }
  }

  // Values with the special ones among them.
  std::vector<ScalarNumber> Values(DType dtype, int64_t n) {
    std::vector<ScalarNumber> values;
    const ScalarType type = ComputeType(dtype);
    constexpr double kReals[] = {0.0,     -0.0,    1.0,   -1.0,  0.5,      -2.5,      1.5,
                                 2.5,     1e30,    -1e30, 1e-30, HUGE_VAL, -HUGE_VAL, NAN,
                                 65504.0, 65520.0, 6e-8,  3e9,   -3e9,     1e-40};
    constexpr int64_t kIntegers[] = {0,      1,         -1,        2,         -2,       3,
                                     7,      -7,        127,       -128,      255,      32767,
                                     -32768, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    std::uniform_real_distribution<double> real(-4, 4);
    for (int64_t i = 0; i < n; ++i) {
      ScalarNumber value;
      if (IsFloating(type)) {
        value = ScalarNumber::Real(
            type, random_() % 3 == 0 ? kReals[random_() % std::size(kReals)] : real(random_));
      } else {
        value = ScalarNumber::Integer(type, random_() % 2 == 0
                                                ? kIntegers[random_() % std::size(kIntegers)]
                                                : static_cast<int64_t>(random_() % 200) - 100);
      }
      values.push_back(RoundScalar(value, dtype));
    }
    return values;
  }
  Array RandomArray(DType dtype, Shape shape) {
    return Array::Make(dtype, Values(dtype, shape.num_elements()), shape);
  }

  CpuBackend backend_;
  std::unique_ptr<Device> device_;
  std::mt19937_64 random_{12345};
};

constexpr DType kCompute[] = {DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kBool};
constexpr DType kAll[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI8,
                          DType::kU8,  DType::kI16,  DType::kI32, DType::kI64, DType::kBool};

DType StorageOf(ScalarType type) { return kCompute[static_cast<int>(type)]; }

// Which operand is a tile, a tensor of one element, or a constant.
enum class Source { kTile, kScalar, kConstant };

TEST_F(ElementwiseTest, EveryOperationOnEveryTypeAndSource) {
  constexpr ScalarOp kOps[] = {
      ScalarOp::kAdd,   ScalarOp::kSub,  ScalarOp::kMul,  ScalarOp::kDiv,   ScalarOp::kRem,
      ScalarOp::kNeg,   ScalarOp::kAbs,  ScalarOp::kSqrt, ScalarOp::kFloor, ScalarOp::kCeil,
      ScalarOp::kTrunc, ScalarOp::kRint, ScalarOp::kAnd,  ScalarOp::kOr,    ScalarOp::kXor,
      ScalarOp::kShl,   ScalarOp::kShr,  ScalarOp::kLt,   ScalarOp::kLe,    ScalarOp::kEq,
      ScalarOp::kNe,    ScalarOp::kNot,  ScalarOp::kExp,  ScalarOp::kTanh};
  constexpr Source kSources[] = {Source::kTile, Source::kScalar, Source::kConstant};
  int tested = 0;
  for (ScalarOp op : kOps) {
    for (DType dtype : kCompute) {
      const ScalarType type = ComputeType(dtype);
      const bool unary = (op >= ScalarOp::kNeg && op <= ScalarOp::kRint) || op == ScalarOp::kNot ||
                         op == ScalarOp::kExp || op == ScalarOp::kTanh;
      for (Source a : kSources) {
        for (Source b : kSources) {
          if (unary && b != Source::kTile) continue;
          for (int64_t n : {1, 65, 1100}) {
            ScalarBuilder builder;
            std::vector<Array> inputs;
            const auto operand = [&](Source source) {
              if (source == Source::kConstant) return builder.Constant(2.5, type);
              inputs.push_back(RandomArray(dtype, source == Source::kTile ? Shape{n} : Shape{1}));
              return builder.Input(static_cast<int>(inputs.size()) - 1, dtype);
            };
            const ScalarValue x = operand(a);
            const ScalarValue y = unary ? builder.Unary(op, x) : builder.Binary(op, x, operand(b));
            builder.Output(y, StorageOf(y.type));
            const auto expr = builder.Finish();
            if (!expr.ok()) continue;  // not defined for the type
            ++tested;
            const bool function = op == ScalarOp::kExp || op == ScalarOp::kTanh;
            Check(*expr, inputs, {n}, function ? 4 : 0);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
  EXPECT_GT(tested, 600);
}

TEST_F(ElementwiseTest, SelectOnEverySource) {
  for (DType dtype : kCompute) {
    for (int sources = 0; sources < 8; ++sources) {
      const int64_t n = 333;
      ScalarBuilder b;
      std::vector<Array> inputs;
      for (int i = 0; i < 3; ++i) {
        inputs.push_back(RandomArray(i == 0 ? DType::kBool : dtype,
                                     (sources >> i & 1) != 0 ? Shape{1} : Shape{n}));
      }
      b.Output(b.Select(b.Input(0, DType::kBool), b.Input(1, dtype), b.Input(2, dtype)), dtype);
      Check(*b.Finish(), inputs, {n});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ElementwiseTest, ComposedMaxAndMinKeepNan) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kBool}) {
    ScalarBuilder b;
    const ScalarValue x = b.Input(0, dtype), y = b.Input(1, dtype);
    b.Output(b.Max(x, y), dtype);
    b.Output(b.Min(x, y), dtype);
    const ScalarExpr expr = *b.Finish();
    Check(expr, {RandomArray(dtype, {999}), RandomArray(dtype, {999})}, {999});
  }
  // One instruction each, and none of the four that they are composed of.
  ScalarBuilder b;
  b.Output(b.Max(b.Input(0, DType::kF32), b.Constant(0, ScalarType::kF32)), DType::kF32);
  const TensorLayout layout = TensorLayout::Contiguous({DType::kF32, {10}});
  const auto kernel = PrepareExpression(*b.Finish(), {layout}, {layout}, DetectIsa());
  ASSERT_TRUE(kernel.ok());
  EXPECT_THAT((*kernel)->description(), HasSubstr("1 instructions, 0 registers"));
}

TEST_F(ElementwiseTest, CastsBetweenAllDTypes) {
  for (DType from : kAll) {
    for (DType to : kAll) {
      ScalarBuilder b;
      b.Output(b.Cast(b.Input(0, from), ComputeType(to)), to);
      Check(*b.Finish(), {RandomArray(from, {700})}, {700});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ElementwiseTest, EveryHalfConverts) {
  for (DType dtype : {DType::kF16, DType::kBF16}) {
    Array all;
    all.layout = TensorLayout::Contiguous({dtype, {65536}});
    for (int i = 0; i < 65536; ++i) {
      all.bytes.push_back(static_cast<std::byte>(i & 255));
      all.bytes.push_back(static_cast<std::byte>(i >> 8));
    }
    ScalarBuilder b;
    b.Output(b.Input(0, dtype), DType::kF32);
    b.Output(b.Binary(ScalarOp::kMul, b.Input(0, dtype), b.Constant(0.7, ScalarType::kF32)), dtype);
    Check(*b.Finish(), {all}, {65536});
  }
}

TEST_F(ElementwiseTest, ForeignBoolsAreZeroOrOne) {
  Array x = RandomArray(DType::kBool, {3});
  x.bytes = {std::byte{0}, std::byte{2}, std::byte{255}};
  ScalarBuilder b;
  b.Output(b.Binary(ScalarOp::kAnd, b.Input(0, DType::kBool), b.Constant(1, ScalarType::kBool)),
           DType::kBool);
  const std::vector<Array> y = Run(*b.Finish(), {x}, {3}, DetectIsa());
  EXPECT_EQ(y[0].bytes, (std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{1}}));
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
      {{70, 65}, {70, 65}, {1, 70}, 0, 4550},              // … in blocks
      {{3, 40, 50}, {3, 40, 50}, {2000, 1, 40}, 0, 6000},  // … in a batch
      {{40, 3, 50}, {40, 3, 50}, {1, 2000, 40}, 0, 6000},  // … around an axis
      {{64}, {64}, {-1}, 63, 64},                          // reversed
      {{9, 11}, {9, 11}, {22, 2}, 1, 9 * 22},              // every second column
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
    for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kU8}) {
      Array x = RandomArray(dtype, {c.elements});
      x.layout = {{dtype, c.own}, c.strides, c.offset};
      {
        ScalarBuilder b;  // identity: a copy
        b.Output(b.Input(0, dtype), dtype);
        Check(*b.Finish(), {x}, c.shape);
      }
      ScalarBuilder b;
      b.Output(b.Binary(ScalarOp::kAdd, b.Input(0, dtype), b.Input(1, dtype)), dtype);
      Check(*b.Finish(), {x, RandomArray(dtype, c.shape)}, c.shape);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ElementwiseTest, LongProgramsWithManyRegistersAndOutputs) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    ScalarBuilder b;
    std::vector<ScalarValue> values;
    for (int i = 0; i < 4; ++i) values.push_back(b.Input(i, dtype));
    // Sums whose operands live long.
    for (int i = 0; i < 30; ++i) {
      values.push_back(b.Binary(i % 3 == 0 ? ScalarOp::kMul : ScalarOp::kAdd,
                                values[random_() % values.size()], values[i]));
    }
    ScalarValue total = values[4];
    for (size_t i = 5; i < values.size(); ++i) total = b.Sub(total, values[i]);
    b.Output(total, dtype);
    b.Output(values[0], dtype);
    b.Output(b.Lt(total, values[9]), DType::kBool);
    b.Output(b.Constant(3, ScalarType::kF32), DType::kF16);
    const ScalarExpr expr = *b.Finish();
    std::vector<Array> inputs;
    for (int i = 0; i < 4; ++i) inputs.push_back(RandomArray(dtype, {2500}));
    Check(expr, inputs, {2500});
  }
}

TEST_F(ElementwiseTest, OutputsMayLieOnInputs) {
  // y0 on x0: y1 = x0 - x1 still sees the old x0.
  const int64_t n = 5000;
  ScalarBuilder b;
  const ScalarValue x0 = b.Input(0, DType::kF32), x1 = b.Input(1, DType::kF32);
  b.Output(b.Add(x0, x1), DType::kF32);
  b.Output(b.Sub(x0, x1), DType::kF32);
  const TensorLayout layout = TensorLayout::Contiguous({DType::kF32, {n}});
  const auto kernel =
      PrepareExpression(*b.Finish(), {layout, layout}, {layout, layout}, DetectIsa());
  ASSERT_TRUE(kernel.ok());
  std::vector<Ref<Buffer>> buffers;
  float* data[2];
  for (int i = 0; i < 2; ++i) {
    buffers.push_back(device_->allocator().Allocate(n * 4).value());
    data[i] = reinterpret_cast<float*>(*buffers[i]->Map());
    for (int64_t k = 0; k < n; ++k) data[i][k] = static_cast<float>(k * (i + 1));
  }
  const std::vector<BufferView> views = {BufferView::Of(*buffers[0]), BufferView::Of(*buffers[1])};
  ASSERT_TRUE((*kernel)->Record(device_->default_stream(), views, views, BufferView()).ok());
  for (int64_t k = 0; k < n; ++k) {
    ASSERT_EQ(data[0][k], static_cast<float>(3 * k));
    ASSERT_EQ(data[1][k], static_cast<float>(-k));
  }
}

TEST_F(ElementwiseTest, LargeTensorsWithAnyNumberOfThreads) {
  // More than is streamed past the caches, and not a multiple of a tile.
  const int64_t n = (9 << 20) + 13;
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32);
  b.Output(b.Add(b.Mul(x, x), b.Constant(1, ScalarType::kF32)), DType::kF32);
  const ScalarExpr expr = *b.Finish();
  Array input;
  input.layout = TensorLayout::Contiguous({DType::kF32, {n}});
  input.bytes.resize(n * 4);
  auto* values = reinterpret_cast<float*>(input.bytes.data());
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 1000);
  for (const char* threads : {"1", "2", "3"}) {
    ASSERT_TRUE(backend_.SetOption("threads", threads).ok());
    const std::vector<Array> y = Run(expr, {input}, {n}, DetectIsa());
    const auto* results = reinterpret_cast<const float*>(y[0].bytes.data());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(results[i], values[i] * values[i] + 1) << i << " with " << threads;
    }
  }
}

// What a thread takes at once depends on the cost of the program; whatever that is, streamed outputs
// are written from the start of a cache line.
TEST_F(ElementwiseTest, LargeTensorsWithProgramsOfAnyCost) {
  const int64_t n = (8 << 20) + 13;
  Array input;
  input.layout = TensorLayout::Contiguous({DType::kF32, {n}});
  input.bytes.resize(n * 4);
  auto* values = reinterpret_cast<float*>(input.bytes.data());
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 1000);
  for (int adds : {5, 40, 50}) {
    ScalarBuilder b;
    ScalarValue y = b.Input(0, DType::kF32);
    for (int k = 0; k < adds; ++k) y = b.Add(y, b.Constant(k + 1, ScalarType::kF32));
    b.Output(y, DType::kF32);
    const std::vector<Array> result = Run(*b.Finish(), {input}, {n}, DetectIsa());
    const auto* results = reinterpret_cast<const float*>(result[0].bytes.data());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(results[i], values[i] + static_cast<float>(adds * (adds + 1) / 2)) << i;
    }
  }
}

TEST_F(ElementwiseTest, ServesAnyOpWithAScalarExpression) {
  KernelRegistry kernels;
  ASSERT_TRUE(RegisterElementwiseKernels(&kernels).ok());
  OpDef def;
  def.name = "twice_plus";
  def.inputs = {{"x", ""}};
  def.attributes = {AttributeDef::Optional("amount", 1.0, "")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{c.input(0)};
  };
  def.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap& attrs) {
    return b.Add(b.Add(x[0], x[0]), b.Constant(attrs.Double("amount"), x[0].type));
  };
  OpRegistry ops;
  ASSERT_TRUE(ops.Register(std::move(def)).ok());
  const OpDef& op = **ops.Get("twice_plus");
  const TensorLayout layout = TensorLayout::Contiguous({DType::kF32, {4}});
  const Ref<Buffer> x = *device_->allocator().Allocate(16), y = *device_->allocator().Allocate(16);
  // Other attributes: another program.
  for (double amount : {1.0, 5.0, 1.0}) {
    const AttributeMap attrs = *AttributeMap::Create(op.attributes, {{"amount", amount}});
    const KernelRequest request{op, attrs, {&layout, 1}, {&layout, 1}, *device_};
    const KernelDef* found = kernels.Find(request);
    ASSERT_NE(found, nullptr);
    const auto kernel = found->prepare(request);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    auto* in = reinterpret_cast<float*>(*x->Map());
    for (int i = 0; i < 4; ++i) in[i] = static_cast<float>(i);
    const BufferView from = BufferView::Of(*x), to = BufferView::Of(*y);
    ASSERT_TRUE(
        (*kernel)->Record(device_->default_stream(), {&from, 1}, {&to, 1}, BufferView()).ok());
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(reinterpret_cast<float*>(*y->Map())[i], 2 * i + amount);
    }
  }
  OpDef opaque;
  opaque.name = "opaque";
  opaque.inputs = {{"x", ""}};
  const AttributeMap none;
  EXPECT_EQ(kernels.Find({opaque, none, {&layout, 1}, {&layout, 1}, *device_}), nullptr);
}

TEST_F(ElementwiseTest, RefusesWhatDoesNotFit) {
  ScalarBuilder b;
  b.Output(b.Add(b.Input(0, DType::kF32), b.Input(1, DType::kF32)), DType::kF32);
  const ScalarExpr expr = *b.Finish();
  const auto layout = [](DType dtype, Shape shape) {
    return TensorLayout::Contiguous({dtype, shape});
  };
  const TensorLayout f3 = layout(DType::kF32, {3}), f4 = layout(DType::kF32, {4});
  EXPECT_EQ(PrepareExpression(expr, {f3}, {f3}, Isa::kBaseline).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrepareExpression(expr, {f3, f4}, {f3}, Isa::kBaseline).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      PrepareExpression(expr, {f3, layout(DType::kF64, {3})}, {f3}, Isa::kBaseline).status().code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      PrepareExpression(expr, {f3, f3}, {layout(DType::kF16, {3})}, Isa::kBaseline).status().code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrepareExpression(ScalarExpr(), {}, {}, Isa::kBaseline).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Too many values at once.
  ScalarBuilder large;
  std::vector<ScalarValue> values;
  for (int i = 0; i < 200; ++i) {
    values.push_back(large.Add(large.Input(0, DType::kF64), large.Constant(i, ScalarType::kF64)));
  }
  ScalarValue sum = values[0];
  for (ScalarValue v : values) sum = large.Mul(sum, v);
  large.Output(sum, DType::kF64);
  const TensorLayout d3 = layout(DType::kF64, {3});
  EXPECT_EQ(PrepareExpression(*large.Finish(), {d3}, {d3}, Isa::kBaseline).status().code(),
            absl::StatusCode::kUnimplemented);
}

// As long as a program may be: values per element, values that there is one of, and such that are
// rounded as well, which take two places each.
TEST_F(ElementwiseTest, TheLongestProgramsAreTooLargeOrRight) {
  for (const bool uniform : {false, true}) {
    for (const bool rounds : {false, true}) {
      SCOPED_TRACE(absl::StrCat("uniform ", uniform, ", rounds ", rounds));
      ScalarBuilder b;
      ScalarValue x = b.Input(0, DType::kF32);
      for (size_t i = 2; i < ScalarExpr::kMaxInstructions; ++i) {
        x = rounds && i % 2 == 1 ? b.RoundTo(x, DType::kF16) : b.Unary(ScalarOp::kNeg, x);
      }
      b.Output(b.Unary(ScalarOp::kAbs, x), DType::kF32);
      const auto expr = b.Finish();
      ASSERT_TRUE(expr.ok()) << expr.status();
      ASSERT_EQ(expr->instructions.size(), ScalarExpr::kMaxInstructions);
      const TensorLayout four = TensorLayout::Contiguous({DType::kF32, {4}});
      const TensorLayout in = uniform ? TensorLayout::Contiguous({DType::kF32, {1}}) : four;
      const auto kernel = PrepareExpression(*expr, {in}, {four}, Isa::kBaseline);
      // One value lives at a time; but values that there is one of have a place each.
      EXPECT_EQ(kernel.ok(), !uniform) << kernel.status();
    }
  }
}

}  // namespace
}  // namespace tandem::cpu_backend
