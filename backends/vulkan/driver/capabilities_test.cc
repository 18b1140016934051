#include "tandem/backends/vulkan/driver/capabilities.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Capabilities Some() {
  Capabilities c;
  c.float64 = c.storage8 = c.subgroups = c.push_descriptors = c.unified_memory = true;
  c.subgroup_size = 32;
  c.max_push_descriptors = 16;
  c.many_buffers = true;
  c.max_storage_buffers = 64;
  return c;
}

TEST(CapabilitiesTest, NamesWhatIsThere) {
  EXPECT_THAT(FeatureNames(Some()),
              ElementsAre("float64", "storage8", "subgroups", "push_descriptors", "unified_memory",
                          "many_buffers"));
}

TEST(CapabilitiesTest, SwitchesOff) {
  Capabilities c = Some();
  ASSERT_TRUE(DisableFeatures("", &c).ok());
  EXPECT_EQ(FeatureNames(c).size(), 6);
  ASSERT_TRUE(DisableFeatures("subgroups, storage8,float16,unified_memory,many_buffers", &c).ok());
  EXPECT_THAT(FeatureNames(c), ElementsAre("float64", "push_descriptors"));
  EXPECT_EQ(c.subgroup_size, 1);
  EXPECT_EQ(c.max_storage_buffers, kRequiredStorageBuffers);
  EXPECT_EQ(c.max_push_descriptors, 16);
  ASSERT_TRUE(DisableFeatures("push_descriptors", &c).ok());
  EXPECT_EQ(c.max_push_descriptors, 0);
}

TEST(CapabilitiesTest, UnknownNamesAreErrors) {
  Capabilities c;
  const absl::Status status = DisableFeatures("float64,tensor_cores", &c);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.message(), HasSubstr("'tensor_cores'"));
  EXPECT_THAT(status.message(), HasSubstr("cooperative_matrix"));
}

TEST(CapabilitiesTest, Computes) {
  Capabilities c;
  EXPECT_TRUE(c.Computes(DType::kF32));
  EXPECT_FALSE(c.Computes(DType::kF64));
  EXPECT_FALSE(c.Computes(DType::kI64));
  c.float64 = c.int64 = true;
  EXPECT_TRUE(c.Computes(DType::kF64));
  EXPECT_TRUE(c.Computes(DType::kI64));
}

}  // namespace
}  // namespace tandem::vulkan_backend
