// Runs Vulkan kernels on given values, for the tests of this folder.
//
//   KernelTester tester({&RegisterIndexingKernels}, [](Capabilities* c) { c->storage8 = false; });
//   if (!tester.available()) GTEST_SKIP() << tester.reason();
//   std::vector<std::vector<double>> y = tester.Run(
//       "gather", {{"axis", 1}}, {RandomTensor({DType::kF32, {3, 7}}, seed), indices},
//       {{DType::kF32, {3, 2}}});
//
// Every run happens twice, on the stream and as a command buffer, under synchronization validation
// where the layer is installed. Outputs and workspace are full of NaN and lie between guard bands.
// The test fails unless both runs give the same bits, no guard band changed, and the layer was silent.
//
// Thread rules: one thread.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_KERNEL_TESTER_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_KERNEL_TESTER_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/ops/testing/test_tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {

// The same values with other strides and offset, in elements.
TestTensor Restride(TestTensor tensor, const Strides& strides, int64_t offset);

class KernelTester {
 public:
  // A device of its own, with the kernels that `families` register and the capabilities that
  // `restrict` leaves (it must not add any).
  explicit KernelTester(std::initializer_list<absl::Status (*)(KernelRegistry*)> families,
                        const std::function<void(Capabilities*)>& restrict = nullptr);
  ~KernelTester();

  // False on a machine without a Vulkan driver; the reason says what is missing.
  bool available() const { return device_ != nullptr; }
  const std::string& reason() const { return reason_; }
  VulkanDevice& device() { return *device_; }
  const KernelRegistry& kernels() const { return registry_; }

  // The values of the outputs; empty, with a failed test, if something went wrong.
  std::vector<std::vector<double>> Run(absl::string_view op,
                                       const std::vector<AttributeInit>& attrs,
                                       const std::vector<TestTensor>& inputs,
                                       const std::vector<TensorSpec>& outputs);
  // The description of the kernel that the last Run chose.
  const std::string& description() const { return description_; }
  // What preparing the request says.
  absl::Status Prepare(absl::string_view op, const std::vector<AttributeInit>& attrs,
                       const std::vector<TensorSpec>& inputs,
                       const std::vector<TensorSpec>& outputs);

 private:
  absl::StatusOr<std::vector<std::vector<std::byte>>> RunOnce(const KernelRequest& request,
                                                              const std::vector<TestTensor>& inputs,
                                                              bool in_command_buffer);

  KernelRegistry registry_;
  std::unique_ptr<VulkanDevice> device_;
  std::string reason_;
  std::string description_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_KERNEL_TESTER_H_
