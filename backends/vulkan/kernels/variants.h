// The devices that a test of data movement runs on: as it is, and without each group of features
// that would make a kernel take another way.
//
// Thread rules: plain data.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_VARIANTS_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_VARIANTS_H_

#include <string>

#include "tandem/backends/vulkan/driver/capabilities.h"

namespace tandem::vulkan_backend {

struct Variant {
  const char* name;
  void (*restrict)(Capabilities*);
};

inline constexpr Variant kMovementVariants[] = {
    {"AllFeatures", [](Capabilities*) {}},
    {"NoStorage8", [](Capabilities* c) { c->storage8 = false; }},
    {"NoStorage16", [](Capabilities* c) { c->storage16 = false; }},
    {"No64Bits", [](Capabilities* c) { c->int64 = c->float64 = false; }},
    {"LeastFeatures",
     [](Capabilities* c) {
       c->storage8 = c->storage16 = c->int64 = c->float64 = false;
       c->float16 = c->subgroups = c->push_descriptors = false;
       c->max_workgroup_invocations = 128;
     }},
};

template <typename TestInfo>
std::string VariantName(const TestInfo& info) {
  return info.param.name;
}

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_VARIANTS_H_
