// Bytes to read from: a file, or memory. Sizes are known first, so that a reader can check what a
// file says of itself before it allocates.
//
//   TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<FileSource> file, FileSource::Open("mlp-0000.params"));
//   std::string header(8, '\0');
//   TANDEM_RETURN_IF_ERROR(file->Read(0, header.data(), 8));
//
// Files are read, not mapped: a file that another process cuts short while it is read gives a
// Status, where a mapping gives SIGBUS.
//
// Thread rules: Read from any thread.
#ifndef TANDEM_SERIALIZATION_NATIVE_BYTE_SOURCE_H_
#define TANDEM_SERIALIZATION_NATIVE_BYTE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tandem {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // For error messages: the path.
  const std::string& name() const { return name_; }
  int64_t size() const { return size_; }

  // Copies `size` bytes from `offset`. DATA_LOSS if they are not all there.
  absl::Status Read(int64_t offset, void* out, int64_t size) const;
  // The range as a string. Checked before it is allocated.
  absl::StatusOr<std::string> ReadString(int64_t offset, int64_t size) const;

 protected:
  ByteSource(std::string name, int64_t size) : name_(std::move(name)), size_(size) {}

 private:
  virtual absl::Status DoRead(int64_t offset, char* out, int64_t size) const = 0;

  std::string name_;
  int64_t size_;
};

class FileSource : public ByteSource {
 public:
  // NOT_FOUND, with `hint` after the path, if there is none; INVALID_ARGUMENT for what is not a
  // regular file (a folder, a pipe: reading one might never end).
  static absl::StatusOr<std::unique_ptr<FileSource>> Open(absl::string_view path,
                                                          absl::string_view hint = "");
  ~FileSource() override;

 private:
  FileSource(std::string path, int64_t size, int descriptor)
      : ByteSource(std::move(path), size), descriptor_(descriptor) {}
  absl::Status DoRead(int64_t offset, char* out, int64_t size) const override;

  int descriptor_;
};

// Bytes of the caller, which must outlive it.
class MemorySource : public ByteSource {
 public:
  MemorySource(std::string name, absl::string_view bytes)
      : ByteSource(std::move(name), static_cast<int64_t>(bytes.size())), bytes_(bytes) {}

 private:
  absl::Status DoRead(int64_t offset, char* out, int64_t size) const override;

  absl::string_view bytes_;
};

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_BYTE_SOURCE_H_
