#include "tandem/backends/vulkan/programs/shader_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/tests/fuzz/allocation_meter.h"

namespace tandem::vulkan_backend {
namespace {

class ShaderFileTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(directory_); }
  static std::string Contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void Overwrite(const std::string& path, const std::string& contents) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
  }

  const std::string directory_ =
      testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string text_ = "void main() {}";
  const std::vector<uint32_t> words_ = {0x07230203, 1, 2, 3};
};

TEST_F(ShaderFileTest, RoundTrip) {
  EXPECT_FALSE(ReadShaderFile(directory_, text_, 7).has_value());
  ASSERT_TRUE(WriteShaderFile(directory_, text_, 7, words_).ok());
  EXPECT_EQ(ReadShaderFile(directory_, text_, 7), words_);
  EXPECT_FALSE(ReadShaderFile(directory_, text_, 8).has_value());
  EXPECT_FALSE(ReadShaderFile(directory_, text_ + " ", 7).has_value());
}

TEST_F(ShaderFileTest, AHeaderThatPromisesMoreThanTheFileHas) {
  ASSERT_TRUE(WriteShaderFile(directory_, text_, 7, words_).ok());
  const std::string path = ShaderFilePath(directory_, text_);
  std::string damaged = Contents(path);
  constexpr size_t kNumWords = 20;  // where the header has it
  ASSERT_EQ(damaged[kNumWords], 4);
  damaged.replace(kNumWords, 4, std::string("\0\0\0\x01", 4));  // 64 MiB
  Overwrite(path, damaged);
  const fuzz::AllocationMeter meter;
  EXPECT_FALSE(ReadShaderFile(directory_, text_, 7).has_value());
  EXPECT_LT(meter.peak_bytes(), 1 << 20);
}

TEST_F(ShaderFileTest, EveryDamageReadsAsNoFile) {
  ASSERT_TRUE(WriteShaderFile(directory_, text_, 7, words_).ok());
  const std::string path = ShaderFilePath(directory_, text_);
  const std::string whole = Contents(path);
  for (size_t length = 0; length < whole.size(); ++length) {
    Overwrite(path, whole.substr(0, length));
    EXPECT_FALSE(ReadShaderFile(directory_, text_, 7).has_value()) << "cut to " << length;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    Overwrite(path, damaged);
    EXPECT_FALSE(ReadShaderFile(directory_, text_, 7).has_value()) << "byte " << at;
  }
  Overwrite(path, whole + "x");
  EXPECT_FALSE(ReadShaderFile(directory_, text_, 7).has_value());
  // And is written anew.
  ASSERT_TRUE(WriteShaderFile(directory_, text_, 7, words_).ok());
  EXPECT_EQ(ReadShaderFile(directory_, text_, 7), words_);
}

}  // namespace
}  // namespace tandem::vulkan_backend
