#include "tandem/frontends/cpp/data/idx.h"

#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "zlib.h"

namespace tandem::data {
namespace {

class IdxTest : public testing::Test {
 protected:
  std::string Write(const std::string& bytes, bool gzip = false) {
    const std::string path = absl::StrCat(testing::TempDir(), "/file", ++files_, ".idx");
    if (gzip) {
      gzFile file = gzopen(path.c_str(), "wb");
      gzwrite(file, bytes.data(), bytes.size());
      gzclose(file);
    } else {
      std::FILE* file = std::fopen(path.c_str(), "wb");
      std::fwrite(bytes.data(), 1, bytes.size(), file);
      std::fclose(file);
    }
    return path;
  }
  static std::string Header(int type, std::vector<uint32_t> dims) {
    std::string header = {0, 0, static_cast<char>(type), static_cast<char>(dims.size())};
    for (uint32_t d : dims) {
      for (int shift : {24, 16, 8, 0}) header += static_cast<char>(d >> shift);
    }
    return header;
  }
  void ExpectError(const std::string& bytes, const std::string& part) {
    for (bool gzip : {false, true}) {
      const std::string path = Write(bytes, gzip);
      const absl::Status status = ReadIdx(path).status();
      EXPECT_NE(status.message().find(part), std::string::npos) << status;
      EXPECT_NE(status.message().find(path), std::string::npos) << status;
    }
  }

  static inline int files_ = 0;
};

TEST_F(IdxTest, ReadsPlainAndGzipped) {
  for (bool gzip : {false, true}) {
    const IdxArray array = *ReadIdx(Write(Header(0x08, {2, 3}) + "abcdef", gzip));
    EXPECT_EQ(array.spec.ToString(), "u8[2,3]");
    EXPECT_EQ(std::memcmp(array.bytes.data(), "abcdef", 6), 0);
  }
}

TEST_F(IdxTest, IsBigEndian) {
  const IdxArray array = *ReadIdx(Write(Header(0x0C, {1}) + std::string("\0\0\1\2", 4)));
  int32_t value;
  std::memcpy(&value, array.bytes.data(), 4);
  EXPECT_EQ(value, 258);
}

TEST_F(IdxTest, EmptyAndScalar) {
  EXPECT_EQ(ReadIdx(Write(Header(0x08, {0, 28})))->bytes.size(), 0);
  EXPECT_EQ(ReadIdx(Write(Header(0x08, {}) + "x"))->spec.ToString(), "u8[]");
}

TEST_F(IdxTest, SaysWhatIsWrong) {
  ExpectError(Header(0x08, {2, 3}) + "abcde", "ends after 5 of the 6 bytes");
  ExpectError(Header(0x08, {2, 3}) + "abcdefg", "goes on after the 6 bytes");
  ExpectError(Header(0x07, {2}) + "ab", "does not start like an IDX file");
  ExpectError("PK\3\4 and more", "does not start like an IDX file");
  ExpectError(std::string("\0\0\x08", 3), "ends inside its first four bytes");
  ExpectError(std::string("\0\0\x08\x02\0\0", 6), "ends inside its header");
  ExpectError(Header(0x08, std::vector<uint32_t>(9, 1)) + "a", "9 dimensions");
  EXPECT_EQ(ReadIdx("/nowhere/at.all").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadIdx(testing::TempDir()).ok()) << "a folder is no IDX file";
}

TEST_F(IdxTest, AHeaderThatLiesCostsNoMemory) {
  const uint32_t big = 0xFFFFFFFF;
  ExpectError(Header(0x08, {big}) + "abc", "more than the");
  ExpectError(Header(0x0E, {big, big, big}) + "abc", "more elements than memory can have");
  // 50 MB may be right for a compressed file; nothing is there.
  ExpectError(Header(0x08, {50 << 20}) + "abc", "ends after 3 of the");
}

TEST_F(IdxTest, TornAndBitFlippedCompressedFiles) {
  std::string data = Header(0x08, {1000});
  for (int i = 0; i < 1000; ++i) data += static_cast<char>(i * i);
  const std::string path = Write(data, /*gzip=*/true);
  std::FILE* file = std::fopen(path.c_str(), "rb");
  std::string compressed(5000, '\0');
  compressed.resize(std::fread(compressed.data(), 1, compressed.size(), file));
  std::fclose(file);
  for (size_t cut : {size_t{12}, compressed.size() / 2, compressed.size() - 1}) {
    EXPECT_FALSE(ReadIdx(Write(compressed.substr(0, cut))).ok()) << cut;
  }
  std::string flipped = compressed;
  flipped[compressed.size() - 6] ^= 1;  // in the CRC
  EXPECT_FALSE(ReadIdx(Write(flipped)).ok());
}

TEST_F(IdxTest, ASmallFileMayNotFillTheMemory) {
  const std::string path = Write(Header(0x08, {100 << 20}) + std::string(100 << 20, '\0'), true);
  const absl::Status status = ReadIdx(path).status();
  EXPECT_NE(status.message().find("max_bytes"), std::string::npos) << status;
  EXPECT_TRUE(ReadIdx(path, {.max_bytes = 100 << 20}).ok());
}

}  // namespace
}  // namespace tandem::data
