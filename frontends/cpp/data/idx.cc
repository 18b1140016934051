#include "tandem/frontends/cpp/data/idx.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "zlib.h"

namespace tandem::data {
namespace {

// zlib counts in int.
constexpr int64_t kChunk = 1 << 30;
constexpr int64_t kFreeBytes = 60 << 20;

struct GzCloser {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzHandle = std::unique_ptr<std::remove_pointer_t<gzFile>, GzCloser>;

// zlib reads plain files, too, and checks the length and CRC of gzipped ones.
class Reader {
 public:
  static absl::StatusOr<Reader> Open(const std::string& path) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      const std::string reason = std::strerror(errno);
      return absl::NotFoundError(absl::StrCat("cannot open IDX file '", path, "': ", reason));
    }
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a file"));
    }
    Reader reader(path, info.st_size);
    reader.file_.reset(gzopen(path.c_str(), "rb"));
    if (!reader.file_) {
      return absl::NotFoundError(
          absl::StrCat("cannot open IDX file '", path, "': ", std::strerror(errno)));
    }
    return reader;
  }

  int64_t file_size() const { return file_size_; }

  // As many bytes as there are, up to `size`.
  absl::StatusOr<int64_t> Read(void* out, int64_t size) {
    const int count = gzread(file_.get(), out, static_cast<unsigned>(size));
    int code = Z_OK;
    // A file cut off inside its last block, or its checksum, is a short read and a note in gzerror.
    const char* text = count < size ? gzerror(file_.get(), &code) : "";
    if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      return Error(absl::StrCat("its compressed data is damaged or cut off (", text, ")"));
    }
    return count;
  }

  absl::Status ReadExactly(void* out, int64_t size, absl::string_view what) {
    TANDEM_ASSIGN_OR_RETURN(const int64_t count, Read(out, size));
    if (count != size) return Error(absl::StrCat("it ends inside its ", what));
    return absl::OkStatus();
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("IDX file '", path_, "': ", what));
  }

 private:
  Reader(std::string path, int64_t size) : path_(std::move(path)), file_size_(size) {}

  std::string path_;
  int64_t file_size_;
  GzHandle file_;
};

std::optional<DType> ElementType(uint8_t code) {
  switch (code) {
    case 0x08: return DType::kU8;
    case 0x09: return DType::kI8;
    case 0x0B: return DType::kI16;
    case 0x0C: return DType::kI32;
    case 0x0D: return DType::kF32;
    case 0x0E: return DType::kF64;
    default: return std::nullopt;
  }
}

uint32_t BigEndian32(const unsigned char* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

absl::StatusOr<TensorSpec> ReadHeader(Reader& reader) {
  std::array<unsigned char, 4> magic;
  TANDEM_RETURN_IF_ERROR(reader.ReadExactly(magic.data(), magic.size(), "first four bytes"));
  const std::optional<DType> dtype = ElementType(magic[2]);
  if (magic[0] != 0 || magic[1] != 0 || !dtype) {
    return reader.Error(absl::StrCat("it does not start like an IDX file (bytes 0x",
                                     absl::Hex(BigEndian32(magic.data()), absl::kZeroPad8), ")"));
  }
  if (magic[3] > kMaxRank) {
    return reader.Error(absl::StrCat("it has ", int{magic[3]}, " dimensions, at most ", kMaxRank,
                                     " are possible"));
  }
  TensorSpec spec{*dtype, {}};
  for (int i = 0; i < magic[3]; ++i) {
    std::array<unsigned char, 4> dim;
    TANDEM_RETURN_IF_ERROR(reader.ReadExactly(dim.data(), dim.size(), "header"));
    spec.shape.push_back(BigEndian32(dim.data()));
  }
  if (absl::Status status = spec.shape.Validate(); !status.ok()) {
    return reader.Error(status.message());
  }
  return spec;
}

// IDX is big-endian.
void ToHostOrder(std::vector<std::byte>& bytes, int64_t size) {
  if (size == 1) return;
  for (size_t i = 0; i + size <= bytes.size(); i += size) {
    std::reverse(bytes.begin() + i, bytes.begin() + i + size);
  }
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path, const IdxOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(Reader reader, Reader::Open(path));
  IdxArray array;
  TANDEM_ASSIGN_OR_RETURN(array.spec, ReadHeader(reader));
  const int64_t size = array.spec.num_bytes();
  const int64_t limit =
      options.max_bytes > 0 ? options.max_bytes : 4 * reader.file_size() + kFreeBytes;
  if (size > limit) {
    return reader.Error(absl::StrCat("its header promises ", array.spec.ToString(), ", ", size,
                                     " bytes, more than the ", limit,
                                     " that a file of ", reader.file_size(),
                                     " bytes may hold; raise IdxOptions::max_bytes if it is right"));
  }
  // At once: growing would hold the old and the new bytes at a time. A header that lies costs at
  // most the limit.
  array.bytes.resize(size);
  for (int64_t have = 0; have < size; have += kChunk) {
    const int64_t want = std::min(size - have, kChunk);
    TANDEM_ASSIGN_OR_RETURN(const int64_t count, reader.Read(array.bytes.data() + have, want));
    if (count != want) {
      return reader.Error(absl::StrCat("it ends after ", have + count, " of the ", size,
                                       " bytes of ", array.spec.ToString()));
    }
  }
  std::byte extra;
  TANDEM_ASSIGN_OR_RETURN(const int64_t more, reader.Read(&extra, 1));
  if (more != 0) {
    return reader.Error(absl::StrCat("it goes on after the ", size, " bytes of ",
                                     array.spec.ToString()));
  }
  ToHostOrder(array.bytes, DTypeSize(array.spec.dtype));
  return array;
}

}  // namespace tandem::data
