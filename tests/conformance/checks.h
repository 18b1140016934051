// The checks that every case serves. Each reports to GoogleTest and to Report::Global().
//
// Thread rules: one thread.
#ifndef TANDEM_TESTS_CONFORMANCE_CHECKS_H_
#define TANDEM_TESTS_CONFORMANCE_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {

// A case with its inputs made: the same values in every check of a run.
struct PreparedCase {
  const Case* definition = nullptr;
  std::vector<RefTensor> values;
  std::vector<Tensor> inputs;
};
absl::StatusOr<PreparedCase> Prepare(const Case& c);

// Runs the op of a case on other inputs.
absl::StatusOr<TensorList> RunOp(const Case& c, absl::Span<const Tensor> inputs);

// What the reference makes of these values.
absl::StatusOr<std::vector<RefTensor>> RunReference(const Case& c,
                                                    const std::vector<RefTensor>& values);

// Eager results against the reference.
void CheckReference(const Case& c);
// Gradients of the tape against central differences of the device's own f64 kernels.
void CheckGradient(const Case& c);
// Gradients of gradients, the same way.
void CheckSecondGradient(const Case& c);
// Results and gradients of a compiled function against eager ones, bit for bit.
void CheckHybrid(const Case& c);
// A use that must be refused.
void CheckBad(const BadCase& c);
// Prints the time of one eager call.
void MeasureSpeed(const Case& c);

// True if the gradient checks apply: a differentiable op on f64, at values that differences can be
// taken of.
bool CanDifferentiate(const Case& c);
// True if `status` says that the device cannot do this; then it is counted for `check`.
bool CountUnsupported(const absl::Status& status, const std::string& check, const Case& c);

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_CHECKS_H_
