#include "tandem/serialization/native/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::Status ByteSource::Read(int64_t offset, void* out, int64_t size) const {
  if (offset < 0 || size < 0 || offset > size_ || size > size_ - offset) {
    return absl::DataLossError(absl::StrCat(name_, ": needs ", size, " bytes at ", offset,
                                            ", but ends after ", size_, "; it may be torn"));
  }
  return DoRead(offset, static_cast<char*>(out), size);
}

absl::StatusOr<std::string> ByteSource::ReadString(int64_t offset, int64_t size) const {
  // Before the allocation: the sizes may come from a damaged file.
  TANDEM_RETURN_IF_ERROR(Read(offset, nullptr, 0));
  if (size < 0 || size > size_ - offset) return Read(offset, nullptr, size);
  std::string bytes(static_cast<size_t>(size), '\0');
  TANDEM_RETURN_IF_ERROR(Read(offset, bytes.data(), size));
  return bytes;
}

absl::StatusOr<std::unique_ptr<FileSource>> FileSource::Open(absl::string_view path,
                                                             absl::string_view hint) {
  const std::string name(path);
  // Without O_NONBLOCK, opening a pipe waits for a writer.
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot open ", name, hint.empty() ? "" : "; ", hint));
  }
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return absl::InvalidArgumentError(absl::StrCat(name, " is not a regular file"));
  }
  return std::unique_ptr<FileSource>(new FileSource(name, info.st_size, descriptor));
}

FileSource::~FileSource() { ::close(descriptor_); }

absl::Status FileSource::DoRead(int64_t offset, char* out, int64_t size) const {
  while (size > 0) {
    const ssize_t count = ::pread(descriptor_, out, static_cast<size_t>(size), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", name()));
    if (count == 0) {
      return absl::DataLossError(absl::StrCat(name(), " was cut short while it was read"));
    }
    out += count;
    offset += count;
    size -= count;
  }
  return absl::OkStatus();
}

absl::Status MemorySource::DoRead(int64_t offset, char* out, int64_t size) const {
  if (size > 0) std::memcpy(out, bytes_.data() + offset, static_cast<size_t>(size));
  return absl::OkStatus();
}

}  // namespace tandem
