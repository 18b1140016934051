#include "tandem/serialization/native/atomic_file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/serialization/native/test_files.h"

namespace tandem {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/atomic_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  int CountFiles() const {
    int count = 0;
    DIR* folder = ::opendir(folder_.c_str());
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.';
    ::closedir(folder);
    return count;
  }
  std::string folder_;
};

TEST_F(AtomicFileTest, WritesAndReplaces) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old").ok());
  EXPECT_EQ(ReadBytes(Path("x")), "old");
  ASSERT_TRUE(WriteFileAtomically(Path("x"), std::string(100000, 'n')).ok());
  EXPECT_EQ(ReadBytes(Path("x")), std::string(100000, 'n'));
  EXPECT_EQ(CountFiles(), 1);  // no temporary file is left
}

TEST_F(AtomicFileTest, WithoutCommitTheOldFileStays) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old").ok());
  {
    absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"));
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(file->Write("new").ok());
    EXPECT_EQ(ReadBytes(Path("x")), "old");
    EXPECT_EQ(CountFiles(), 2);
  }
  EXPECT_EQ(ReadBytes(Path("x")), "old");
  EXPECT_EQ(CountFiles(), 1);
}

TEST_F(AtomicFileTest, FailureOfCommitLeavesTheOldFileAndNoOther) {
  absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->Write("new").ok());
  // A folder that takes the place makes the rename fail.
  ASSERT_EQ(::mkdir(Path("x").c_str(), 0700), 0);
  const absl::Status status = file->Commit();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(Path("x")), std::string::npos) << status;
  EXPECT_EQ(file->Write("more").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(file->Commit().code(), absl::StatusCode::kFailedPrecondition);
  { const AtomicFile end = *std::move(file); }
  EXPECT_EQ(CountFiles(), 1);
}

TEST_F(AtomicFileTest, ErrorsNameThePath) {
  const absl::Status missing = WriteFileAtomically(Path("no/x"), "");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(Path("no/x")), std::string::npos);
  EXPECT_EQ(WriteFileAtomically(folder_, "").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AtomicFileTest, KeepsPermissionsAndLinks) {
  ASSERT_TRUE(WriteFileAtomically(Path("target"), "old").ok());
  ASSERT_EQ(::chmod(Path("target").c_str(), 0640), 0);
  ASSERT_EQ(::symlink(Path("target").c_str(), Path("link").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(Path("link"), "new").ok());
  EXPECT_EQ(ReadBytes(Path("target")), "new");
  struct stat info = {};
  ASSERT_EQ(::lstat(Path("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(::stat(Path("target").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640);
}

TEST_F(AtomicFileTest, ManyWritersOfOnePath) {
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; ++c) {
    threads.emplace_back([this, c] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(WriteFileAtomically(Path("x"), std::string(5000, c)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string bytes = ReadBytes(Path("x"));
  ASSERT_EQ(bytes.size(), 5000);
  EXPECT_EQ(bytes, std::string(5000, bytes[0]));
  EXPECT_EQ(CountFiles(), 1);
}

}  // namespace
}  // namespace tandem
