// What one Vulkan device can do, as far as kernels care.
//
//   if (device.capabilities().float64) …
//
// Each optional feature can be switched off by the backend's option "disable" (a comma-separated
// list of the names below), so that every variant of a kernel is tested on one driver.
//
// Thread rules: plain data, constant once the device is open.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_CAPABILITIES_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_CAPABILITIES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

// Storage buffers that a shader must be able to bind: what single ops need, rounded up. (Vulkan asks
// for 4 only, drivers offer from 16 up.)
inline constexpr uint32_t kRequiredStorageBuffers = 8;

struct Capabilities {
  // Optional features; the option's name is the field's.
  bool float64 = false;             // shaderFloat64
  bool int64 = false;               // shaderInt64
  bool storage8 = false;            // storageBuffer8BitAccess and shaderInt8
  bool storage16 = false;           // storageBuffer16BitAccess and shaderInt16
  bool float16 = false;             // shaderFloat16: arithmetic
  bool subgroups = false;           // basic, vote, arithmetic, shuffle in compute shaders
  bool cooperative_matrix = false;  // VK_NV_cooperative_matrix, f16 in and f32 out, 16x16x16
  bool push_descriptors = false;    // VK_KHR_push_descriptor
  bool unified_memory = false;      // host and device share their memory, so the host sees all
  bool many_buffers = false;  // more than kRequiredStorageBuffers in a shader: for long fusions

  // Limits.
  uint32_t subgroup_size = 1;
  uint32_t max_workgroup_invocations = 128;
  uint32_t shared_memory_bytes = 16384;
  uint32_t max_push_descriptors = 0;
  uint32_t max_storage_buffers = kRequiredStorageBuffers;  // of one shader
  int64_t max_storage_range = 1 << 27;                     // bytes of one binding
  uint32_t storage_alignment = 256;                        // bytes, of a binding's offset
  bool is_cpu = false;  // a software driver: prefer few, long work groups
  // What shaders may ask for of f32, and of f64 where there is f64: NaN, infinities and the sign of
  // zero kept (shaderSignedZeroInfNanPreserve), subnormal numbers kept (shaderDenormPreserve).
  bool keeps_nan = false;
  bool keeps_denormals = false;

  // Whether kernels may compute with this dtype (f16 and bf16 compute as f32, small integers as
  // i32; how they are stored is the storage's business, which always works).
  bool Computes(DType dtype) const {
    switch (dtype) {
      case DType::kF64:
        return float64;
      case DType::kI64:
        return int64;
      default:
        return true;
    }
  }
};

// Of the optional features that there are: "float64", "int64", ...
std::vector<absl::string_view> FeatureNames(const Capabilities& capabilities);

// Switches off the features in the list, "subgroups,storage8"; empty: none. INVALID_ARGUMENT for a
// name that there is not; the text has those that there are. Switching off what a device lacks is
// no error.
absl::Status DisableFeatures(absl::string_view names, Capabilities* capabilities);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_CAPABILITIES_H_
