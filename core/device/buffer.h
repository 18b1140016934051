// Memory of a device, opaque to everybody but its backend.
//
// There is no data pointer here: the bytes may be a CUDA allocation, a range of a VkBuffer, or host
// memory. Who wants the bytes on the host maps a host-visible buffer, or copies (see stream.h).
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> b, device.allocator().Allocate(4096));
//   BufferView half = BufferView::Of(*b, 0, 2048);
//
// Thread rules: a Buffer's properties are constant. Who may touch its bytes when is decided by the
// streams that use it.
#ifndef TANDEM_CORE_DEVICE_BUFFER_H_
#define TANDEM_CORE_DEVICE_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/device_id.h"

namespace tandem {

enum class MemoryKind : uint8_t {
  kDevice,    // fast for the device; perhaps not host-visible
  kUpload,    // host writes, device reads
  kReadback,  // device writes, host reads
  kUnified,   // fast for both (a CPU's memory)
};

class Buffer : public RefCounted {
 public:
  int64_t size() const { return size_; }  // bytes
  MemoryKind kind() const { return kind_; }
  const DeviceId& device() const { return device_; }

  // True if Map works and the host both reads and writes at the speed of its own memory: tensors are
  // then read in place. (A device's memory that the host could only read slowly is not.)
  virtual bool host_visible() const = 0;
  // The host address of the buffer's first byte, valid until Unmap or the end of the buffer.
  // FAILED_PRECONDITION if the buffer is not host-visible. The caller makes sure that no stream
  // still works on the bytes. Writes become visible to the device at Unmap.
  virtual absl::StatusOr<std::byte*> Map() = 0;
  virtual absl::Status Unmap() { return absl::OkStatus(); }

 protected:
  Buffer(DeviceId device, MemoryKind kind, int64_t size)
      : device_(device), kind_(kind), size_(size) {}

 private:
  DeviceId device_;
  MemoryKind kind_;
  int64_t size_;
};

// A range of a buffer, or of whatever is bound to slot `slot` when a command buffer is submitted.
struct BufferView {
  Buffer* buffer = nullptr;  // not owned; null when `slot` is used
  int32_t slot = -1;
  int64_t offset = 0;  // bytes
  int64_t size = 0;    // bytes

  static BufferView Of(Buffer& buffer, int64_t offset, int64_t size) {
    return {&buffer, -1, offset, size};
  }
  static BufferView Of(Buffer& buffer) { return {&buffer, -1, 0, buffer.size()}; }
  static BufferView Slot(int32_t slot, int64_t offset, int64_t size) {
    return {nullptr, slot, offset, size};
  }
  bool is_slot() const { return slot >= 0; }
};

struct AllocatorStats {
  int64_t bytes_in_use = 0;    // held by live buffers
  int64_t peak_bytes = 0;      // the largest bytes_in_use since the last ResetPeak
  int64_t bytes_reserved = 0;  // taken from the system, also what is cached for reuse
  int64_t allocations = 0;     // calls of Allocate so far
};

// Hands out buffers of one device. Thread rules: all methods from any thread.
class Allocator {
 public:
  virtual ~Allocator() = default;
  // A buffer of at least `bytes` (>= 0) bytes, aligned as the device needs it; contents undefined.
  // RESOURCE_EXHAUSTED if there is no room, INVALID_ARGUMENT for a kind the device does not have.
  virtual absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes,
                                               MemoryKind kind = MemoryKind::kDevice) = 0;
  // Wraps host memory without copying; `release` runs when the buffer ends. UNIMPLEMENTED where
  // the device cannot use host memory.
  virtual absl::StatusOr<Ref<Buffer>> ImportHost(void* data, int64_t bytes,
                                                 std::function<void()> release) {
    return absl::UnimplementedError("this device cannot use host memory directly");
  }
  virtual AllocatorStats stats() const = 0;
  virtual void ResetPeak() = 0;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_BUFFER_H_
