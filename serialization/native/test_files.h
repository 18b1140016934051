// Files for tests: a folder of the test's own, whole files in and out.
//
//   const std::string path = TestPath("x.params");
//   WriteBytes(path, "…");
#ifndef TANDEM_SERIALIZATION_NATIVE_TEST_FILES_H_
#define TANDEM_SERIALIZATION_NATIVE_TEST_FILES_H_

#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace tandem {

// A path that no other test case uses.
inline std::string TestPath(const std::string& name) {
  const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
  return testing::TempDir() + "/" + info.test_suite_name() + "_" + info.name() + "_" + name;
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Empty if there is no such file.
inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_TEST_FILES_H_
