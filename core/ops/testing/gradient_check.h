// Checks the vjp of an op against finite differences, and the gradient of the gradient too.
//
//   absl::Status status = CheckGradients(registry, {
//       .op = "softmax", .inputs = {RandomInput({2, 3}, 1)}, .attrs = {{"axis", 0}}});
//
// Everything runs in double on the reference (reference_tape.h), so no device is needed.
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OPS_TESTING_GRADIENT_CHECK_H_
#define TANDEM_CORE_OPS_TESTING_GRADIENT_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

struct GradientCase {
  std::string op;
  std::vector<Tensor> inputs;  // of a ReferenceTape
  std::vector<AttributeInit> attrs;
  // Bit i: output i counts; input i, of a floating-point dtype, is differentiated.
  uint64_t outputs = 0b1;
  uint64_t differentiate = ~uint64_t{0};
  bool second_order = true;
};

// INTERNAL names the first element of a gradient that is wrong. The tolerance is the error of the
// finite difference itself: the difference of two step sizes (truncation), and the rounding of a
// sum of that size.
absl::Status CheckGradients(const OpRegistry& registry, const GradientCase& test);

// The op by its evaluation and by its decomposition: equal up to rounding. INTERNAL names the first
// element that differs.
absl::Status CheckDecomposition(const OpRegistry& registry, const GradientCase& test);

// f64 values that are different from each other, from -1 to 1, the same for a seed.
Tensor RandomInput(const Shape& shape, uint32_t seed);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_TESTING_GRADIENT_CHECK_H_
