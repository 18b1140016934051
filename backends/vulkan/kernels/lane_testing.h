// What the tests of reductions, normalization and pooling share: the variants of a device that every
// one of their shaders has to be right on.
//
//   class SoftmaxTest : public LaneTest {};
//   TEST_P(SoftmaxTest, Sizes) { tester().Run("softmax", …); }
//   INSTANTIATE_TEST_SUITE_P(Variants, SoftmaxTest, testing::ValuesIn(kLaneVariants),
//                            VariantName<testing::TestParamInfo<Variant>>);
//
// Thread rules: one thread.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_LANE_TESTING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_LANE_TESTING_H_

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/variants.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

// Devices with and without subgroups; each as a software driver, with few lanes, and as a GPU, with
// many; and one that has nothing optional but f64.
inline constexpr Variant kLaneVariants[] = {
    {"Software", [](Capabilities* c) { c->is_cpu = true; }},
    {"SoftwareWithoutSubgroups",
     [](Capabilities* c) {
       c->is_cpu = true;
       c->subgroups = false;
     }},
    {"Gpu", [](Capabilities* c) { c->is_cpu = false; }},
    {"GpuWithoutSubgroups",
     [](Capabilities* c) {
       c->is_cpu = false;
       c->subgroups = false;
     }},
    {"Minimal",
     [](Capabilities* c) {
       c->int64 = c->storage8 = c->storage16 = c->float16 = c->subgroups = false;
       c->push_descriptors = false;
       c->max_workgroup_invocations = 128;
     }},
};

class LaneTest : public testing::TestWithParam<Variant> {
 protected:
  explicit LaneTest(absl::Status (*family)(KernelRegistry*))
      : tester_({family}, GetParam().restrict) {}

  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  KernelTester& tester() { return tester_; }

 private:
  KernelTester tester_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_LANE_TESTING_H_
