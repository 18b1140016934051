#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/device_id.h"
#include "tandem/core/device/test_device.h"

namespace tandem {
namespace {

class TestBackend : public Backend {
 public:
  explicit TestBackend(absl::StatusOr<int> devices) : devices_(std::move(devices)) {}
  DeviceType type() const override { return DeviceType::Intern("test"); }
  absl::StatusOr<int> CountDevices() override { return devices_; }
  absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int ordinal) override {
    return std::make_unique<TestDevice>(true, ordinal);
  }
  absl::Status SetOption(absl::string_view name, absl::string_view) override {
    return absl::InvalidArgumentError(absl::StrCat("no option ", name));
  }

 private:
  absl::StatusOr<int> devices_;
};

TEST(DeviceId, ParsesWhatItPrints) {
  EXPECT_EQ((*DeviceId::Parse("cpu")).ToString(), "cpu:0");
  EXPECT_EQ((*DeviceId::Parse("vulkan:12")).ToString(), "vulkan:12");
  EXPECT_EQ(DeviceId::Parse("cpu:0")->type, DeviceType::Intern("cpu"));
  for (const char* text : {"", ":0", "cpu:", "cpu:-1", "cpu:x", "cpu:0:1", "c pu",
                           "cpu:99999999999", "cpu:+1"}) {
    EXPECT_FALSE(DeviceId::Parse(text).ok()) << text;
  }
}

TEST(BackendRegistry, OpensDevicesOnce) {
  BackendRegistry registry;
  ASSERT_TRUE(registry.Register(std::make_unique<TestBackend>(2)).ok());
  EXPECT_EQ(registry.Register(std::make_unique<TestBackend>(2)).code(),
            absl::StatusCode::kAlreadyExists);
  Device* const device = *registry.Open("test:1");
  EXPECT_EQ(device->id().ordinal, 1);
  EXPECT_EQ(*registry.Open("test:1"), device);
  EXPECT_EQ(registry.Open("test:2").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(registry.ListDevices().size(), 2);
}

TEST(BackendRegistry, SaysWhatIsThere) {
  BackendRegistry registry;
  EXPECT_NE(registry.Open("test").status().message().find("no backend"), std::string::npos);
  ASSERT_TRUE(registry.Register(std::make_unique<TestBackend>(1)).ok());
  const absl::Status status = registry.Open("cuda:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("known: test"), std::string::npos);
  EXPECT_FALSE(registry.SetOption("test", "threads", "2").ok());
  EXPECT_FALSE(registry.SetOption("cuda", "threads", "2").ok());
}

TEST(BackendRegistry, ListsTheReasonForNoDevice) {
  BackendRegistry registry;
  ASSERT_TRUE(
      registry.Register(std::make_unique<TestBackend>(absl::UnavailableError("no driver"))).ok());
  ASSERT_EQ(registry.ListDevices().size(), 1);
  EXPECT_EQ(registry.ListDevices()[0].status.message(), "no driver");
  EXPECT_EQ(registry.Open("test:0").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tandem
