#include "tandem/frontends/cpp/codegen/op_writer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::codegen {
namespace {

using ::testing::HasSubstr;

OpDef Pool() {
  OpDef op;
  op.name = "max_pool2d";
  op.doc = "The largest element of each window.";
  op.family = "pooling";
  op.inputs = {{"x", "images"}};
  op.attributes = {AttributeDef::Required("kernel", AttributeType::kInts, "height and width"),
                   AttributeDef::Optional("strides", AttributeValue::Ints{}, "steps"),
                   AttributeDef::Choice("mode", "valid", {"valid", "same"}, "borders"),
                   AttributeDef::Optional("scale", 0.5, "a factor")};
  return op;
}

OpDef Join() {
  OpDef op;
  op.name = "concat";
  op.doc = "One after another.";
  op.family = "shape";
  op.inputs = {{"xs", "at least one"}};
  op.variadic = true;
  return op;
}

OpDef Norm() {
  OpDef op;
  op.name = "norm";
  op.family = "nn";
  op.inputs = {{"x", ""}};
  op.outputs = {"y", "mean"};
  return op;
}

OpDef Full() {
  OpDef op;
  op.name = "full";
  op.family = "creation";
  op.attributes = {AttributeDef::Optional("dtype", DType::kBF16, "of the result")};
  return op;
}

TEST(OpWriter, CamelCase) {
  EXPECT_EQ(CamelCase("max_pool2d"), "MaxPool2d");
  EXPECT_EQ(CamelCase("matmul"), "MatMul");
  EXPECT_EQ(CamelCase("log1p"), "Log1p");
}

TEST(OpWriter, RequiredAttributesAreParameters) {
  const OpDef op = Pool();
  const std::string header = CppHeader({&op});
  EXPECT_THAT(header, HasSubstr("Tensor MaxPool2d(const Tensor& x, const IntList& kernel, const "
                                "MaxPool2dOptions& options = {},"));
  EXPECT_THAT(header, HasSubstr("  IntList strides = {};"));
  EXPECT_THAT(header, HasSubstr("  std::string mode = \"valid\";"));
  EXPECT_THAT(header, HasSubstr("one of \"valid\", \"same\""));
  EXPECT_THAT(header, HasSubstr("  double scale = 0.5;"));
  EXPECT_THAT(header, HasSubstr("// The largest element of each window."));
  EXPECT_THAT(CppSource({&op}), HasSubstr("{\"kernel\", kernel.values()}"));
}

TEST(OpWriter, VariadicInputsAreASpan) {
  const OpDef op = Join();
  EXPECT_THAT(CppHeader({&op}), HasSubstr("Tensor Concat(absl::Span<const Tensor> xs,"));
  EXPECT_THAT(CppSource({&op}), HasSubstr("internal::CallOp(op, xs, attrs, loc)"));
}

TEST(OpWriter, SeveralOutputsAreAStruct) {
  const OpDef op = Norm();
  EXPECT_THAT(CppHeader({&op}), HasSubstr("struct NormOutputs {\n  Tensor y;\n  Tensor mean;\n};"));
  EXPECT_THAT(CppSource({&op}),
              HasSubstr("return {internal::Take(outputs, 0), internal::Take(outputs, 1)};"));
}

TEST(OpWriter, AnOpWithoutInputsTakesADevice) {
  const OpDef op = Full();
  EXPECT_THAT(CppHeader({&op}), HasSubstr("Device* device = nullptr"));
  EXPECT_THAT(CppHeader({&op}), HasSubstr("DType dtype = DType::kBF16;"));
  EXPECT_THAT(CppSource({&op}), HasSubstr(", loc, device)"));
}

TEST(OpWriter, ReferenceListsFamiliesAndDefaults) {
  const OpDef pool = Pool();
  const OpDef join = Join();
  const std::string text = Reference({&pool, &join});
  EXPECT_THAT(text, HasSubstr("\n## pooling\n"));
  EXPECT_THAT(text, HasSubstr("\n## shape\n"));
  EXPECT_THAT(text, HasSubstr("`max_pool2d(x, kernel: "));
  EXPECT_THAT(text, HasSubstr("`concat(xs...) -> y`"));
}

}  // namespace
}  // namespace tandem::codegen
