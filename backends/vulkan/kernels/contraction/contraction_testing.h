// The devices that the tests of matrix products and convolutions run on: kernels choose other ways to
// sum on a software driver than on a GPU, with many features than with few.
//
//   class MatmulTest : public LaneTest {…};
//   INSTANTIATE_TEST_SUITE_P(Variants, MatmulTest, testing::ValuesIn(kContractionVariants),
//                            VariantName<testing::TestParamInfo<Variant>>);
//
// Thread rules: plain data.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_TESTING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_TESTING_H_

#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {

inline constexpr Variant kContractionVariants[] = {
    {"Software", [](Capabilities* c) { c->is_cpu = true; }},
    {"Gpu", [](Capabilities* c) { c->is_cpu = false; }},
    {"LeastGpu",
     [](Capabilities* c) {
       c->is_cpu = c->int64 = c->storage8 = c->storage16 = c->float16 = c->subgroups = false;
       c->push_descriptors = false;
       c->max_workgroup_invocations = 128;
       c->shared_memory_bytes = 16384;
     }},
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_TESTING_H_
