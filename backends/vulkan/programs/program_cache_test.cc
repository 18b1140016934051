#include "tandem/backends/vulkan/programs/program_cache.h"

#include <chrono>
#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;

class ProgramCacheTest : public DeviceTest {
 protected:
  ProgramCache& cache() { return device().programs(); }
};
INSTANTIATE_TEST_SUITE_P(All, ProgramCacheTest, testing::Values(""), DisableName);

TEST_P(ProgramCacheTest, OneProgramForAShaderAndItsConstants) {
  const Shader& f32 = *TestScaleShader(DType::kF32);
  const auto a = cache().Get(f32, {64, 1});
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(*cache().Get(f32, {64, 1}), *a);
  EXPECT_NE(*cache().Get(f32, {64, 2}), *a);
  EXPECT_NE(*cache().Get(f32, {64}), *a);
  EXPECT_NE(*cache().Get(*TestScaleShader(DType::kI32), {64, 1}), *a);
  EXPECT_EQ(cache().size(), 4);
  EXPECT_TRUE((*a)->Pipeline().ok());
  EXPECT_EQ(*(*a)->Pipeline(), *(*a)->Pipeline());
}

TEST_P(ProgramCacheTest, ThreadsGetTheSameProgramAndPipeline) {
  constexpr int kThreads = 8, kPrograms = 12;
  std::vector<std::vector<VkPipeline>> pipelines(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kPrograms; ++i) {
        const auto program = cache().Get(*TestScaleShader(DType::kI32), {64, i});
        ASSERT_TRUE(program.ok()) << program.status();
        const auto pipeline = (*program)->Pipeline();
        ASSERT_TRUE(pipeline.ok()) << pipeline.status();
        pipelines[t].push_back(*pipeline);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 1; t < kThreads; ++t) EXPECT_EQ(pipelines[t], pipelines[0]);
  EXPECT_EQ(std::set<VkPipeline>(pipelines[0].begin(), pipelines[0].end()).size(), kPrograms);
  EXPECT_EQ(cache().size(), kPrograms);
}

TEST_P(ProgramCacheTest, PipelinesAreMadeAhead) {
  const auto program = cache().Get(*TestScaleShader(DType::kI32), {64, 77});
  ASSERT_TRUE(program.ok()) << program.status();
  // Nobody asks for it; it counts as unsaved as soon as it is made.
  while (cache().pipelines().unsaved() == 0) std::this_thread::yield();
}

TEST_P(ProgramCacheTest, RefusesWhatTheDeviceCannot) {
  Shader shader = *TestScaleShader(DType::kI32);
  shader.constants_bytes = 132;
  EXPECT_THAT(cache().Get(shader, {}).status().message(), HasSubstr("132 bytes"));
  shader.constants_bytes = 8;
  shader.num_bindings = 65;
  const absl::Status status = cache().Get(shader, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("65 storage buffers"));
}

TEST_P(ProgramCacheTest, LackOfMemoryIsForgotten) {
  auto layout = cache().Layout(2);
  ASSERT_TRUE(layout.ok()) << layout.status();
  const Ref<VulkanProgram> program =
      MakeRef<VulkanProgram>(device().context(), nullptr, *layout, *TestScaleShader(DType::kI32),
                             std::vector<uint32_t>{64, 0});
  ASSERT_TRUE(Set("fail_allocation", "1").ok());
  const absl::Status status = program->Pipeline().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("shader test_scale_i32<64,0>"));
  EXPECT_TRUE(program->Pipeline().ok());
}

TEST_P(ProgramCacheTest, EndsWithProgramsPending) {
  auto own = ProgramCache::Create(device().context(), "");
  ASSERT_TRUE(own.ok()) << own.status();
  std::vector<Ref<const VulkanProgram>> programs;
  for (uint32_t i = 0; i < 50; ++i) {
    programs.push_back(*(*own)->Get(*TestScaleShader(DType::kI32), {64, i}));
  }
  own->reset();
  for (const auto& program : programs) EXPECT_TRUE(program->Pipeline().ok());
}

TEST_P(ProgramCacheTest, WritesTheFileWhenItIsQuiet) {
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) / "quiet_pipelines";
  std::filesystem::remove_all(directory);
  auto own = ProgramCache::Create(device().context(), directory.string());
  ASSERT_TRUE(own.ok()) << own.status();
  ASSERT_TRUE((*own)->Get(*TestScaleShader(DType::kI32), {64, 5}).ok());
  while (!std::filesystem::exists((*own)->pipelines().path())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE((*own)->pipelines().load_status().ok());
}

// A pipeline that the pool did not make, while its threads wait for work.
TEST_P(ProgramCacheTest, WritesTheFileForPipelinesOfOthers) {
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) / "others_pipelines";
  std::filesystem::remove_all(directory);
  auto own = ProgramCache::Create(device().context(), directory.string());
  ASSERT_TRUE(own.ok()) << own.status();
  PipelineCache& pipelines = (*own)->pipelines();
  ASSERT_TRUE((*own)->Get(*TestScaleShader(DType::kI32), {64, 5}).ok());
  const auto wait_for_file = [&] {
    const auto saved = [&] {
      return pipelines.unsaved() == 0 && std::filesystem::exists(pipelines.path());
    };
    for (int i = 0; i < 2000 && !saved(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return saved();
  };
  ASSERT_TRUE(wait_for_file());
  // The threads are asleep now.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  pipelines.NoteNewPipeline();
  EXPECT_TRUE(wait_for_file());
}

}  // namespace
}  // namespace tandem::vulkan_backend
