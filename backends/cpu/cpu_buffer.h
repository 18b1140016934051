// A buffer of the CPU: host memory with an address.
//
//   std::byte* bytes = static_cast<CpuBuffer*>(view.buffer)->data() + view.offset;
//
// Thread rules: as Buffer.
#ifndef TANDEM_BACKENDS_CPU_CPU_BUFFER_H_
#define TANDEM_BACKENDS_CPU_CPU_BUFFER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "tandem/core/device/buffer.h"
#include "tandem/core/device/device_id.h"

namespace tandem::cpu_backend {

// "cpu".
DeviceType CpuDeviceType();

class CpuBuffer : public Buffer {
 public:
  // Never null, also for a buffer of no bytes.
  std::byte* data() const { return data_; }
  bool host_visible() const final { return true; }
  absl::StatusOr<std::byte*> Map() final { return data_; }

 protected:
  CpuBuffer(DeviceId device, std::byte* data, int64_t size)
      : Buffer(device, MemoryKind::kUnified, size), data_(data) {}

 private:
  std::byte* const data_;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_CPU_BUFFER_H_
