// A device of the process's registry is never closed: the process ends with it open, with work
// under way, with buffers in static storage, with threads in the driver's compiler. What these tests
// show is that it ends well, which only its exit status can tell.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/shaders/test_scale_shaders.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {
namespace {

// Ends after main().
Ref<Buffer>& StaticBuffer() {
  static Ref<Buffer> buffer;
  return buffer;
}

// Ends a child of a test that has not got as far as it should.
void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::_Exit(2);
}

// In a process of its own, which starts as this one did: forks have none of the driver's threads.
class ProcessExitDeathTest : public testing::Test {
 protected:
  ProcessExitDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  // What a program does that makes `programs` pipelines, waits for those of some, and ends.
  static void RunAndExit(const std::string& cache_dir, uint32_t programs, uint32_t waits) {
    BackendRegistry& registry = BackendRegistry::Global();
    Require(registry.Register(std::make_unique<VulkanBackend>()));
    Require(registry.SetOption("vulkan", "validation", "sync"));
    Require(registry.SetOption("vulkan", "cache_dir", cache_dir));
    absl::StatusOr<Device*> device = registry.Open("vulkan:0");
    Require(device.status());
    ProgramCache& cache = static_cast<VulkanDevice*>(*device)->programs();
    for (uint32_t i = 0; i < programs; ++i) {
      auto program = cache.Get(*TestScaleShader(DType::kI32), {64, i});
      Require(program.status());
      if (i < waits) Require((*program)->Pipeline().status());
    }
    if (ValidationLog::Global().count() != 0) std::_Exit(3);
    std::exit(0);
  }
  static std::string FreshDirectory(const char* name) {
    const std::string directory = testing::TempDir() + "/" + name;
    std::filesystem::remove_all(directory);
    return directory;
  }
  static int FilesIn(const std::string& directory) {
    int files = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
      files += entry.path().extension() == ".pipelines" ? 1 : 0;
    }
    return files;
  }
};

TEST_F(ProcessExitDeathTest, WithPipelinesBeingCompiled) {
  EXPECT_EXIT(RunAndExit("", 50, 0), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(RunAndExit("", 50, 1), testing::ExitedWithCode(0), "");
}

TEST_F(ProcessExitDeathTest, PipelinesOfAShortProgramAreKept) {
  const std::string directory = FreshDirectory("exit_saves");
  EXPECT_EXIT(RunAndExit(directory, 1, 1), testing::ExitedWithCode(0), "");
  EXPECT_EQ(FilesIn(directory), 1);
}

TEST(ProcessExitTest, WithAnOpenDevice) {
  StaticBuffer();
  BackendRegistry& registry = BackendRegistry::Global();
  ASSERT_TRUE(registry.Register(std::make_unique<VulkanBackend>()).ok());
  ASSERT_TRUE(registry.SetOption("vulkan", "validation", "sync").ok());
  absl::StatusOr<Device*> device = registry.Open("vulkan:0");
  ASSERT_TRUE(device.ok()) << device.status();
  absl::StatusOr<Ref<Buffer>> buffer = (*device)->allocator().Allocate(1 << 20);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  for (uint32_t i = 0; i < 250; ++i) {
    ASSERT_TRUE((*device)->default_stream().Fill(BufferView::Of(**buffer), i).ok());
  }
  StaticBuffer() = *std::move(buffer);
  EXPECT_THAT(ValidationLog::Global().Take(), testing::IsEmpty());
}

}  // namespace
}  // namespace tandem::vulkan_backend
