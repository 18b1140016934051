// Replaces a file at once or not at all: whoever reads it, and whatever fails, sees the old bytes
// or the new ones.
//
//   TANDEM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create("mlp-0000.params"));
//   TANDEM_RETURN_IF_ERROR(file.Write(header));
//   TANDEM_RETURN_IF_ERROR(file.Write(data));
//   TANDEM_RETURN_IF_ERROR(file.Commit());
//
// The bytes go to a temporary file in the same folder; Commit flushes it to the disk, renames it,
// and flushes the folder, in this order, so that a crash at any point leaves one of the two (see
// "All File Systems Are Not Created Equal", Pillai et al., OSDI 2014). Without Commit the temporary
// file is removed. A new file has the permissions that any new file would have (0666 and the
// umask), a replaced one keeps its own. A symbolic link is followed: its target is replaced.
//
// Thread rules: one thread at a time for an object. Writers of the same path do not disturb each
// other: the last Commit wins.
#ifndef TANDEM_CORE_BASE_ATOMIC_FILE_H_
#define TANDEM_CORE_BASE_ATOMIC_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tandem {

// The calls of the system that may fail late: a test puts others in their place.
struct FileCalls {
  ssize_t (*write)(int descriptor, const void* bytes, size_t count);
  int (*fsync)(int descriptor);
  int (*close)(int descriptor);
};

const FileCalls& SystemFileCalls();

class AtomicFile {
 public:
  // NOT_FOUND if the folder does not exist; PERMISSION_DENIED and others as the system says, with
  // the path: a full disk is RESOURCE_EXHAUSTED, here and below. `calls` lives as long as the file.
  static absl::StatusOr<AtomicFile> Create(absl::string_view path,
                                           const FileCalls& calls = SystemFileCalls());
  AtomicFile(AtomicFile&& other) noexcept
      : calls_(other.calls_),
        path_(std::move(other.path_)),
        temporary_(std::move(other.temporary_)),
        descriptor_(std::exchange(other.descriptor_, -1)) {}
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  // Appends.
  absl::Status Write(absl::string_view bytes);
  // Nothing can be written afterwards, whether it succeeds or not.
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor, const FileCalls& calls)
      : calls_(&calls),
        path_(std::move(path)),
        temporary_(std::move(temporary)),
        descriptor_(descriptor) {}
  absl::Status Error(int error, absl::string_view what) const;

  const FileCalls* calls_;
  std::string path_;
  std::string temporary_;
  int descriptor_;
};

// All of it: Create, Write, Commit.
absl::Status WriteFileAtomically(absl::string_view path, absl::string_view bytes);

// The same for a file that nobody but Tandem reads: makes its folder, and those above it.
absl::Status WriteCacheFile(absl::string_view path, absl::string_view bytes);

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_ATOMIC_FILE_H_
