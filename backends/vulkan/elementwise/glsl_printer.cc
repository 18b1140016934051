#include "tandem/backends/vulkan/elementwise/glsl_printer.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/glsl_expression.h"

namespace tandem::vulkan_backend {
namespace {

// A 64-bit integer extension has the packing functions, the other the type of the shared files.
constexpr char kInt64Extensions[] =
    "#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require\n"
    "#extension GL_ARB_gpu_shader_int64 : require\n";

int BytesOf(DType dtype) { return static_cast<int>(DTypeSize(dtype)); }

// The variable with the bits of one element.
const char* BitsType(int bytes) { return bytes == 8 ? "uvec2" : "uint"; }

class Printer {
 public:
  Printer(const ScalarExpr& expr, const ElementwiseVariant& variant)
      : expr_(expr), variant_(variant), needs_(NeedsOf(expr)), read_(expr.inputs.size()) {
    const std::vector<bool> computed = ComputedInstructions(expr);
    for (size_t i = 0; i < computed.size(); ++i) {
      if (computed[i] && expr.instructions[i].op == ScalarOp::kInput) {
        read_[expr.instructions[i].index] = true;
      }
    }
    for (const ScalarExpr::Output& output : expr.outputs) {
      if (IsMove(expr, output)) read_[expr.instructions[output.value].index] = true;
    }
  }

  std::string Print() {
    PrintHead();
    PrintParameters();
    PrintBindings();
    Line("void main() {");
    Line("  const uint i = gl_GlobalInvocationID.x +");
    Line("                 gl_GlobalInvocationID.y * (gl_NumWorkGroups.x * gl_WorkGroupSize.x);");
    if (variant_.width == 1) {
      Line("  if (i >= n) return;");
    } else {
      Line("  const uint begin = 4u * i;");
      Line("  if (begin >= n) return;");
      Line("  const uint count = min(n - begin, 4u);");
    }
    if (variant_.width == 1) {
      PrintOne();
    } else {
      PrintFour();
    }
    Line("}");
    return std::move(text_);
  }

 private:
  template <typename... Args>
  void Line(const Args&... args) {
    absl::StrAppend(&text_, args..., "\n");
  }

  int InputBytes(size_t i) const { return BytesOf(expr_.inputs[i]); }
  int OutputBytes(size_t o) const { return BytesOf(expr_.outputs[o].dtype); }

  void Include(absl::string_view name) {
    Line("#include \"backends/vulkan/shaders/", name, ".glsl\"");
  }

  void PrintHead() {
    Line("#version 450");
    Line("#extension GL_GOOGLE_include_directive : require");
    if (needs_.i64) text_ += kInt64Extensions;
    PrintFloatControls();
    if (needs_.f64) Line("#define TANDEM_USE_F64");
    if (needs_.i64) Line("#define TANDEM_USE_I64");
    if (needs_.classify) Include("classify");
    if (needs_.conversions) Include("conversions");
    if (needs_.arithmetic) Include("arithmetic");
    if (needs_.math_f32) Include("math_f32");
    if (needs_.math_f64) Include("math_f64");
    if (needs_.trigonometry_f64 || (needs_.trigonometry_f32 && variant_.trigonometry_in_f64)) {
      Include("trig_f64");
    } else if (needs_.trigonometry_f32) {
      Include("trig_f32");
    }
    Line("layout(local_size_x_id = 0) in;");
  }

  // Execution modes of SPV_KHR_float_controls by their numbers, for GLSL has no words for them. The
  // compiler takes each mode once, for one width.
  void PrintFloatControls() {
    if (!needs_.f32 && !needs_.f64) return;
    if (!variant_.keeps_nan && !variant_.keeps_denormals) return;
    const auto mode = [this](int capability, int number) {
      Line("spirv_execution_mode(extensions = [\"SPV_KHR_float_controls\"], capabilities = [",
           capability, "], ", number, ", ", needs_.f32 ? 32 : 64, ");");
    };
    Line("#extension GL_EXT_spirv_intrinsics : require");
    if (variant_.keeps_denormals) mode(4464, 4459);  // DenormPreserve
    if (variant_.keeps_nan) mode(4466, 4461);        // SignedZeroInfNanPreserve
  }

  void PrintParameters() {
    if (variant_.parameter_buffer) {
      Line("layout(set = 0, binding = ", expr_.inputs.size() + expr_.outputs.size(),
           ") readonly buffer Parameters {");
    } else {
      Line("layout(push_constant) uniform Parameters {");
    }
    Line("  uint n;");
    for (size_t i = 0; i < expr_.inputs.size(); ++i) Line("  uint first", i, ";");
    for (int d = 1; d < variant_.rank; ++d) {
      Line("  uint size", d, ", multiplier", d, ", shift", d, ";");
    }
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (variant_.inputs[i] != InputAccess::kStrided) continue;
      for (int d = 0; d < variant_.rank; ++d) Line("  uint step", i, "_", d, ";");
    }
    Line("};");
  }

  void PrintBinding(size_t binding, const char* qualifier, absl::string_view name, int bytes,
                    bool vectors) {
    Line("layout(set = 0, binding = ", binding, ") ", qualifier, "buffer Words", binding, " { ",
         BitsType(bytes), " ", name, "[]; };");
    if (vectors && bytes > 1) {
      Line("layout(set = 0, binding = ", binding, ") ", qualifier, "buffer Vectors", binding, " { ",
           bytes == 2 ? "uvec2" : "uvec4", " ", name, "v[]; };");
    }
  }

  void PrintBindings() {
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (!read_[i]) continue;
      PrintBinding(i, "readonly ", absl::StrCat("x", i), InputBytes(i),
                   variant_.inputs[i] == InputAccess::kVector);
    }
    for (size_t o = 0; o < expr_.outputs.size(); ++o) {
      PrintBinding(expr_.inputs.size() + o, "", absl::StrCat("y", o), OutputBytes(o),
                   variant_.width == 4);
    }
  }

  // The bits of the element at `index` of an input.
  std::string Element(size_t i, absl::string_view index) const {
    switch (InputBytes(i)) {
      case 1:
        return absl::StrCat("bitfieldExtract(x", i, "[(", index, ") >> 2], int((", index,
                            ") & 3u) << 3, 8)");
      case 2:
        return absl::StrCat("bitfieldExtract(x", i, "[(", index, ") >> 1], int((", index,
                            ") & 1u) << 4, 16)");
      default:
        return absl::StrCat("x", i, "[", index, "]");
    }
  }

  // Declares at<i> for every strided input: its element that belongs to the row-major position
  // `position` of the dimensions.
  void PrintPositions(absl::string_view position, absl::string_view indent) {
    const auto each_strided = [&](auto&& fn) {
      for (size_t i = 0; i < expr_.inputs.size(); ++i) {
        if (variant_.inputs[i] == InputAccess::kStrided && read_[i]) fn(i);
      }
    };
    each_strided([&](size_t i) { Line(indent, "uint at", i, " = first", i, ";"); });
    if (variant_.rank > 1) Line(indent, "uint rest = ", position, ", quotient, low, index;");
    for (int d = variant_.rank - 1; d > 0; --d) {
      Line(indent, "umulExtended(rest, multiplier", d, ", quotient, low);");
      Line(indent, "quotient = (quotient + rest) >> shift", d, ";");
      Line(indent, "index = rest - quotient * size", d, ";");
      // A vector's elements are four steps from those of the next.
      const bool vectors = variant_.whole_vectors && d == variant_.rank - 1;
      each_strided([&](size_t i) {
        Line(indent, "at", i, " += ", vectors ? "4u * " : "", "index * step", i, "_", d, ";");
      });
      Line(indent, "rest = quotient;");
    }
    const bool vectors = variant_.whole_vectors && variant_.rank == 1;
    each_strided([&](size_t i) {
      Line(indent, "at", i, " += ", vectors ? "4u * " : "",
           variant_.rank > 1 ? absl::string_view("rest") : position, " * step", i, "_0;");
    });
  }

  bool HasStrided() const {
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (variant_.inputs[i] == InputAccess::kStrided && read_[i]) return true;
    }
    return false;
  }

  void PrintUniforms() {
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (read_[i] && variant_.inputs[i] == InputAccess::kUniform) {
        Line("  const ", BitsType(InputBytes(i)), " a", i, " = ",
             Element(i, absl::StrCat("first", i)), ";");
      }
    }
  }

  std::string Result(size_t o, absl::string_view subscript) const {
    const ScalarExpr::Output& output = expr_.outputs[o];
    if (!IsMove(expr_, output)) return Encode(output.dtype, absl::StrCat("v", output.value));
    const int input = expr_.instructions[output.value].index;
    return absl::StrCat(
        "a", input,
        variant_.inputs[input] == InputAccess::kUniform ? absl::string_view() : subscript);
  }

  void PrintOne() {
    PrintUniforms();
    if (HasStrided()) PrintPositions("i", "  ");
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (!read_[i] || variant_.inputs[i] == InputAccess::kUniform) continue;
      const bool strided = variant_.inputs[i] == InputAccess::kStrided;
      Line("  const ", BitsType(InputBytes(i)), " a", i, " = ",
           Element(i, strided ? absl::StrCat("at", i) : absl::StrCat("first", i, " + i")), ";");
    }
    PrintInstructions(
        expr_, [](int input) { return absl::StrCat("a", input); }, "  ", &text_);
    for (size_t o = 0; o < expr_.outputs.size(); ++o) {
      Line("  y", o, "[i] = ", Result(o, ""), ";");
    }
  }

  // Declares a<i>[4] and fills it.
  void PrintVectorLoad(size_t i) {
    const int bytes = InputBytes(i);
    const std::string at = absl::StrCat("(first", i, " >> 2) + i");
    const std::string flat = absl::StrCat("first", i, " + min(begin + k, n - 1u)");
    const auto fill = [&](auto&&... lanes) {
      absl::StrAppend(&text_, "    a", i, " = ", BitsType(bytes), "[](", lanes..., ");\n");
    };
    if (variant_.inputs[i] == InputAccess::kFlat) {
      Line("  for (uint k = 0; k < 4u; ++k) a", i, "[k] = ", Element(i, flat), ";");
      return;
    }
    if (bytes == 1) {  // one word, whose last elements may lie behind the end
      Line("  {");
      Line("    const uint word = x", i, "[", at, "];");
      fill("word & 0xFFu, (word >> 8) & 0xFFu, (word >> 16) & 0xFFu, word >> 24");
      Line("  }");
      return;
    }
    Line("  if (count == 4u) {");
    if (bytes == 2) {
      Line("    const uvec2 word = x", i, "v[", at, "];");
      fill("word.x & 0xFFFFu, word.x >> 16, word.y & 0xFFFFu, word.y >> 16");
    } else if (bytes == 4) {
      Line("    const uvec4 word = x", i, "v[", at, "];");
      fill("word.x, word.y, word.z, word.w");
    } else {
      Line("    const uvec4 lower = x", i, "v[2u * (", at, ")];");
      Line("    const uvec4 upper = x", i, "v[2u * (", at, ") + 1u];");
      fill("lower.xy, lower.zw, upper.xy, upper.zw");
    }
    Line("  } else {");
    Line("    for (uint k = 0; k < 4u; ++k) a", i, "[k] = ", Element(i, flat), ";");
    Line("  }");
  }

  void PrintVectorStore(size_t o) {
    const std::string y = absl::StrCat("y", o), r = absl::StrCat("r", o);
    switch (OutputBytes(o)) {
      case 1:
        Line("  {");
        Line("    const uint word = ", r, "[0] | ", r, "[1] << 8 | ", r, "[2] << 16 | ", r,
             "[3] << 24;");
        Line("    ", y, "[i] = count == 4u ? word : bitfieldInsert(", y,
             "[i], word, 0, int(8u * count));");
        Line("  }");
        return;
      case 2:
        Line("  {");
        Line("    const uvec2 words = uvec2(", r, "[0] | ", r, "[1] << 16, ", r, "[2] | ", r,
             "[3] << 16);");
        Line("    if (count == 4u) {");
        Line("      ", y, "v[i] = words;");
        Line("    } else {");
        Line("      if (count == 1u) ", y, "[2u * i] = bitfieldInsert(", y,
             "[2u * i], words.x, 0, 16);");
        Line("      if (count >= 2u) ", y, "[2u * i] = words.x;");
        Line("      if (count == 3u) ", y, "[2u * i + 1u] = bitfieldInsert(", y,
             "[2u * i + 1u], words.y, 0, 16);");
        Line("    }");
        Line("  }");
        return;
      case 4:
        Line("  if (count == 4u) {");
        Line("    ", y, "v[i] = uvec4(", r, "[0], ", r, "[1], ", r, "[2], ", r, "[3]);");
        break;
      default:
        Line("  if (count == 4u) {");
        Line("    ", y, "v[2u * i] = uvec4(", r, "[0], ", r, "[1]);");
        Line("    ", y, "v[2u * i + 1u] = uvec4(", r, "[2], ", r, "[3]);");
        break;
    }
    Line("  } else {");
    Line("    for (uint k = 0; k < count; ++k) ", y, "[begin + k] = ", r, "[k];");
    Line("  }");
  }

  void PrintFour() {
    PrintUniforms();
    const bool strided = HasStrided();
    if (strided && variant_.whole_vectors) PrintPositions("i", "  ");
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      if (read_[i] && variant_.inputs[i] != InputAccess::kUniform) {
        Line("  ", BitsType(InputBytes(i)), " a", i, "[4];");
      }
    }
    for (size_t i = 0; i < expr_.inputs.size(); ++i) {
      const InputAccess access = variant_.inputs[i];
      if (read_[i] && (access == InputAccess::kFlat || access == InputAccess::kVector)) {
        PrintVectorLoad(i);
      }
    }
    if (strided) {
      Line("  for (uint k = 0; k < 4u; ++k) {");
      if (!variant_.whole_vectors) {
        Line("    const uint position = min(begin + k, n - 1u);");
        PrintPositions("position", "    ");
      }
      for (size_t i = 0; i < expr_.inputs.size(); ++i) {
        if (!read_[i] || variant_.inputs[i] != InputAccess::kStrided) continue;
        const std::string at = variant_.whole_vectors
                                   ? absl::StrCat("at", i, " + k * step", i, "_", variant_.rank - 1)
                                   : absl::StrCat("at", i);
        Line("    a", i, "[k] = ", Element(i, at), ";");
      }
      Line("  }");
    }
    for (size_t o = 0; o < expr_.outputs.size(); ++o) {
      Line("  ", BitsType(OutputBytes(o)), " r", o, "[4];");
    }
    Line("  for (uint k = 0; k < 4u; ++k) {");
    PrintInstructions(
        expr_,
        [this](int input) {
          return absl::StrCat("a", input,
                              variant_.inputs[input] == InputAccess::kUniform ? "" : "[k]");
        },
        "    ", &text_);
    for (size_t o = 0; o < expr_.outputs.size(); ++o) {
      Line("    r", o, "[k] = ", Result(o, "[k]"), ";");
    }
    Line("  }");
    for (size_t o = 0; o < expr_.outputs.size(); ++o) PrintVectorStore(o);
  }

  const ScalarExpr& expr_;
  const ElementwiseVariant& variant_;
  const GlslNeeds needs_;
  std::vector<bool> read_;  // which inputs the outputs depend on
  std::string text_;
};

absl::Status CheckVariant(const ScalarExpr& expr, const ElementwiseVariant& variant) {
  if (variant.inputs.size() != expr.inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("elementwise shader: ", expr.inputs.size(),
                                                   " inputs, and access to ",
                                                   variant.inputs.size()));
  }
  if (variant.width != 1 && variant.width != 4) {
    return absl::InvalidArgumentError("elementwise shader: the width is 1 or 4");
  }
  bool strided = false;
  for (InputAccess access : variant.inputs) {
    strided |= access == InputAccess::kStrided;
    if (access == InputAccess::kVector && variant.width != 4) {
      return absl::InvalidArgumentError("elementwise shader: vectors need width 4");
    }
  }
  for (const ScalarExpr::Output& output : expr.outputs) {
    if (DTypeSize(output.dtype) < 4 && variant.width != 4) {
      return absl::InvalidArgumentError(absl::StrCat("elementwise shader: an output of ",
                                                     DTypeName(output.dtype), " needs width 4"));
    }
  }
  if (strided != (variant.rank > 0) ||
      (variant.whole_vectors && !(strided && variant.width == 4))) {
    return absl::InvalidArgumentError("elementwise shader: dimensions without strided inputs");
  }
  return absl::OkStatus();
}

}  // namespace

int NumParameters(const ElementwiseVariant& variant) {
  int num = 1 + static_cast<int>(variant.inputs.size());
  if (variant.rank > 1) num += 3 * (variant.rank - 1);
  for (InputAccess access : variant.inputs) {
    if (access == InputAccess::kStrided) num += variant.rank;
  }
  return num;
}

bool CanCompute(const ScalarExpr& expr, const Capabilities& capabilities) {
  const GlslNeeds needs = NeedsOf(expr);
  return (capabilities.float64 || !needs.f64) && (capabilities.int64 || !needs.i64);
}

absl::StatusOr<GlslSource> PrintElementwise(const ScalarExpr& expr,
                                            const ElementwiseVariant& variant) {
  if (absl::Status status = CheckVariant(expr, variant); !status.ok()) return status;
  GlslSource source;
  source.name = "elementwise";
  source.num_bindings = static_cast<int>(expr.inputs.size() + expr.outputs.size()) +
                        (variant.parameter_buffer ? 1 : 0);
  source.constants_bytes =
      variant.parameter_buffer ? 0 : static_cast<uint32_t>(NumParameters(variant) * 4);
  source.text = Printer(expr, variant).Print();
  return source;
}

}  // namespace tandem::vulkan_backend
