// The conformance cases on the null device, eager and compiled: nothing is computed, but every read
// of bytes that nobody wrote, every overlap and every range outside of its buffer is found.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/null/null_device.h"
#include "tandem/tests/conformance/options.h"

namespace tandem::conformance {
namespace {

// Looks at the device before and after each test of the suite.
class HazardListener : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& info) override {
    auto* const device = dynamic_cast<null_backend::NullDevice*>(Options().device);
    ASSERT_NE(device, nullptr);
    const null_backend::NullReport report = device->TakeReport();
    EXPECT_THAT(report.violations, testing::IsEmpty())
        << info.test_suite_name() << "." << info.name();
    // A device that sees nothing would pass.
    if (info.test_suite_name() == std::string("Reference") && info.name() == std::string("add")) {
      EXPECT_GT(report.dispatches, 50);
    }
  }
};

// Before main(), which makes the tests.
[[maybe_unused]] const bool kListening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new HazardListener);
  return true;
}();

}  // namespace
}  // namespace tandem::conformance
