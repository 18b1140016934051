// The CPU's streams and command buffers: a dispatch is a call.
//
// A stream runs what it is given before it returns, in the calling thread, with the pool's help. So
// its work is always done, and every point of its timeline is reached. A command buffer is a flat
// array of calls whose addresses are base + offset; Submit fills in the bases and calls. For up to
// 64 slots Submit neither allocates nor looks anything up.
//
// Thread rules: any number of threads may use a stream, and submit one command buffer (with
// different buffers behind the slots that are written), at once.
#ifndef TANDEM_BACKENDS_CPU_STREAM_H_
#define TANDEM_BACKENDS_CPU_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/cpu/program.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/stream.h"

namespace tandem::cpu_backend {

class CpuCommandBuffer final : public CommandBuffer {
 public:
  explicit CpuCommandBuffer(int num_slots) : required_(num_slots, -1) {}

  int num_slots() const override { return static_cast<int>(required_.size()); }
  absl::Status Record(const Dispatch& dispatch) override;
  absl::Status Copy(const BufferView& from, const BufferView& to) override;
  absl::Status Fill(const BufferView& to, uint32_t pattern) override;
  absl::Status Finish() override;

  // Runs the calls. FAILED_PRECONDITION before Finish; INVALID_ARGUMENT as Stream::Submit.
  absl::Status Run(absl::Span<const BufferView> bindings, CpuThreadPool& pool) const;

 private:
  // An address: offset bytes behind base `base`. Base 0 is address 0, so that a view of a buffer
  // that is known already costs no special case; base i + 1 is slot i.
  struct Address {
    int64_t base;
    int64_t offset;
  };
  struct Call {
    const CpuProgram* program;
    int32_t first_address;  // in addresses_
    int32_t num_addresses;
    int64_t constants;  // in constants_
  };

  absl::Status Append(const CpuProgram& program, absl::Span<const BufferView> views,
                      absl::Span<const std::byte> constants);

  std::vector<Call> calls_;
  std::vector<Address> addresses_;
  std::vector<std::max_align_t> constants_;
  // For each slot the bytes that the calls need behind it; -1 if no call uses it.
  std::vector<int64_t> required_;
  std::vector<Ref<const Program>> programs_;
  std::vector<Ref<Buffer>> buffers_;
  bool finished_ = false;
};

class CpuStream final : public Stream {
 public:
  explicit CpuStream(CpuThreadPool& pool) : pool_(pool) {}

  absl::Status Record(const Dispatch& dispatch) override;
  absl::Status Copy(const BufferView& from, const BufferView& to) override;
  absl::Status Fill(const BufferView& to, uint32_t pattern) override;
  absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>& commands,
                                       absl::Span<const BufferView> bindings) override;
  TimelinePoint Now() override { return {this, 0}; }
  // A point of another device's stream is waited for by the calling thread: the work that comes
  // after runs in it, too.
  absl::Status WaitFor(const TimelinePoint& point) override;
  bool Reached(const TimelinePoint& point) const override;
  absl::Status Synchronize(const TimelinePoint& point) override;

 private:
  CpuThreadPool& pool_;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_STREAM_H_
