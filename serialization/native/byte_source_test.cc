#include "tandem/serialization/native/byte_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "tandem/serialization/native/test_files.h"

namespace tandem {
namespace {

TEST(ByteSource, ReadsWhatIsThereAndNoMore) {
  const std::string path = TestPath("file");
  WriteBytes(path, "0123456789");
  absl::StatusOr<std::unique_ptr<FileSource>> file = FileSource::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const MemorySource memory("memory", "0123456789");
  for (const ByteSource* source :
       {static_cast<const ByteSource*>(file->get()), static_cast<const ByteSource*>(&memory)}) {
    EXPECT_EQ(source->size(), 10);
    EXPECT_EQ(*source->ReadString(3, 4), "3456");
    EXPECT_EQ(*source->ReadString(10, 0), "");
    EXPECT_EQ(source->ReadString(8, 3).status().code(), absl::StatusCode::kDataLoss);
    // Sizes that a damaged file may give: nothing is allocated for them.
    for (const auto& [offset, size] : {std::pair<int64_t, int64_t>{0, INT64_MAX},
                                       {INT64_MAX, 1},
                                       {INT64_MAX, INT64_MAX},
                                       {-1, 1},
                                       {0, -1}}) {
      EXPECT_EQ(source->ReadString(offset, size).status().code(), absl::StatusCode::kDataLoss)
          << offset << " " << size;
    }
  }
}

TEST(ByteSource, MissingFileNamesPathAndRemedy) {
  const absl::Status status = FileSource::Open("no/such/file", "do this").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("no/such/file"), std::string::npos) << status;
  EXPECT_NE(status.message().find("do this"), std::string::npos) << status;
}

TEST(ByteSource, RefusesFoldersAndPipesWithoutWaiting) {
  EXPECT_EQ(FileSource::Open(testing::TempDir()).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::string pipe = TestPath("pipe");
  ::unlink(pipe.c_str());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(FileSource::Open(pipe).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ByteSource, FileCutShortAfterOpening) {
  const std::string path = TestPath("file");
  WriteBytes(path, std::string(10000, 'x'));
  absl::StatusOr<std::unique_ptr<FileSource>> file = FileSource::Open(path);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(::truncate(path.c_str(), 5000), 0);
  EXPECT_EQ((*file)->ReadString(0, 10000).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tandem
