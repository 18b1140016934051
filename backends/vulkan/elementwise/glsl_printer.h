// Prints a scalar expression as a compute shader in GLSL: one kernel for an elementwise op or for a
// fused chain of them.
//
//   ElementwiseVariant variant;
//   variant.inputs = {InputAccess::kFlat, InputAccess::kUniform};
//   GlslSource source = PrintElementwise(expr, variant);
//
// A shader depends on the expression and on a few facts about the layouts, never on sizes: those are
// parameters, so a new shape needs no new pipeline.
//
// Elements of one and two bytes are read and written as parts of 32-bit words, four elements at a
// time, so no shader needs 8- or 16-bit storage; conversions are exact (shaders/conversions.glsl).
// Every floating-point result is `precise`. Bindings: the inputs, the outputs, then the parameters
// if they are a buffer; inputs that the expression never reads have a binding, too.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_PRINTER_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_PRINTER_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/programs/shader_compiler.h"
#include "tandem/core/op/scalar_expr.h"

namespace tandem::vulkan_backend {

// How an input's elements are found.
enum class InputAccess : uint8_t {
  kFlat,     // one after the other
  kVector,   // the same, four at a time: its first element is a multiple of four
  kUniform,  // one element for all
  kStrided,  // by coordinates and steps
};

struct ElementwiseVariant {
  absl::InlinedVector<InputAccess, 4> inputs;
  // Elements that an invocation computes: 1 or 4. It is 4 where an output has elements of one or two
  // bytes; kVector is for 4 only.
  int width = 1;
  // Dimensions of the strided inputs, after those that step alike are joined; 0 without such inputs.
  int rank = 0;
  // Of width 4: the last of these dimensions is a multiple of 4, so that an invocation's elements
  // lie in one row.
  bool whole_vectors = false;
  // The parameters are the last binding, for they exceed the room for push constants.
  bool parameter_buffer = false;
  // f32's sin and cos are computed in f64, with the CPU's bits. Else within 4 ulp in f32.
  bool trigonometry_in_f64 = false;
  // The driver is told to keep NaN, infinities and the sign of zero, and subnormal numbers: of f32, or
  // of f64 where there is no f32. (It must be able to; Capabilities say so.)
  bool keeps_nan = false;
  bool keeps_denormals = false;

  friend bool operator==(const ElementwiseVariant&, const ElementwiseVariant&) = default;
};

// Bytes of push constants that every device has.
inline constexpr int kMaxPushConstants = 128;

// The parameters are 32-bit words in this order: the number of elements; of each input the first
// element (from the start of its binding); of the dimensions 1 … rank-1 the size and the multiplier
// and shift that divide by it (shaders/fast_divide.h); of each strided input its steps in elements,
// `rank` of them. With whole_vectors the size of the last dimension is a quarter of the real one.
int NumParameters(const ElementwiseVariant& variant);

// Whether the device computes with all types that appear in it. (An element that is only moved has
// no type.)
bool CanCompute(const ScalarExpr& expr, const Capabilities& capabilities);

// `expr` must be valid (Verify) and have the inputs of `variant`. INVALID_ARGUMENT for a variant that
// does not fit it.
absl::StatusOr<GlslSource> PrintElementwise(const ScalarExpr& expr,
                                            const ElementwiseVariant& variant);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_GLSL_PRINTER_H_
