// Bytes between the host and a device's memory.
//
//   TANDEM_RETURN_IF_ERROR(Upload(bytes, BufferView::Of(*buffer, 0, n), device));
//   TANDEM_RETURN_IF_ERROR(Download(BufferView::Of(*buffer, 512, n), out, device));
//
// Where the host sees the buffer, the bytes are copied there at once. Otherwise they go through at
// most two staging buffers in turn, so that a copy of any size needs little memory, and the host
// copies one piece while the device copies the other.
//
// Large uploads run on the device's transfer stream, beside what its default stream computes; that
// waits for them. Small ones are not worth a submission of their own. Downloads keep the order of
// the default stream, whose later work may write what they read.
//
// Thread rules: any thread.
#ifndef TANDEM_CORE_TENSOR_TRANSFER_H_
#define TANDEM_CORE_TENSOR_TRANSFER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tandem/core/device/device.h"

namespace tandem {

// Of one staging buffer, bytes.
inline constexpr int64_t kStagingBytes = int64_t{16} << 20;
// From so many bytes on an upload takes the transfer stream: a bus takes longer for them than the
// host for a submission.
inline constexpr int64_t kTransferStreamBytes = int64_t{128} << 10;

// Copies `bytes` to `to`, which has their size and which no work of any stream uses yet. Later work
// of the default stream sees them. `bytes` may go when it returns; it waits only for the pieces of
// its own copy that need a staging buffer again.
absl::Status Upload(absl::Span<const std::byte> bytes, const BufferView& to, Device& device);

// Copies `from` to `out`, which has its size, after the work that was queued on the default stream
// before; waits for it.
absl::Status Download(const BufferView& from, absl::Span<std::byte> out, Device& device);

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_TRANSFER_H_
