// Context: the ops are registered once, and tensors are made on a default device.
//
//   Tensor a = Ones({2, 3});          // on cpu:0
//   {
//     DeviceScope scope("cuda:1");
//     Tensor b = Ones({2, 3});        // on cuda:1
//   }
//
// Which devices there are depends on the backends that the program links (//backends:register_all
// registers all of this build).
// Thread rules: each thread has its own scopes; the rest may be called from any thread.
#ifndef TANDEM_FRONTENDS_CPP_CONTEXT_H_
#define TANDEM_FRONTENDS_CPP_CONTEXT_H_

#include "absl/strings/string_view.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// Registers the standard ops. Everything in the front end calls it when it needs to.
void Initialize();

// Opens a device: "cpu", "cpu:0". Throws NOT_FOUND or UNAVAILABLE with the reason.
Device& OpenDevice(absl::string_view id);

// Where tensors are made unless a device is named: that of the innermost DeviceScope of this
// thread, or "cpu:0".
Device& DefaultDevice();

class DeviceScope {
 public:
  explicit DeviceScope(Device& device);
  explicit DeviceScope(absl::string_view id) : DeviceScope(OpenDevice(id)) {}
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  Device* previous_;
};

// Waits until the work that was given to any device this front end opened is done.
void WaitAll();

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_CONTEXT_H_
