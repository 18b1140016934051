// A queue of a device: takes work in order, and marks progress on a timeline.
//
//   TANDEM_RETURN_IF_ERROR(stream.Copy(upload, on_device));
//   TANDEM_ASSIGN_OR_RETURN(TimelinePoint done, stream.Submit(*commands, bindings));
//   TANDEM_RETURN_IF_ERROR(other_stream.WaitFor(done));      // no host waits
//   TANDEM_RETURN_IF_ERROR(stream.Synchronize(done));        // this host thread waits
//
// Nothing waits implicitly. Work recorded on a stream directly is executed in order, as soon as the
// device can; a stream keeps the buffers and programs of its pending work alive.
// Thread rules: all methods from any thread; work of one thread keeps its order.
#ifndef TANDEM_CORE_DEVICE_STREAM_H_
#define TANDEM_CORE_DEVICE_STREAM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/command.h"

namespace tandem {

class Stream;

// A moment in a stream's order: reached when all work before it is done.
struct TimelinePoint {
  const Stream* stream = nullptr;  // null: a point that is always reached
  uint64_t value = 0;
};

class Stream : public RefCounted, public CommandRecorder {
 public:
  // Queues recorded work; bindings[i] (never a slot itself) stands for slot i. INVALID_ARGUMENT if
  // a slot is missing, or its view is smaller than what was recorded needs.
  virtual absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>& commands,
                                               absl::Span<const BufferView> bindings) = 0;
  // The point that is reached when everything queued so far is done.
  virtual TimelinePoint Now() = 0;
  // Later work of this stream starts after `point`, which may belong to another stream or device.
  virtual absl::Status WaitFor(const TimelinePoint& point) = 0;
  virtual bool Reached(const TimelinePoint& point) const = 0;
  // Blocks the calling thread until `point` of this stream is reached, and reports errors of the
  // work before it.
  virtual absl::Status Synchronize(const TimelinePoint& point) = 0;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_STREAM_H_
