#include "tandem/frontends/cpp/context.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {
namespace {

thread_local Device* scoped_device = nullptr;

LightMutex& OpenedMutex() {
  static auto* mutex = new LightMutex;
  return *mutex;
}

std::vector<Device*>& Opened() {
  static auto* devices = new std::vector<Device*>;
  return *devices;
}

}  // namespace

void Initialize() {
  // A static initializer runs once, also for several threads, and again if it threw.
  static const bool done = [] {
    Check(RegisterStandardOps(&OpRegistry::Global()));
    return true;
  }();
  static_cast<void>(done);
}

Device& OpenDevice(absl::string_view id) {
  Initialize();
  Device* const device = Value(BackendRegistry::Global().Open(id));
  LightMutexLock lock(&OpenedMutex());
  std::vector<Device*>& opened = Opened();
  if (std::find(opened.begin(), opened.end(), device) == opened.end()) opened.push_back(device);
  return *device;
}

Device& DefaultDevice() {
  if (scoped_device != nullptr) return *scoped_device;
  static Device& device = OpenDevice("cpu:0");
  return device;
}

DeviceScope::DeviceScope(Device& device) : previous_(std::exchange(scoped_device, &device)) {}
DeviceScope::~DeviceScope() { scoped_device = previous_; }

void WaitAll() {
  absl::InlinedVector<Device*, 8> devices;
  {
    LightMutexLock lock(&OpenedMutex());
    devices.assign(Opened().begin(), Opened().end());
  }
  for (Device* device : devices) {
    Stream& stream = device->default_stream();
    Check(stream.Synchronize(stream.Now()));
  }
}

}  // namespace tandem
