// Runs one kernel on given values, for the tests of this folder.
//
//   KernelTester tester(Isa::kAvx2);
//   std::vector<std::vector<double>> y = tester.Run(
//       "softmax", {{"axis", 1}}, {RandomTensor({DType::kF32, {3, 7}}, seed)},
//       {{DType::kF32, {3, 7}}});
//
// Every run happens twice, with one and with two threads, on outputs and a workspace full of NaN; the
// test fails unless both give the same bits.
// Thread rules: one thread.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_KERNEL_TESTER_H_
#define TANDEM_BACKENDS_CPU_KERNELS_KERNEL_TESTER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/testing/test_tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::cpu_backend {

// The same values, stored with their axes in the order `axes` (outermost first), `step` elements
// apart, behind `offset` elements.
TestTensor Restride(TestTensor tensor, const std::vector<int>& axes, int64_t step, int64_t offset);

// The levels that this CPU has.
std::vector<Isa> TestedIsas();
std::string IsaTestName(Isa isa);

class KernelTester {
 public:
  explicit KernelTester(Isa isa);

  // The values of the outputs; empty, with a failed test, if something went wrong.
  std::vector<std::vector<double>> Run(absl::string_view op,
                                       const std::vector<AttributeInit>& attrs,
                                       const std::vector<TestTensor>& inputs,
                                       const std::vector<TensorSpec>& outputs);
  // The same of an op with a definition.
  std::vector<std::vector<double>> Run(const OpDef& op, const std::vector<AttributeInit>& attrs,
                                       const std::vector<TestTensor>& inputs,
                                       const std::vector<TensorSpec>& outputs);
  // The kernel that takes the request; "" if none does.
  std::string KernelName(const OpDef& op, const std::vector<AttributeInit>& attrs,
                         const std::vector<TestTensor>& inputs,
                         const std::vector<TensorSpec>& outputs);
  // Whether a kernel takes the request.
  bool Supports(absl::string_view op, const std::vector<AttributeInit>& attrs,
                const std::vector<TestTensor>& inputs, const std::vector<TensorSpec>& outputs);

 private:
  std::shared_ptr<CpuRuntime> runtime_;
  std::unique_ptr<CpuDevice> device_;
  KernelRegistry registry_;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_KERNEL_TESTER_H_
