#include "tandem/tests/build/probe.h"

#include "gtest/gtest.h"

namespace {

TEST(IncludeTest, HeadersAreFoundByTheProjectsName) {
  EXPECT_TRUE(tandem::probe::LanguageVersion("C++ ").ok());
}

}  // namespace
