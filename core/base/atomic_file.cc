#include "tandem/core/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The file that a link leads to, so that the link itself stays; the path itself where there is
// none.
std::string FollowLinks(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real == nullptr ? path : std::string(real.get());
}

absl::Status SyncFolder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", folder));
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some file systems cannot flush a folder, and say so; there is nothing more to do on them.
  if (result != 0 && error != EINVAL && error != ENOTSUP) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot flush the folder ", folder));
  }
  return absl::OkStatus();
}

}  // namespace

const FileCalls& SystemFileCalls() {
  static constexpr FileCalls kCalls = {::write, ::fsync, ::close};
  return kCalls;
}

absl::StatusOr<AtomicFile> AtomicFile::Create(absl::string_view path, const FileCalls& calls) {
  static std::atomic<uint64_t> counter{0};
  const std::string target = FollowLinks(std::string(path));
  struct stat info = {};
  const bool replaces = ::stat(target.c_str(), &info) == 0;
  if (replaces && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", target, ": it is there and is not a regular file"));
  }
  // Names of other processes and threads differ; one that a crash left behind is passed over.
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    std::string temporary = absl::StrCat(target, ".tmp.", ::getpid(), ".", counter.fetch_add(1));
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == EEXIST) continue;
    if (descriptor < 0) {
      const int error = errno;
      return absl::ErrnoToStatus(error,
                                 absl::StrCat("cannot write ", target,
                                              error == ENOENT ? "; create its folder first" : ""));
    }
    AtomicFile file(target, std::move(temporary), descriptor, calls);
    if (replaces && ::fchmod(descriptor, info.st_mode & 07777) != 0) {
      return file.Error(errno, "set the permissions of");
    }
    return file;
  }
  return absl::UnavailableError(absl::StrCat(
      "cannot write ", target, ": too many temporary files beside it; remove ", target, ".tmp.*"));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) calls_->close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

absl::Status AtomicFile::Error(int error, absl::string_view what) const {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", what, " ", path_));
}

absl::Status AtomicFile::Write(absl::string_view bytes) {
  if (descriptor_ < 0) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " was committed already"));
  }
  while (!bytes.empty()) {
    const ssize_t count = calls_->write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error(errno, "write");
    if (count == 0) return Error(EIO, "write");  // or it would be tried for ever
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (descriptor_ < 0) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " was committed already"));
  }
  if (calls_->fsync(descriptor_) != 0) {
    const absl::Status status = Error(errno, "flush");
    calls_->close(std::exchange(descriptor_, -1));
    return status;
  }
  // Some file systems tell of a full disk only here.
  if (calls_->close(std::exchange(descriptor_, -1)) != 0) return Error(errno, "close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return Error(errno, "replace");
  temporary_.clear();
  return SyncFolder(FolderOf(path_));
}

absl::Status WriteFileAtomically(absl::string_view path, absl::string_view bytes) {
  TANDEM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TANDEM_RETURN_IF_ERROR(file.Write(bytes));
  return file.Commit();
}

absl::Status WriteCacheFile(absl::string_view path, absl::string_view bytes) {
  const std::string folder = FolderOf(std::string(path));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make the folder ", folder));
  }
  return WriteFileAtomically(path, bytes);
}

}  // namespace tandem
