// An open device: memory, streams, command buffers.
//
// Devices are opened by the BackendRegistry (backend.h) and live until the process ends, so a
// `Device*` never dangles.
//
//   TANDEM_ASSIGN_OR_RETURN(Device* device, BackendRegistry::Global().Open(id));
//   TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> x, device->allocator().Allocate(bytes));
//   device->default_stream().Fill(BufferView::Of(*x), 0);
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_CORE_DEVICE_DEVICE_H_
#define TANDEM_CORE_DEVICE_DEVICE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/buffer.h"
#include "tandem/core/device/command.h"
#include "tandem/core/device/device_id.h"
#include "tandem/core/device/stream.h"

namespace tandem {

struct DeviceInfo {
  std::string name;          // for people: "AMD EPYC, AVX-512, 2 threads"
  int64_t memory_bytes = 0;  // 0: unknown
  int64_t alignment = 64;    // of sub-allocations, bytes
  // Facts for people and for `explain`: {"isa", "avx512"}, {"subgroup_size", "8"}.
  std::vector<std::pair<std::string, std::string>> properties;
};

class Device {
 public:
  virtual ~Device() = default;

  const DeviceId& id() const { return id_; }
  virtual const DeviceInfo& info() const = 0;
  virtual Allocator& allocator() = 0;
  // The stream that eager work and executables use unless they are given another one.
  virtual Stream& default_stream() = 0;
  // A stream for large copies that need not wait for the work of the default stream: where the
  // device copies while it computes, one of its own, which may refuse dispatches; else the default
  // stream.
  virtual Stream& transfer_stream() { return default_stream(); }
  virtual absl::StatusOr<Ref<Stream>> CreateStream() = 0;
  // An empty command buffer whose views may use the slots 0 … num_slots-1.
  virtual absl::StatusOr<Ref<CommandBuffer>> CreateCommandBuffer(int num_slots) = 0;

 protected:
  explicit Device(DeviceId id) : id_(id) {}

 private:
  DeviceId id_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_DEVICE_H_
