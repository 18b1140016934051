// The conformance cases on a Vulkan device: what the validation layer says of a case fails it.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/tests/conformance/options.h"

namespace tandem::conformance {
namespace {

class ValidationListener : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& info) override {
    // Work that was queued may still run.
    Stream& stream = Options().device->default_stream();
    const absl::Status status = stream.Synchronize(stream.Now());
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_THAT(vulkan_backend::ValidationLog::Global().Take(), testing::IsEmpty())
        << info.test_suite_name() << "." << info.name();
  }
};

// Before main(), which makes the tests.
[[maybe_unused]] const bool kListening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new ValidationListener);
  return true;
}();

}  // namespace
}  // namespace tandem::conformance
