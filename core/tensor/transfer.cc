#include "tandem/core/tensor/transfer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

// A copy of many bytes as pieces that fit into two staging buffers in turn.
class Pieces {
 public:
  static absl::StatusOr<Pieces> Create(int64_t bytes, MemoryKind kind, Device& device) {
    Pieces pieces(bytes);
    const int64_t used = std::min<int64_t>(pieces.count(), pieces.staging_.size());
    for (int64_t i = 0; i < used; ++i) {
      TANDEM_ASSIGN_OR_RETURN(pieces.staging_[i],
                              device.allocator().Allocate(pieces.size(i), kind));
    }
    return pieces;
  }

  int64_t count() const { return DivideRoundUp(bytes_, kStagingBytes); }
  int64_t offset(int64_t i) const { return i * kStagingBytes; }
  int64_t size(int64_t i) const { return std::min(kStagingBytes, bytes_ - offset(i)); }
  Buffer& staging(int64_t i) const { return *staging_[i % staging_.size()]; }

  BufferView StagingView(int64_t i) const { return BufferView::Of(staging(i), 0, size(i)); }
  BufferView PartOf(const BufferView& whole, int64_t i) const {
    return BufferView::Of(*whole.buffer, whole.offset + offset(i), size(i));
  }

  // When the work on piece i's staging buffer is done.
  TimelinePoint& done(int64_t i) { return done_[i % done_.size()]; }

 private:
  explicit Pieces(int64_t bytes) : bytes_(bytes) {}

  int64_t bytes_;
  std::array<Ref<Buffer>, 2> staging_;
  std::array<TimelinePoint, 2> done_;
};

}  // namespace

absl::Status Upload(absl::Span<const std::byte> bytes, const BufferView& to, Device& device) {
  if (bytes.empty()) return absl::OkStatus();
  if (to.buffer->host_visible()) {
    TANDEM_ASSIGN_OR_RETURN(std::byte* const host, to.buffer->Map());
    std::memcpy(host + to.offset, bytes.data(), bytes.size());
    return to.buffer->Unmap();
  }
  Stream& later = device.default_stream();
  Stream& stream = to.size < kTransferStreamBytes ? later : device.transfer_stream();
  TANDEM_ASSIGN_OR_RETURN(Pieces pieces, Pieces::Create(bytes.size(), MemoryKind::kUpload, device));
  for (int64_t i = 0; i < pieces.count(); ++i) {
    if (i >= 2) TANDEM_RETURN_IF_ERROR(stream.Synchronize(pieces.done(i)));
    TANDEM_ASSIGN_OR_RETURN(std::byte* const host, pieces.staging(i).Map());
    std::memcpy(host, bytes.data() + pieces.offset(i), pieces.size(i));
    TANDEM_RETURN_IF_ERROR(pieces.staging(i).Unmap());
    TANDEM_RETURN_IF_ERROR(stream.Copy(pieces.StagingView(i), pieces.PartOf(to, i)));
    // Only who waits asks for a point: it may make the stream hand over what it has gathered.
    if (i + 2 < pieces.count()) pieces.done(i) = stream.Now();
  }
  if (&stream == &later) return absl::OkStatus();
  return later.WaitFor(stream.Now());
}

absl::Status Download(const BufferView& from, absl::Span<std::byte> out, Device& device) {
  if (out.empty()) return absl::OkStatus();
  Stream& stream = device.default_stream();
  if (from.buffer->host_visible()) {
    TANDEM_RETURN_IF_ERROR(stream.Synchronize(stream.Now()));
    TANDEM_ASSIGN_OR_RETURN(std::byte* const host, from.buffer->Map());
    std::memcpy(out.data(), host + from.offset, out.size());
    return from.buffer->Unmap();
  }
  TANDEM_ASSIGN_OR_RETURN(Pieces pieces, Pieces::Create(out.size(), MemoryKind::kReadback, device));
  const auto start = [&](int64_t i) -> absl::Status {
    if (i >= pieces.count()) return absl::OkStatus();
    TANDEM_RETURN_IF_ERROR(stream.Copy(pieces.PartOf(from, i), pieces.StagingView(i)));
    pieces.done(i) = stream.Now();
    return absl::OkStatus();
  };
  TANDEM_RETURN_IF_ERROR(start(0));
  for (int64_t i = 0; i < pieces.count(); ++i) {
    TANDEM_RETURN_IF_ERROR(start(i + 1));
    TANDEM_RETURN_IF_ERROR(stream.Synchronize(pieces.done(i)));
    TANDEM_ASSIGN_OR_RETURN(const std::byte* const host, pieces.staging(i).Map());
    std::memcpy(out.data() + pieces.offset(i), host, pieces.size(i));
    TANDEM_RETURN_IF_ERROR(pieces.staging(i).Unmap());
  }
  return absl::OkStatus();
}

}  // namespace tandem
