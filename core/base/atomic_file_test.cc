#include "tandem/core/base/atomic_file.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tandem {
namespace {

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// While it lives, no file of this process can grow beyond `bytes`: writing fails with EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_), 0);
    const rlimit limit = {bytes, old_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*const handler_)(int);
  rlimit old_ = {};
};

int Fail(int error) {
  errno = error;
  return -1;
}

// A disk with room for `room` bytes, which are written in two calls: half, then the rest.
struct SmallDisk {
  static inline size_t room = 0;
  static inline int num_writes = 0;

  static ssize_t Write(int descriptor, const void* bytes, size_t count) {
    ++num_writes;
    if (num_writes == 2) return Fail(EINTR);
    if (room == 0) return Fail(ENOSPC);
    const ssize_t written =
        ::write(descriptor, bytes, std::min(count, std::max<size_t>(room / 2, 1)));
    if (written > 0) room -= static_cast<size_t>(written);
    return written;
  }
};

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/atomic_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = std::filesystem::canonical(name).string();  // as errors have it
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

TEST_F(AtomicFileTest, AFullDiskLeavesTheOldFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old").ok());
  const FileCalls calls = {SmallDisk::Write, ::fsync, ::close};
  SmallDisk::room = 1000;
  SmallDisk::num_writes = 0;
  {
    absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"), calls);
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::Status status = file->Write(std::string(1001, 'n'));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_NE(status.message().find(Path("x")), std::string::npos) << status;
  }
  EXPECT_EQ(ReadBytes(Path("x")), "old");
  EXPECT_EQ(CountFiles(), 1);
  // What fits is written whole, though in pieces.
  std::string bytes(500, 'a');
  bytes += std::string(500, 'b');
  SmallDisk::room = 1000;
  SmallDisk::num_writes = 0;
  absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"), calls);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Write(bytes).ok());
  ASSERT_TRUE(file->Commit().ok());
  EXPECT_GT(SmallDisk::num_writes, 3);
  EXPECT_EQ(ReadBytes(Path("x")), bytes);
}

TEST_F(AtomicFileTest, AFullDiskThatOnlyFlushingOrClosingTells) {
  const FileCalls flush = {::write, [](int) { return Fail(ENOSPC); }, ::close};
  const FileCalls close = {::write, ::fsync, [](int descriptor) {
                             ::close(descriptor);
                             return Fail(EDQUOT);
                           }};
  const FileCalls nothing = {[](int, const void*, size_t) { return ssize_t{0}; }, ::fsync, ::close};
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old").ok());
  for (const FileCalls* calls : {&flush, &close}) {
    absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"), *calls);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(file->Write("new").ok());
    EXPECT_EQ(file->Commit().code(), absl::StatusCode::kResourceExhausted);
  }
  {
    absl::StatusOr<AtomicFile> file = AtomicFile::Create(Path("x"), nothing);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_FALSE(file->Write("new").ok());
  }
  EXPECT_EQ(ReadBytes(Path("x")), "old");
  EXPECT_EQ(CountFiles(), 1);
}

// A short write and then an error, from the system itself.
TEST_F(AtomicFileTest, AFileThatMayNotGrow) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old").ok());
  absl::Status status;
  {
    // Far more than this test's own output.
    const FileSizeLimit limit(rlim_t{1} << 20);
    status = WriteFileAtomically(Path("x"), std::string((size_t{1} << 20) + 1, 'n'));
  }
  EXPECT_EQ(status, absl::ErrnoToStatus(EFBIG, "cannot write " + Path("x")));
  EXPECT_EQ(ReadBytes(Path("x")), "old");
  EXPECT_EQ(CountFiles(), 1);
}

TEST_F(AtomicFileTest, CacheFilesMakeTheirFolders) {
  ASSERT_TRUE(WriteCacheFile(Path("a/b/x"), "new").ok());
  EXPECT_EQ(ReadBytes(Path("a/b/x")), "new");
  const absl::Status status = WriteCacheFile(Path("a/b/x/y/z"), "");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("cannot make the folder " + Path("a/b/x/y")), std::string::npos)
      << status;
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
