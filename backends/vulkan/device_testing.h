// A device of its own for each test, under synchronization validation, and a small program to run.
//
//   class StreamTest : public DeviceTest {};
//   INSTANTIATE_TEST_SUITE_P(All, StreamTest, testing::ValuesIn(kDescriptorVariants), DisableName);
//   TEST_P(StreamTest, Scales) {
//     Ref<Buffer> x = Make({1, 2, 3}), y = Make({0, 0, 0});
//     ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
//     EXPECT_THAT(Read(*y), ElementsAre(2, 4, 6));
//   }
//
// The parameter is the option "disable". A test fails if the validation layer says anything until the
// device and all that was made of it has ended. Without a Vulkan driver the test is skipped, and
// says so.
#ifndef TANDEM_BACKENDS_VULKAN_DEVICE_TESTING_H_
#define TANDEM_BACKENDS_VULKAN_DEVICE_TESTING_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/commands/vulkan_stream.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/shaders/test_scale_shaders.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/device/backend.h"

namespace tandem::vulkan_backend {

inline constexpr const char* kDescriptorVariants[] = {"", "push_descriptors"};

inline std::string DisableName(const testing::TestParamInfo<const char*>& info) {
  return *info.param == '\0' ? "AllFeatures" : std::string("Without_") + info.param;
}

struct ScaleConstants {
  uint32_t n;
  int32_t factor;
};

class DeviceTest : public testing::TestWithParam<const char*> {
 protected:
  static constexpr uint32_t kGroup = 64;

  void SetUp() override {
    ASSERT_TRUE(registry_->Register(std::make_unique<VulkanBackend>()).ok());
    ASSERT_TRUE(Set("validation", "sync").ok());
    ASSERT_TRUE(Set("disable", GetParam()).ok());
    SetOptions();
    absl::StatusOr<Device*> device = registry_->Open("vulkan:0");
    if (absl::IsUnavailable(device.status())) GTEST_SKIP() << device.status();
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = static_cast<VulkanDevice*>(*device);
  }
  void TearDown() override {
    Set("lose_device", "0").IgnoreError();
    registry_ = nullptr;
    EXPECT_THAT(ValidationLog::Global().Take(), testing::IsEmpty());
  }

  // Before the device is opened.
  virtual void SetOptions() {}

  VulkanDevice& device() { return *device_; }
  VulkanStream& stream() { return static_cast<VulkanStream&>(device_->default_stream()); }
  Ref<VulkanStream> NewStream() {
    absl::StatusOr<Ref<VulkanStream>> stream = VulkanStream::Create(device_->context());
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  absl::Status Set(absl::string_view name, absl::string_view value) {
    return registry_->SetOption("vulkan", name, value);
  }

  Ref<Buffer> Allocate(int64_t bytes) {
    absl::StatusOr<Ref<Buffer>> buffer =
        device_->allocator().Allocate(bytes, MemoryKind::kReadback);
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    return *std::move(buffer);
  }
  // Of these elements, which the device sees at once.
  Ref<Buffer> Make(const std::vector<int32_t>& values) {
    Ref<Buffer> buffer = Allocate(4 * static_cast<int64_t>(values.size()));
    std::memcpy(*buffer->Map(), values.data(), 4 * values.size());
    EXPECT_TRUE(buffer->Unmap().ok());
    return buffer;
  }
  static std::vector<int32_t> Iota(int n, int first = 0) {
    std::vector<int32_t> values(n);
    std::iota(values.begin(), values.end(), first);
    return values;
  }
  // All elements, after the default stream has done its work.
  std::vector<int32_t> Read(Buffer& buffer) {
    const absl::Status status = stream().Synchronize(stream().Now());
    EXPECT_TRUE(status.ok()) << status;
    std::vector<int32_t> values(buffer.size() / 4);
    std::memcpy(values.data(), *buffer.Map(), 4 * values.size());
    return values;
  }

  Ref<const VulkanProgram> ScaleProgram(uint32_t addend = 0) {
    auto program = device_->programs().Get(*TestScaleShader(DType::kI32), {kGroup, addend});
    EXPECT_TRUE(program.ok()) << program.status();
    return *std::move(program);
  }
  // y = factor * x + addend
  absl::Status Scale(CommandRecorder& recorder, const BufferView& x, const BufferView& y,
                     int32_t factor, uint32_t addend = 0) {
    const Ref<const VulkanProgram> program = ScaleProgram(addend);
    const ScaleConstants constants{static_cast<uint32_t>(x.size / 4), factor};
    const BufferView views[] = {x, y};
    return recorder.Record({.program = program.get(),
                            .bindings = views,
                            .reads = 0b01,
                            .writes = 0b10,
                            .constants = BytesOf(constants),
                            .grid = {(constants.n + kGroup - 1) / kGroup, 1, 1}});
  }
  absl::Status Scale(CommandRecorder& recorder, Buffer& x, Buffer& y, int32_t factor,
                     uint32_t addend = 0) {
    return Scale(recorder, BufferView::Of(x), BufferView::Of(y), factor, addend);
  }

 private:
  std::unique_ptr<BackendRegistry> registry_ = std::make_unique<BackendRegistry>();
  VulkanDevice* device_ = nullptr;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DEVICE_TESTING_H_
