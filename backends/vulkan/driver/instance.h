// A VkInstance, with the validation layer if it is asked for.
//
//   TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<Instance> instance,
//                           Instance::Get({.validation = Validation::kSync}));
//
// One for each set of options in a process, shared by all backends that want it, and ended with the
// last of them and of their devices and buffers.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_INSTANCE_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_INSTANCE_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/functions.h"

namespace tandem::vulkan_backend {

enum class Validation : uint8_t {
  kOff,
  kOn,    // VK_LAYER_KHRONOS_validation; messages go to ValidationLog
  kSync,  // and synchronization validation
};

struct InstanceOptions {
  Validation validation = Validation::kOff;
  std::string library = "libvulkan.so.1";  // the loader
  friend auto operator<=>(const InstanceOptions&, const InstanceOptions&) = default;
};

class Instance {
 public:
  // UNAVAILABLE with the reason: no loader, no driver, one that is older than Vulkan 1.2.
  // FAILED_PRECONDITION if validation is asked for and the layer is not installed.
  static absl::StatusOr<std::shared_ptr<Instance>> Get(const InstanceOptions& options);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  VkInstance handle() const { return instance_; }
  const InstanceFunctions& functions() const { return functions_; }
  const InstanceOptions& options() const { return options_; }

 private:
  explicit Instance(const InstanceOptions& options) : options_(options) {}
  static absl::StatusOr<std::shared_ptr<Instance>> Create(const InstanceOptions& options);

  const InstanceOptions options_;
  VkInstance instance_ = VK_NULL_HANDLE;
  InstanceFunctions functions_;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_INSTANCE_H_
