// Host memory for tensors: aligned, and kept for reuse.
//
// An eager op allocates its output, and a training step frees as much as it allocates, so freed
// blocks are kept by size class and handed out again: some tens of nanoseconds, and no page faults,
// which for large tensors cost more than the op. A class is at most a quarter larger than what was
// asked for.
//
//   CpuAllocator allocator(device_id, CpuAllocator::Options());
//   TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> b, allocator.Allocate(4096));
//
// A block is one piece of memory: its header, the Buffer object, the bytes. So a buffer costs one
// allocation, and an allocator's death waits for nobody: what its last buffers need lives on.
//
// Thread rules: all methods from any thread; so may buffers end.
#ifndef TANDEM_BACKENDS_CPU_ALLOCATOR_H_
#define TANDEM_BACKENDS_CPU_ALLOCATOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "tandem/core/device/buffer.h"
#include "tandem/core/device/device_id.h"

namespace tandem::cpu_backend {

class CpuAllocator final : public Allocator {
 public:
  // Bytes; alignment of every buffer, and the granularity of the statistics.
  static constexpr int64_t kAlignment = 64;

  struct Options {
    // What may be taken from the system. 0: the machine's memory.
    int64_t reserved_bytes = 0;
    // What may be kept for reuse; all of it is given back when a free would go beyond.
    int64_t cached_bytes = int64_t{1} << 30;
    // While true, new buffers are filled with bytes 0xFF, which are NaN in all floating-point
    // types: for tests. Null: never.
    std::shared_ptr<const std::atomic<bool>> poison;
  };

  CpuAllocator(DeviceId device, const Options& options);
  ~CpuAllocator() override;

  // All kinds are the same host memory. RESOURCE_EXHAUSTED says how much was asked for and how much
  // is taken.
  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes, MemoryKind kind) override;
  // `data` must be aligned to 8 bytes, or there must be none.
  absl::StatusOr<Ref<Buffer>> ImportHost(void* data, int64_t bytes,
                                         std::function<void()> release) override;
  AllocatorStats stats() const override;
  void ResetPeak() override;

  // Gives what is cached back to the system.
  void Trim();

  // What buffers refer to; implementation.
  class Pool;

 private:
  Pool* pool_;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_ALLOCATOR_H_
