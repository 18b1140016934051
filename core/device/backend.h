// Backends, and the registry that opens their devices.
//
// A backend says which devices there are and opens them. It is registered explicitly:
//
//   TANDEM_RETURN_IF_ERROR(cpu::Register(BackendRegistry::Global(), KernelRegistry::Global()));
//   TANDEM_ASSIGN_OR_RETURN(Device* device, BackendRegistry::Global().Open("cpu:0"));
//
// Options that only some devices have (such as the number of threads) are passed through by name,
// so the interface stays free of them: registry.SetOption("cpu", "threads", "2").
//
// Thread rules: all methods from any thread. Devices stay open until the process ends.
#ifndef TANDEM_CORE_DEVICE_BACKEND_H_
#define TANDEM_CORE_DEVICE_BACKEND_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tandem/core/device/device.h"
#include "tandem/core/device/device_id.h"

namespace tandem {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceType type() const = 0;
  // How many devices there are now; UNAVAILABLE with the reason if the backend cannot work here
  // (no driver, no loader, no device).
  virtual absl::StatusOr<int> CountDevices() = 0;
  // Called at most once for an ordinal that succeeded.
  virtual absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int ordinal) = 0;
  // Sets an option; it may have to come before the first Open. INVALID_ARGUMENT names the options
  // that there are.
  virtual absl::Status SetOption(absl::string_view name, absl::string_view value) = 0;
};

// What `ListDevices` reports: an id that can be opened, or a backend with the reason why it has
// nothing to offer.
struct DeviceListing {
  DeviceId id;
  absl::Status status;
};

class BackendRegistry {
 public:
  // The registry of the process. Tests may make their own.
  static BackendRegistry& Global();

  // ALREADY_EXISTS if the type is registered.
  absl::Status Register(std::unique_ptr<Backend> backend);
  // `registrar` runs once, when a device is first looked for; an error of it is what every later
  // look-up reports. For libraries that register themselves by being linked (//backends:register_all),
  // so that nothing happens before main(). A registrar must not open devices.
  void RegisterLater(std::function<absl::Status()> registrar);
  // NOT_FOUND for an unknown type (the text lists the known ones), UNAVAILABLE if the backend has
  // no such device.
  absl::StatusOr<Device*> Open(DeviceId id);
  absl::StatusOr<Device*> Open(absl::string_view id);  // "cpu:0"
  absl::Status SetOption(absl::string_view type, absl::string_view name, absl::string_view value);
  std::vector<DeviceListing> ListDevices();

 private:
  absl::StatusOr<Backend*> Find(DeviceType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunRegistrars() ABSL_LOCKS_EXCLUDED(mutex_);

  // Held while registrars run; before `mutex_`.
  absl::Mutex registrars_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::vector<std::function<absl::Status()>> registrars_ ABSL_GUARDED_BY(registrars_mutex_);
  absl::Status registrars_status_ ABSL_GUARDED_BY(registrars_mutex_);
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Backend>> backends_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::unique_ptr<Device>> devices_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_BACKEND_H_
