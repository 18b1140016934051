#include "tandem/backends/vulkan/programs/pipeline_cache.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace fs = std::filesystem;

PhysicalDevice SomeDevice() {
  PhysicalDevice physical;
  physical.vendor_id = 0x10DE;
  physical.device_id = 0x2330;
  physical.driver_version = 7;
  std::fill(std::begin(physical.pipeline_cache_uuid), std::end(physical.pipeline_cache_uuid), 5);
  return physical;
}

// What a driver gives: its header and some bytes.
std::string DriverData(const PhysicalDevice& physical) {
  VkPipelineCacheHeaderVersionOne header = {};
  header.headerSize = sizeof(header);
  header.headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE;
  header.vendorID = physical.vendor_id;
  header.deviceID = physical.device_id;
  std::memcpy(header.pipelineCacheUUID, physical.pipeline_cache_uuid, VK_UUID_SIZE);
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + "pipelines";
}

TEST(PipelineCacheFile, RoundTrip) {
  const PhysicalDevice physical = SomeDevice();
  const std::string data = DriverData(physical);
  auto decoded = DecodePipelineCache(physical, EncodePipelineCache(physical, data));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, data);
}

TEST(PipelineCacheFile, EveryTruncationIsFound) {
  const PhysicalDevice physical = SomeDevice();
  const std::string file = EncodePipelineCache(physical, DriverData(physical));
  for (size_t n = 0; n < file.size(); ++n) {
    EXPECT_EQ(DecodePipelineCache(physical, file.substr(0, n)).status().code(),
              absl::StatusCode::kDataLoss)
        << n;
  }
  EXPECT_FALSE(DecodePipelineCache(physical, file + "x").ok());
}

TEST(PipelineCacheFile, EveryFlippedBitIsFound) {
  const PhysicalDevice physical = SomeDevice();
  const std::string file = EncodePipelineCache(physical, DriverData(physical));
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(DecodePipelineCache(physical, damaged).status().code(), absl::StatusCode::kDataLoss)
        << bit;
  }
}

TEST(PipelineCacheFile, OtherDevicesAndDriversAreForeign) {
  const PhysicalDevice physical = SomeDevice();
  const std::string data = DriverData(physical);
  std::vector<PhysicalDevice> others(4, physical);
  others[0].vendor_id ^= 1;
  others[1].device_id ^= 1;
  others[2].driver_version ^= 1;
  others[3].pipeline_cache_uuid[15] ^= 1;
  for (const PhysicalDevice& other : others) {
    EXPECT_THAT(DecodePipelineCache(other, EncodePipelineCache(physical, data)).status().message(),
                HasSubstr("another device or driver"));
  }
  // A file of ours around data of another device.
  EXPECT_FALSE(DecodePipelineCache(others[3], EncodePipelineCache(others[3], data)).ok());
  EXPECT_FALSE(DecodePipelineCache(physical, EncodePipelineCache(physical, "short")).ok());
}

class PipelineCacheTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = fs::path(testing::TempDir()) / name;
    fs::remove_all(directory_);
  }
  std::shared_ptr<PipelineCache> NewCache() {
    auto cache = PipelineCache::Create(device().context(), directory_.string());
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  // Makes a pipeline, so that there is something to write.
  void AddPipeline(const std::shared_ptr<PipelineCache>& cache) {
    auto layout = device().programs().Layout(2);
    ASSERT_TRUE(layout.ok()) << layout.status();
    const Ref<VulkanProgram> program =
        MakeRef<VulkanProgram>(device().context(), cache, *layout, *TestScaleShader(DType::kI32),
                               std::vector<uint32_t>{64, 0});
    ASSERT_TRUE(program->Pipeline().ok());
    EXPECT_EQ(cache->unsaved(), 1);
  }
  std::string Contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_)) files.push_back(entry.path());
    return files;
  }

  fs::path directory_;
};
INSTANTIATE_TEST_SUITE_P(All, PipelineCacheTest, testing::Values(""), DisableName);

TEST_P(PipelineCacheTest, WritesAndReads) {
  std::shared_ptr<PipelineCache> cache = NewCache();
  EXPECT_EQ(cache->Describe(), "new: " + cache->path());
  EXPECT_TRUE(cache->Save().ok());
  EXPECT_FALSE(fs::exists(directory_));  // nothing to write, nothing written
  AddPipeline(cache);
  ASSERT_TRUE(cache->Save().ok());
  EXPECT_EQ(cache->unsaved(), 0);
  EXPECT_THAT(Files(), SizeIs(1));  // no temporary file is left
  const auto data = DecodePipelineCache(device().context()->physical(), Contents(cache->path()));
  ASSERT_TRUE(data.ok()) << data.status();
  cache = NewCache();
  EXPECT_TRUE(cache->load_status().ok()) << cache->load_status();
  EXPECT_EQ(cache->Describe(),
            "read " + std::to_string(fs::file_size(cache->path())) + " bytes: " + cache->path());
  AddPipeline(cache);
  cache = nullptr;  // writes
  EXPECT_TRUE(NewCache()->load_status().ok());
}

TEST_P(PipelineCacheTest, TornFilesAreIgnoredAndReplaced) {
  std::shared_ptr<PipelineCache> cache = NewCache();
  AddPipeline(cache);
  ASSERT_TRUE(cache->Save().ok());
  const std::string path = cache->path();
  fs::resize_file(path, fs::file_size(path) - 1);
  cache = NewCache();
  EXPECT_EQ(cache->load_status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(cache->load_status().message(), HasSubstr(path));
  EXPECT_EQ(cache->Describe(), "ignored: " + std::string(cache->load_status().message()));
  AddPipeline(cache);
  ASSERT_TRUE(cache->Save().ok());
  EXPECT_TRUE(NewCache()->load_status().ok());
}

TEST_P(PipelineCacheTest, AFolderInThePlaceOfTheFile) {
  const std::string path = NewCache()->path();
  fs::create_directories(path);
  std::shared_ptr<PipelineCache> cache = NewCache();
  EXPECT_FALSE(cache->load_status().ok());
  AddPipeline(cache);
  EXPECT_FALSE(cache->Save().ok());
  EXPECT_FALSE(cache->save_status().ok());
  EXPECT_EQ(cache->unsaved(), 1);
  EXPECT_THAT(Files(), SizeIs(1));  // the temporary file went away
}

// Nothing below a file can be made.
TEST_P(PipelineCacheTest, AFileInThePlaceOfTheFolder) {
  std::ofstream(directory_.string()) << "in the way";
  std::shared_ptr<PipelineCache> cache = NewCache();
  AddPipeline(cache);
  testing::internal::CaptureStderr();
  EXPECT_FALSE(cache->Save().ok());
  EXPECT_FALSE(cache->Save().ok());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),  // once
            "tandem: " + std::string(cache->save_status().message()) + "\n");
  EXPECT_THAT(cache->save_status().message(), HasSubstr("pipeline cache: cannot"));
}

// The first bytes can be written, the others cannot. (What ENOSPC does: atomic_file_test.)
TEST_P(PipelineCacheTest, ADiskThatFillsUpWhileWriting) {
  std::shared_ptr<PipelineCache> cache = NewCache();
  AddPipeline(cache);
  ASSERT_TRUE(cache->Save().ok());
  const std::string before = Contents(cache->path());
  cache->NoteNewPipeline();
  rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {60, old.rlim_max};
  void (*const handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = cache->Save();
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), absl::ErrnoToStatusCode(EFBIG)) << status;
  EXPECT_EQ(cache->save_status(), status);
  EXPECT_EQ(cache->unsaved(), 1);
  EXPECT_THAT(Files(), SizeIs(1));  // the temporary file went away
  EXPECT_EQ(Contents(cache->path()), before);
  EXPECT_TRUE(cache->Save().ok());  // there is room again
  EXPECT_EQ(cache->unsaved(), 0);
}

TEST_P(PipelineCacheTest, MakesAllFoldersOfItsPath) {
  directory_ = directory_ / "a" / "b";
  std::shared_ptr<PipelineCache> cache = NewCache();
  AddPipeline(cache);
  EXPECT_TRUE(cache->Save().ok()) << cache->save_status();
  EXPECT_TRUE(fs::exists(cache->path()));
}

TEST_P(PipelineCacheTest, OffUnlessThereIsADirectory) {
  auto cache = PipelineCache::Create(device().context(), "");
  ASSERT_TRUE(cache.ok()) << cache.status();
  EXPECT_THAT((*cache)->path(), IsEmpty());
  EXPECT_EQ((*cache)->Describe(), "off: no cache_dir");
  AddPipeline(*cache);
  EXPECT_TRUE((*cache)->Save().ok());
}

}  // namespace
}  // namespace tandem::vulkan_backend
