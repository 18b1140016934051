#include "tandem/backends/vulkan/elementwise/glsl_printer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using testing::HasSubstr;
using testing::Not;

ScalarExpr AddF32() {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32), y = b.Input(1, DType::kF32);
  b.Output(b.Add(x, y), DType::kF32);
  return *b.Finish();
}

TEST(GlslPrinterTest, FlatAndUniform) {
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kFlat, InputAccess::kUniform};
  const GlslSource source = *PrintElementwise(AddF32(), variant);
  EXPECT_EQ(source.num_bindings, 3);
  EXPECT_EQ(source.constants_bytes, 12);
  EXPECT_EQ(source.text, R"(#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/classify.glsl"
layout(local_size_x_id = 0) in;
layout(push_constant) uniform Parameters {
  uint n;
  uint first0;
  uint first1;
};
layout(set = 0, binding = 0) readonly buffer Words0 { uint x0[]; };
layout(set = 0, binding = 1) readonly buffer Words1 { uint x1[]; };
layout(set = 0, binding = 2) buffer Words2 { uint y0[]; };
void main() {
  const uint i = gl_GlobalInvocationID.x +
                 gl_GlobalInvocationID.y * (gl_NumWorkGroups.x * gl_WorkGroupSize.x);
  if (i >= n) return;
  const uint a1 = x1[first1];
  const uint a0 = x0[first0 + i];
  precise float v0 = uintBitsToFloat(a0);
  precise float v1 = uintBitsToFloat(a1);
  precise float v2 = v0 + v1;
  y0[i] = CanonicalBits(v2);
}
)");
}

TEST(GlslPrinterTest, FourElementsOfTwoBytes) {
  ScalarBuilder b;
  b.Output(b.Cast(b.Input(0, DType::kF16), ScalarType::kBool), DType::kBool);
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kVector};
  variant.width = 4;
  const GlslSource source = *PrintElementwise(*b.Finish(), variant);
  const size_t main = source.text.find("void main");
  EXPECT_EQ(source.text.substr(main), R"(void main() {
  const uint i = gl_GlobalInvocationID.x +
                 gl_GlobalInvocationID.y * (gl_NumWorkGroups.x * gl_WorkGroupSize.x);
  const uint begin = 4u * i;
  if (begin >= n) return;
  const uint count = min(n - begin, 4u);
  uint a0[4];
  if (count == 4u) {
    const uvec2 word = x0v[(first0 >> 2) + i];
    a0 = uint[](word.x & 0xFFFFu, word.x >> 16, word.y & 0xFFFFu, word.y >> 16);
  } else {
    for (uint k = 0; k < 4u; ++k) a0[k] = bitfieldExtract(x0[(first0 + min(begin + k, n - 1u)) >> 1], int((first0 + min(begin + k, n - 1u)) & 1u) << 4, 16);
  }
  uint r0[4];
  for (uint k = 0; k < 4u; ++k) {
    precise float v0 = HalfToFloat(a0[k]);
    const bool v1 = v0 != 0.0;
    r0[k] = v1 ? 1u : 0u;
  }
  {
    const uint word = r0[0] | r0[1] << 8 | r0[2] << 16 | r0[3] << 24;
    y0[i] = count == 4u ? word : bitfieldInsert(y0[i], word, 0, int(8u * count));
  }
}
)");
}

TEST(GlslPrinterTest, StridedParameters) {
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kStrided, InputAccess::kFlat};
  variant.rank = 2;
  EXPECT_EQ(NumParameters(variant), 1 + 2 + 3 + 2);
  GlslSource source = *PrintElementwise(AddF32(), variant);
  EXPECT_THAT(source.text, HasSubstr(R"(  uint at0 = first0;
  uint rest = i, quotient, low, index;
  umulExtended(rest, multiplier1, quotient, low);
  quotient = (quotient + rest) >> shift1;
  index = rest - quotient * size1;
  at0 += index * step0_1;
  rest = quotient;
  at0 += rest * step0_0;
)"));
  variant.parameter_buffer = true;
  source = *PrintElementwise(AddF32(), variant);
  EXPECT_EQ(source.num_bindings, 4);
  EXPECT_EQ(source.constants_bytes, 0);
  EXPECT_THAT(source.text, HasSubstr("binding = 3) readonly buffer Parameters {"));
}

TEST(GlslPrinterTest, ConstantsAreExact) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32);
  ScalarValue sum = x;
  for (double c : {0.1, 3.0, -1e30, 1e-40, -0.0, double{HUGE_VAL}}) {
    sum = b.Add(sum, b.Constant(c, ScalarType::kF32));
  }
  b.Output(sum, DType::kF32);
  b.Output(b.ConstantInt(INT32_MIN, ScalarType::kI32), DType::kI32);
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kFlat};
  const std::string text = PrintElementwise(*b.Finish(), variant)->text;
  for (const char* literal : {"= 0.100000001;", "= 3.0;", "= (-1.00000002e+30);",
                              "= uintBitsToFloat(0x000116C2u);", "= uintBitsToFloat(0x80000000u);",
                              "= uintBitsToFloat(0x7F800000u);", "= int(0x80000000u);"}) {
    EXPECT_THAT(text, HasSubstr(literal));
  }
}

TEST(GlslPrinterTest, MovesNeedNoTypes) {
  ScalarBuilder b;
  b.Output(b.Input(0, DType::kI64), DType::kI64);
  const ScalarExpr expr = *b.Finish();
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kFlat};
  const std::string text = PrintElementwise(expr, variant)->text;
  EXPECT_THAT(text, HasSubstr("y0[i] = a0;"));
  EXPECT_THAT(text, Not(HasSubstr("int64")));
  EXPECT_TRUE(CanCompute(expr, Capabilities()));
  ScalarBuilder wide;
  wide.Output(wide.Cast(wide.Input(0, DType::kI64), ScalarType::kF64), DType::kF64);
  const ScalarExpr cast = *wide.Finish();
  Capabilities capabilities;
  capabilities.int64 = true;
  EXPECT_FALSE(CanCompute(cast, capabilities));
  capabilities.float64 = true;
  EXPECT_TRUE(CanCompute(cast, capabilities));
}

TEST(GlslPrinterTest, FloatControls) {
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kFlat, InputAccess::kFlat};
  variant.keeps_nan = true;
  const std::string text = PrintElementwise(AddF32(), variant)->text;
  EXPECT_THAT(text, HasSubstr("capabilities = [4466], 4461, 32);"));
  EXPECT_THAT(text, Not(HasSubstr("4459")));
  variant.keeps_denormals = true;
  ShaderCompiler compiler;
  const auto shader = compiler.Compile(*PrintElementwise(AddF32(), variant));
  ASSERT_TRUE(shader.ok()) << shader.status();
  // OpExecutionMode has three words and number 16: the entry point, the mode, the width.
  int modes = 0;
  const absl::Span<const uint32_t> words = (*shader)->spirv;
  for (size_t i = 5; i + 3 < words.size(); i += std::max(words[i] >> 16, 1u)) {
    const bool is_mode = (words[i] & 0xFFFF) == 16;
    if (is_mode && (words[i + 2] == 4461 || words[i + 2] == 4459)) modes += words[i + 3] == 32;
  }
  EXPECT_EQ(modes, 2);
}

TEST(GlslPrinterTest, VariantsThatDoNotFit) {
  ElementwiseVariant variant;
  EXPECT_THAT(PrintElementwise(AddF32(), variant).status().message(), HasSubstr("2 inputs"));
  variant.inputs = {InputAccess::kVector, InputAccess::kFlat};
  EXPECT_THAT(PrintElementwise(AddF32(), variant).status().message(), HasSubstr("width 4"));
  variant.inputs = {InputAccess::kStrided, InputAccess::kFlat};
  EXPECT_THAT(PrintElementwise(AddF32(), variant).status().message(), HasSubstr("dimensions"));
}

}  // namespace
}  // namespace tandem::vulkan_backend
