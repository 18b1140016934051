// Definitions of the family shape: inference, views, gradients.
#include "tandem/core/ops/shape_ops.h"

#include <limits>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/reference_invoker.h"
#include "tandem/core/ops/shape_views.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = AttributeValue::Ints;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

const OpRegistry& Registry() {
  static const OpRegistry* registry = [] {
    auto* r = new OpRegistry;
    EXPECT_TRUE(RegisterStandardOps(r).ok());
    return r;
  }();
  return *registry;
}

// 0, 1, 2, …
Tensor Iota(const Shape& shape, DType dtype = DType::kF64) {
  std::vector<double> values(shape.num_elements());
  std::iota(values.begin(), values.end(), 0);
  return ReferenceInvoker::Make({dtype, shape}, std::move(values));
}

absl::StatusOr<TensorList> Outputs(absl::string_view op, std::vector<Tensor> inputs,
                                   const std::vector<AttributeInit>& attrs = {}) {
  return ReferenceInvoker(&Registry()).Invoke(op, inputs, attrs, nullptr);
}

std::vector<double> Values(absl::string_view op, std::vector<Tensor> inputs,
                           const std::vector<AttributeInit>& attrs = {}) {
  return ReferenceInvoker::Values(Outputs(op, inputs, attrs).value()[0]);
}

// The result's type, or the error.
std::string Inferred(absl::string_view op, std::vector<Tensor> inputs,
                     const std::vector<AttributeInit>& attrs = {}) {
  const auto outputs = Outputs(op, inputs, attrs);
  if (!outputs.ok()) return std::string(outputs.status().message());
  std::string text;
  for (const Tensor& y : *outputs) text += y.spec().ToString();
  return text;
}

absl::Status Gradient(absl::string_view op, std::vector<Tensor> inputs,
                      const std::vector<AttributeInit>& attrs = {}) {
  return CheckGradient(Registry(), op, inputs, attrs);
}

TEST(ShapeOps, Reshape) {
  EXPECT_EQ(Inferred("reshape", {Iota({16, 16, 4, 4})}, {{"shape", Ints{0, -1}}}), "f64[16,256]");
  EXPECT_THAT(Inferred("reshape", {Iota({2, 3})}, {{"shape", Ints{4}}}),
              HasSubstr("reshape(x f64[2,3]){shape=[4]}: cannot reshape"));
  EXPECT_EQ(Gradient("reshape", {Iota({2, 6})}, {{"shape", Ints{0, -4, 2, 3}}}), absl::OkStatus());
  EXPECT_EQ(Gradient("reshape", {Iota({3, 0})}, {{"shape", Ints{-1, 5}}}), absl::OkStatus());
}

TEST(ShapeOps, ExpandDimsAndSqueeze) {
  EXPECT_EQ(Inferred("expand_dims", {Iota({2, 3})}, {{"axis", 0}}), "f64[1,2,3]");
  EXPECT_EQ(Inferred("expand_dims", {Iota({2, 3})}, {{"axis", -1}}), "f64[2,3,1]");
  EXPECT_EQ(Inferred("expand_dims", {Iota({})}, {{"axis", 0}}), "f64[1]");
  EXPECT_THAT(Inferred("expand_dims", {Iota({2})}, {{"axis", 2}}), HasSubstr("out of range"));
  EXPECT_THAT(Inferred("expand_dims", {Iota({1, 1, 1, 1, 1, 1, 1, 1})}, {{"axis", 0}}),
              HasSubstr("at most 8"));
  EXPECT_EQ(Inferred("squeeze", {Iota({1, 2, 1})}), "f64[2]");
  EXPECT_EQ(Inferred("squeeze", {Iota({1, 2, 1})}, {{"axes", Ints{-1}}}), "f64[1,2]");
  EXPECT_THAT(Inferred("squeeze", {Iota({1, 2})}, {{"axes", Ints{1}}}), HasSubstr("has size 2"));
  EXPECT_THAT(Inferred("squeeze", {Iota({1, 2})}, {{"axes", Ints{0, -2}}}), HasSubstr("twice"));
  EXPECT_EQ(Gradient("expand_dims", {Iota({2})}, {{"axis", 1}}), absl::OkStatus());
  EXPECT_EQ(Gradient("squeeze", {Iota({1, 2, 1})}), absl::OkStatus());
}

TEST(ShapeOps, Transpose) {
  EXPECT_EQ(Inferred("transpose", {Iota({2, 3, 4})}), "f64[4,3,2]");
  EXPECT_EQ(Inferred("transpose", {Iota({2, 3, 4})}, {{"axes", Ints{1, -1, 0}}}), "f64[3,4,2]");
  EXPECT_THAT(Values("transpose", {Iota({2, 3})}), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(Inferred("transpose", {Iota({2, 3})}, {{"axes", Ints{0}}}), HasSubstr("1 axes"));
  EXPECT_THAT(Inferred("transpose", {Iota({2, 3})}, {{"axes", Ints{0, 0}}}), HasSubstr("twice"));
  EXPECT_EQ(Gradient("transpose", {Iota({2, 3, 2})}, {{"axes", Ints{1, 2, 0}}}), absl::OkStatus());
  EXPECT_EQ(Gradient("transpose", {Iota({2, 3})}), absl::OkStatus());
}

TEST(ShapeOps, BroadcastTo) {
  EXPECT_EQ(Inferred("broadcast_to", {Iota({1, 3})}, {{"shape", Ints{2, 4, -1}}}), "f64[2,4,3]");
  EXPECT_EQ(Inferred("broadcast_to", {Iota({1})}, {{"shape", Ints{0}}}), "f64[0]");
  EXPECT_THAT(Values("broadcast_to", {Iota({2, 1})}, {{"shape", Ints{2, 2}}}),
              ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(Inferred("broadcast_to", {Iota({2})}, {{"shape", Ints{3}}}), HasSubstr("only 1"));
  EXPECT_THAT(Inferred("broadcast_to", {Iota({2})}, {{"shape", Ints{-1, 2}}}),
              HasSubstr("a new one needs a size"));
  EXPECT_THAT(Inferred("broadcast_to", {Iota({2, 2})}, {{"shape", Ints{2}}}), HasSubstr("fewer"));
  EXPECT_THAT(Inferred("broadcast_to", {Iota({1})}, {{"shape", Ints(9, 1)}}),
              HasSubstr("at most 8"));
  EXPECT_THAT(Inferred("broadcast_to", {Iota({1})}, {{"shape", Ints{kMax, kMax}}}),
              HasSubstr("would not fit"));
  EXPECT_EQ(Gradient("broadcast_to", {Iota({2, 1})}, {{"shape", Ints{3, 2, 2}}}), absl::OkStatus());
}

TEST(ShapeOps, Slice) {
  const Tensor x = Iota({4, 3});
  EXPECT_THAT(Values("slice", {x}, {{"begin", Ints{1}}, {"end", Ints{3}}}),
              ElementsAre(3, 4, 5, 6, 7, 8));
  EXPECT_THAT(Values("slice", {x},
                     {{"begin", Ints{kMax, 1}}, {"end", Ints{kMin, 2}}, {"strides", Ints{-2, 1}}}),
              ElementsAre(10, 4));
  EXPECT_EQ(Inferred("slice", {x}, {{"begin", Ints{4}}, {"end", Ints{9}}}), "f64[0,3]");
  EXPECT_THAT(Inferred("slice", {x}, {{"begin", Ints{0}}, {"end", Ints{}}}),
              HasSubstr("differ in length"));
  const std::vector<AttributeInit> steps = {
      {"begin", Ints{-1, 0}}, {"end", Ints{kMin, kMax}}, {"strides", Ints{-2, 2}}};
  EXPECT_EQ(Gradient("slice", {x}, steps), absl::OkStatus());
  EXPECT_EQ(Gradient("slice_backward", {Iota({2, 2})},
                     {{"input_shape", Ints{4, 3}}, steps[0], steps[1], steps[2]}),
            absl::OkStatus());
  EXPECT_THAT(Inferred("slice_backward", {Iota({2, 3})},
                       {{"input_shape", Ints{4, 3}}, steps[0], steps[1], steps[2]}),
              HasSubstr("the slice of [4,3] has shape [2,2]"));
  EXPECT_FALSE(Outputs("slice_backward", {Iota({2})},
                       {{"input_shape", Ints{-4}}, {"begin", Ints{}}, {"end", Ints{}}})
                   .ok());
}

TEST(ShapeOps, Pad) {
  EXPECT_THAT(Values("pad", {Iota({1, 2})},
                     {{"before", Ints{1, 0}}, {"after", Ints{0, 1}}, {"value", 9.0}}),
              ElementsAre(9, 9, 9, 0, 1, 9));
  EXPECT_THAT(Inferred("pad", {Iota({2})}, {{"before", Ints{-1}}, {"after", Ints{0}}}),
              HasSubstr("to cut, use slice"));
  EXPECT_THAT(Inferred("pad", {Iota({2})}, {{"before", Ints{}}, {"after", Ints{0}}}),
              HasSubstr("each of the 1 axes, not 0 and 1"));
  EXPECT_FALSE(Outputs("pad", {Iota({2})}, {{"before", Ints{kMax}}, {"after", Ints{kMax}}}).ok());
  EXPECT_EQ(Gradient("pad", {Iota({2, 3})}, {{"before", Ints{1, 0}}, {"after", Ints{2, 1}}}),
            absl::OkStatus());
}

TEST(ShapeOps, Split) {
  const Tensor x = Iota({2, 6});
  EXPECT_EQ(Inferred("split", {x}, {{"axis", 1}, {"sections", 3}}), "f64[2,2]f64[2,2]f64[2,2]");
  EXPECT_EQ(Inferred("split", {x}, {{"axis", -1}, {"sizes", Ints{1, 0, 5}}}),
            "f64[2,1]f64[2,0]f64[2,5]");
  const TensorList parts = Outputs("split", {x}, {{"axis", 1}, {"sizes", Ints{2, 4}}}).value();
  EXPECT_THAT(ReferenceInvoker::Values(parts[0]), ElementsAre(0, 1, 6, 7));
  EXPECT_THAT(ReferenceInvoker::Values(parts[1]), ElementsAre(2, 3, 4, 5, 8, 9, 10, 11));
  EXPECT_THAT(Inferred("split", {x}, {{"axis", 1}, {"sections", 4}}), HasSubstr("equal parts"));
  EXPECT_THAT(Inferred("split", {x}, {{"axis", 1}, {"sizes", Ints{1, 2}}}),
              HasSubstr("sum to 3, axis 1 has 6"));
  EXPECT_THAT(Inferred("split", {x}), HasSubstr("either sections or sizes"));
  EXPECT_THAT(Inferred("split", {x}, {{"sections", 2}, {"sizes", Ints{1, 1}}}),
              HasSubstr("either sections or sizes"));
  EXPECT_THAT(Inferred("split", {x}, {{"sections", -1}}), HasSubstr("equal parts"));
  EXPECT_THAT(Inferred("split", {Iota({0})}, {{"sections", kMax}}), HasSubstr("at most 65536"));
  EXPECT_THAT(Inferred("split", {x}, {{"axis", 1}, {"sizes", Ints{kMax, kMax}}}),
              HasSubstr("overflow"));
  EXPECT_EQ(Gradient("split", {x}, {{"axis", 1}, {"sizes", Ints{2, 4}}}), absl::OkStatus());
}

TEST(ShapeOps, SplitWithoutSomeGradients) {
  const OpDef* op = Registry().Find("split");
  const std::vector<AttributeInit> attrs = {{"sections", 2}};
  const AttributeMap map = AttributeMap::Create(op->attributes, attrs).value();
  ReferenceInvoker invoker(&Registry());
  const std::vector<Tensor> inputs = {Iota({4})};
  const TensorList outputs = Outputs("split", inputs, attrs).value();
  EXPECT_EQ(op->num_outputs(map), 2);
  const std::vector<Tensor> second = {Tensor(), outputs[1]};
  VjpContext some(map, inputs, outputs, second, ~uint64_t{0}, invoker);
  EXPECT_THAT(ReferenceInvoker::Values(op->vjp(some).value()[0]), ElementsAre(0, 0, 2, 3));
  const std::vector<Tensor> neither(2);
  VjpContext none(map, inputs, outputs, neither, ~uint64_t{0}, invoker);
  EXPECT_FALSE(op->vjp(none).value()[0].defined());
}

TEST(ShapeOps, ConcatAndStack) {
  EXPECT_THAT(Values("concat", {Iota({2, 1}), Iota({2, 2})}, {{"axis", 1}}),
              ElementsAre(0, 0, 1, 1, 2, 3));
  EXPECT_EQ(Inferred("concat", {Iota({0, 2}), Iota({3, 2})}), "f64[3,2]");
  EXPECT_THAT(Inferred("concat", {Iota({2, 1}), Iota({3, 2})}, {{"axis", 1}}),
              HasSubstr("input 1 has shape [3,2], input 0 has [2,1]; all but axis 1"));
  EXPECT_THAT(Inferred("concat", {Iota({2}), Iota({2}, DType::kF32)}), HasSubstr("cast them"));
  EXPECT_THAT(Inferred("concat", {Iota({})}), HasSubstr("a scalar has no axis"));
  EXPECT_THAT(Inferred("concat", {}), HasSubstr("at least 1 input"));
  EXPECT_EQ(Gradient("concat", {Iota({2, 1}), Iota({2, 2}), Iota({2, 0})}, {{"axis", -1}}),
            absl::OkStatus());
  EXPECT_THAT(Values("stack", {Iota({2}), Iota({2})}, {{"axis", -1}}), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(Inferred("stack", {Iota({2}), Iota({2}), Iota({2})}), "f64[3,2]");
  EXPECT_THAT(Inferred("stack", {Iota({2}), Iota({3})}), HasSubstr("all must be equal"));
  EXPECT_EQ(Gradient("stack", {Iota({2}), Iota({2})}, {{"axis", 1}}), absl::OkStatus());
  EXPECT_EQ(Gradient("stack", {Iota({}), Iota({})}), absl::OkStatus());
}

// --- views of views ------------------------------------------------------------------------------

TEST(ShapeViews, ReshapeOfStridedMemory) {
  const TensorSpec spec{DType::kF32, {4, 6}};
  const TensorLayout rows = TensorLayout::Contiguous(spec);
  const TensorLayout columns = TransposedLayout(rows, {1, 0});  // [6,4], strides [1,6]
  // A transposed matrix cannot be flattened, but its dimensions can be cut and padded with ones.
  EXPECT_FALSE(ReshapedLayout(columns, {24}).has_value());
  EXPECT_FALSE(ReshapedLayout(columns, {4, 6}).has_value());
  const auto cut = ReshapedLayout(columns, {2, 3, 1, 2, 2});
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ((Dims{cut->strides[0], cut->strides[1], cut->strides[3], cut->strides[4]}),
            (Dims{3, 1, 12, 6}));
  // Every second row is one stride further.
  const auto slice = SliceGeometry::Create({4, 6}, {0}, {4}, {2}).value();
  const auto half = ReshapedLayout(SlicedLayout(rows, slice), {2, 2, 3});
  ASSERT_TRUE(half.has_value());
  EXPECT_EQ(half->strides, (Dims{12, 3, 1}));
  EXPECT_FALSE(ReshapedLayout(SlicedLayout(rows, slice), {12}).has_value());
  // Broadcast dimensions merge among themselves.
  const auto repeated =
      ReshapedLayout(BroadcastLayout({{DType::kF32, {1, 6}}, {6, 1}, 5}, {4, 6}), {2, 2, 6});
  ASSERT_TRUE(repeated.has_value());
  EXPECT_EQ(repeated->strides, (Dims{0, 0, 1}));
  EXPECT_EQ(repeated->offset, 5);
  const auto constant = ReshapedLayout(BroadcastLayout({{DType::kF32, {}}, {}, 0}, {3, 4}), {12});
  ASSERT_TRUE(constant.has_value());
  EXPECT_EQ(constant->strides, Dims{0});
}

TEST(ShapeViews, NegativeStrides) {
  const TensorLayout x = TensorLayout::Contiguous({DType::kF32, {6}});
  const auto reversed = SlicedLayout(x, SliceGeometry::Create({6}, {kMax}, {kMin}, {-1}).value());
  EXPECT_EQ(reversed.offset, 5);
  const auto matrix = ReshapedLayout(reversed, {2, 3});
  ASSERT_TRUE(matrix.has_value());
  EXPECT_EQ(matrix->strides, (Dims{-3, -1}));
  EXPECT_EQ(matrix->offset, 5);
}

TEST(ShapeViews, EmptySlicesStayInsideTheBuffer) {
  const TensorLayout x = TensorLayout::Contiguous({DType::kF32, {4, 6}});
  const auto none = SliceGeometry::Create({4, 6}, {4, 2}, {4, 3}, {}).value();
  EXPECT_EQ(SlicedLayout(x, none).offset, 0);
}

}  // namespace
}  // namespace tandem
