#include "tandem/backends/vulkan/driver/loader.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/instance.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;

TEST(LoaderTest, OpensOnce) {
  const auto first = LoadVulkan("libvulkan.so.1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_NE((*first)->CreateInstance, nullptr);
  EXPECT_EQ(*first, *LoadVulkan("libvulkan.so.1"));
}

TEST(LoaderTest, AbsentLibrary) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto functions = LoadVulkan("libno_such_loader.so");
    EXPECT_TRUE(absl::IsUnavailable(functions.status()));
    EXPECT_THAT(functions.status().message(), HasSubstr("libno_such_loader.so"));
    EXPECT_THAT(functions.status().message(), HasSubstr("install"));
  }
}

TEST(LoaderTest, AnotherLibrary) {
  const auto functions = LoadVulkan("libm.so.6");
  EXPECT_TRUE(absl::IsUnavailable(functions.status()));
  EXPECT_THAT(functions.status().message(), HasSubstr("libm.so.6 is not Vulkan's loader"));
}

TEST(InstanceTest, OneForEachSetOfOptions) {
  const auto a = Instance::Get({});
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(*a, *Instance::Get({}));
  const auto validated = Instance::Get({.validation = Validation::kOn});
  ASSERT_TRUE(validated.ok()) << validated.status();
  EXPECT_NE(*a, *validated);
}

}  // namespace
}  // namespace tandem::vulkan_backend
