#include "tandem/core/device/backend.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

BackendRegistry& BackendRegistry::Global() {
  // Never destroyed: tensors in static storage may outlive main().
  static auto* registry = new BackendRegistry;
  return *registry;
}

absl::Status BackendRegistry::Register(std::unique_ptr<Backend> backend) {
  absl::MutexLock lock(&mutex_);
  for (const auto& known : backends_) {
    if (known->type() == backend->type()) {
      return absl::AlreadyExistsError(
          absl::StrCat("backend '", backend->type().name(), "' is registered already"));
    }
  }
  backends_.push_back(std::move(backend));
  return absl::OkStatus();
}

void BackendRegistry::RegisterLater(std::function<absl::Status()> registrar) {
  absl::MutexLock lock(&registrars_mutex_);
  registrars_.push_back(std::move(registrar));
}

absl::Status BackendRegistry::RunRegistrars() {
  absl::MutexLock lock(&registrars_mutex_);
  for (const auto& registrar : std::exchange(registrars_, {})) {
    registrars_status_.Update(registrar());
  }
  return registrars_status_;
}

absl::StatusOr<Backend*> BackendRegistry::Find(DeviceType type) {
  for (const auto& backend : backends_) {
    if (backend->type() == type) return backend.get();
  }
  const std::string known =
      backends_.empty() ? "none (a program links //backends:register_all, or "
                                    "registers backends itself)"
                        : absl::StrJoin(backends_, ", ", [](std::string* out, const auto& backend) {
                            absl::StrAppend(out, backend->type().name());
                          });
  return absl::NotFoundError(
      absl::StrCat("no backend for device type '", type.name(), "'; known: ", known));
}

absl::StatusOr<Device*> BackendRegistry::Open(DeviceId id) {
  TANDEM_RETURN_IF_ERROR(RunRegistrars());
  absl::MutexLock lock(&mutex_);
  const std::string name = id.ToString();
  if (auto it = devices_.find(name); it != devices_.end()) return it->second.get();
  TANDEM_ASSIGN_OR_RETURN(Backend * backend, Find(id.type));
  TANDEM_ASSIGN_OR_RETURN(const int count, backend->CountDevices());
  if (id.ordinal < 0 || id.ordinal >= count) {
    return absl::UnavailableError(absl::StrCat("no device ", name, ": backend '", id.type.name(),
                                               "' has ", count, " device(s), counted from 0"));
  }
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, backend->OpenDevice(id.ordinal));
  Device* result = device.get();
  devices_.emplace(name, std::move(device));
  return result;
}

absl::StatusOr<Device*> BackendRegistry::Open(absl::string_view id) {
  TANDEM_ASSIGN_OR_RETURN(const DeviceId parsed, DeviceId::Parse(id));
  return Open(parsed);
}

absl::Status BackendRegistry::SetOption(absl::string_view type, absl::string_view name,
                                        absl::string_view value) {
  TANDEM_RETURN_IF_ERROR(RunRegistrars());
  absl::MutexLock lock(&mutex_);
  TANDEM_ASSIGN_OR_RETURN(Backend * backend, Find(DeviceType::Intern(type)));
  return backend->SetOption(name, value);
}

std::vector<DeviceListing> BackendRegistry::ListDevices() {
  std::vector<DeviceListing> result;
  if (absl::Status status = RunRegistrars(); !status.ok()) {
    result.push_back({DeviceId{}, std::move(status)});
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& backend : backends_) {
    const absl::StatusOr<int> count = backend->CountDevices();
    if (!count.ok()) {
      result.push_back({DeviceId{backend->type(), 0}, count.status()});
      continue;
    }
    for (int i = 0; i < *count; ++i) {
      result.push_back({DeviceId{backend->type(), i}, absl::OkStatus()});
    }
  }
  return result;
}

}  // namespace tandem
