// The instructions of a scalar expression as GLSL, without what surrounds them (glsl_printer.h).
//
//   GlslNeeds needs = NeedsOf(expr);
//   PrintInstructions(expr, [](int input) { return absl::StrCat("a", input); }, "  ", &text);
//   text += Encode(DType::kF16, "v3");  // FloatToHalf(v3)
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_EXPRESSION_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_EXPRESSION_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

// What an expression uses beyond GLSL itself.
struct GlslNeeds {
  bool f32 = false;
  bool f64 = false;  // values of the type
  bool i64 = false;
  bool classify = false;  // the files of shaders/ with these names
  bool conversions = false;
  bool arithmetic = false;
  bool math_f32 = false;
  bool math_f64 = false;
  bool trigonometry_f32 = false;
  bool trigonometry_f64 = false;
};
GlslNeeds NeedsOf(const ScalarExpr& expr);

// Whether an output is an input's element as it is: its bits are moved, and no type is needed.
bool IsMove(const ScalarExpr& expr, const ScalarExpr::Output& output);

// Which instructions are computed: all that outputs depend on that are not moves.
std::vector<bool> ComputedInstructions(const ScalarExpr& expr);

// The bits of an element (`uint`, or `uvec2` for eight bytes) as a value of its compute type, and
// back; every NaN becomes the same bits. `bits` is the name of a variable.
std::string Decode(DType dtype, absl::string_view bits);
std::string Encode(DType dtype, absl::string_view value);

// A line for each instruction that ComputedInstructions has, "const int v3 = v1 + v2;", with %3 as
// v3. `input` gives the name of the variable with the bits of an input.
void PrintInstructions(const ScalarExpr& expr, absl::FunctionRef<std::string(int)> input,
                       absl::string_view indent, std::string* text);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_EXPRESSION_H_
