// Work for a device, as data: dispatches, copies and fills, each with what it reads and writes.
//
// A kernel records; it never runs anything itself. The recorder decides: a Stream executes in
// order, a CommandBuffer keeps the work and can be submitted many times with other buffers behind
// its slots (a CUDA graph, a Vulkan command buffer, on the CPU a flat array of bound calls).
//
//   recorder.Dispatch({.program = relu, .bindings = {x, y}, .reads = 0b01, .writes = 0b10,
//                      .constants = BytesOf(params), .grid = {n / 256, 1, 1}});
//
// Thread rules: a recorder is used by one thread at a time.
#ifndef TANDEM_CORE_DEVICE_COMMAND_H_
#define TANDEM_CORE_DEVICE_COMMAND_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/buffer.h"

namespace tandem {

// Something a device can execute: a compiled shader, a CUDA function, a host function. Made by a
// backend, opaque to everybody else. Immutable.
class Program : public RefCounted {
 public:
  virtual const char* name() const = 0;
};

// One execution of a program.
struct Dispatch {
  // Kept alive by the recorder until the work is done.
  const Program* program = nullptr;
  // At most 64 of them: one bit each in the masks.
  absl::Span<const BufferView> bindings;
  uint64_t reads = 0;   // bit i: binding i is read
  uint64_t writes = 0;  // bit i: binding i is written
  // Small immediate arguments, copied by the recorder. Vulkan guarantees 128 bytes of push
  // constants; a kernel for every device keeps within them.
  absl::Span<const std::byte> constants;
  // Work groups; a host function is free to ignore it.
  std::array<uint32_t, 3> grid = {1, 1, 1};
};

template <typename T>
absl::Span<const std::byte> BytesOf(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const std::byte*>(&value), sizeof(T)};
}

class CommandRecorder {
 public:
  virtual ~CommandRecorder() = default;
  virtual absl::Status Record(const Dispatch& dispatch) = 0;
  // Copies `from.size` bytes; the sizes must be equal, the ranges must not overlap.
  virtual absl::Status Copy(const BufferView& from, const BufferView& to) = 0;
  // Fills with a repeated 32-bit pattern; offset and size are multiples of four.
  virtual absl::Status Fill(const BufferView& to, uint32_t pattern) = 0;
};

// Recorded work. Record, then Finish, then Stream::Submit any number of times, also at once from
// several threads (with different buffers behind the slots that are written).
class CommandBuffer : public RefCounted, public CommandRecorder {
 public:
  // Binding slots that Submit must fill.
  virtual int num_slots() const = 0;
  virtual absl::Status Finish() = 0;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_COMMAND_H_
