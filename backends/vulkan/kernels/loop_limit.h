// How long the loops of a shader may be. Mesa's software drivers leave every loop of an invocation
// after 65,535 iterations of all its loops together, without a word (llvmpipe's
// LP_MAX_TGSI_LOOP_ITERATIONS), so longer work is cut into parts or spread over more invocations.
//
//   const int64_t most = LoopIterations(b.capabilities()) / 4;  // elements, in three loops
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_LOOP_LIMIT_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_LOOP_LIMIT_H_

#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/capabilities.h"

namespace tandem::vulkan_backend {

// Of all loops of an invocation together, and one for leaving each of them.
inline int64_t LoopIterations(const Capabilities& capabilities) {
  return capabilities.is_cpu ? 65000 : std::numeric_limits<int64_t>::max();
}

// RESOURCE_EXHAUSTED if an invocation of `op` would loop longer: an error, not a wrong result.
inline absl::Status CheckLoops(const Capabilities& capabilities, absl::string_view op,
                               int64_t iterations) {
  if (iterations <= LoopIterations(capabilities)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(op, ": an element of the result takes ", iterations,
                   " iterations of a loop, and software drivers stop after ",
                   LoopIterations(capabilities), "; cut the tensor into parts"));
}

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_LOOP_LIMIT_H_
