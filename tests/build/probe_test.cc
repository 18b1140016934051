#include "tandem/tests/build/probe.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::probe {
namespace {

TEST(ProbeTest, IsCompiledAsCpp20) {
  absl::StatusOr<std::string> version = LanguageVersion("C++ ");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, "C++ 202002");
}

TEST(ProbeTest, ReportsErrorsAsStatus) {
  EXPECT_EQ(LanguageVersion("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ProbeTest, HasMatchers) { EXPECT_THAT(std::string("tandem"), ::testing::HasSubstr("and")); }

}  // namespace
}  // namespace tandem::probe
