#include "tandem/backends/cpu/cpu_buffer.h"

namespace tandem::cpu_backend {

DeviceType CpuDeviceType() {
  static const DeviceType type = DeviceType::Intern("cpu");
  return type;
}

}  // namespace tandem::cpu_backend
