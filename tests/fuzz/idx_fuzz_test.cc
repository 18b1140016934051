// 2,000 damaged IDX files, plain and gzipped: each is an error that names the file, or an array that
// is as large as it says; none takes more memory than four times the file plus 64 MB.

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/data/idx.h"
#include "tandem/tests/fuzz/allocation_meter.h"
#include "tandem/tests/fuzz/mutate.h"
#include "zlib.h"

namespace tandem {
namespace {

std::string ReadAll(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  std::string bytes(1 << 20, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  return bytes;
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  std::fwrite(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
}

// A small image file, like Fashion-MNIST's.
std::string Images() {
  std::string bytes("\0\0\x08\x03\0\0\0\x20\0\0\0\x1c\0\0\0\x1c", 16);
  fuzz::Random random(1);
  for (int i = 0; i < 32 * 28 * 28; ++i) bytes += static_cast<char>(random.Below(64));
  return bytes;
}

TEST(IdxFuzz, DamagedFilesAreErrors) {
  const std::string path = absl::StrCat(testing::TempDir(), "/fuzz.idx");
  const std::string plain = Images();
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, plain.data(), plain.size());
  gzclose(file);
  const std::string gzipped = ReadAll(path);
  int errors = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::string damaged = fuzz::Mutate(seed % 2 == 0 ? plain : gzipped, seed);
    WriteAll(path, damaged);
    const fuzz::AllocationMeter meter;
    const auto array = data::ReadIdx(path);
    EXPECT_LE(meter.peak_bytes(), 4 * static_cast<int64_t>(damaged.size()) + (64 << 20));
    if (array.ok()) {
      EXPECT_EQ(array->spec.num_bytes(), array->bytes.size());
    } else {
      ++errors;
      EXPECT_NE(array.status().message().find(path), std::string::npos) << array.status();
    }
  }
  std::printf("%d of 2000 damaged files were refused\n", errors);
  // A flipped pixel of a plain file is not an error; most damage is.
  EXPECT_GT(errors, 1000);
}

// 60 MiB of zeros take 60 KB: allowed, but only once.
TEST(IdxFuzz, AGzipBombTakesNoMoreThanTheLimit) {
  const std::string path = absl::StrCat(testing::TempDir(), "/bomb.idx");
  const std::string zeros(60 << 20, '\0');
  for (const int dimension : {0x03, 0x04, 0x7f}) {  // times 2^24 and 12 << 20: 60 MiB, then more
    std::string header("\0\0\x08\x01", 4);
    header += static_cast<char>(dimension);
    header += std::string("\xc0\0\0", 3);
    gzFile file = gzopen(path.c_str(), "wb1");
    gzwrite(file, header.data(), header.size());
    gzwrite(file, zeros.data(), zeros.size());
    gzclose(file);
    const int64_t size = ReadAll(path).size();
    ASSERT_LT(size, 1 << 20);
    const fuzz::AllocationMeter meter;
    const auto array = data::ReadIdx(path);
    EXPECT_LE(meter.peak_bytes(), 4 * size + (64 << 20));
    EXPECT_EQ(array.ok(), dimension == 0x03) << array.status();
  }
}

}  // namespace
}  // namespace tandem
