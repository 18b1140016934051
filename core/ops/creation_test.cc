#include "tandem/core/ops/creation.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string Inferred(absl::string_view name, const std::vector<AttributeInit>& attrs) {
  static const OpRegistry* registry = [] {
    auto* r = new OpRegistry;
    EXPECT_TRUE(RegisterCreationOps(r).ok());
    return r;
  }();
  const OpDef* op = registry->Find(name);
  const auto map = AttributeMap::Create(op->attributes, attrs);
  if (!map.ok()) return std::string(map.status().message());
  const auto specs = InferSpecs(*op, *map, absl::Span<const TensorSpec* const>());
  return specs.ok() ? (*specs)[0].ToString() : std::string(specs.status().message());
}

TEST(Creation, Full) {
  EXPECT_EQ(Inferred("full", {{"shape", Dims{2, 3}}, {"value", 1.0}}), "f32[2,3]");
  EXPECT_EQ(Inferred("full", {{"shape", Dims()}, {"value", 1}, {"dtype", DType::kI64}}), "i64[]");
  EXPECT_THAT(Inferred("full", {{"value", 1.0}}), HasSubstr("'shape' (ints) is missing"));
  EXPECT_THAT(Inferred("full", {{"shape", Dims{-1}}, {"value", 1.0}}),
              HasSubstr("negative dimension"));
  EXPECT_THAT(Inferred("full", {{"shape", AttributeValue::Ints(20, 1)}, {"value", 1.0}}),
              HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(Inferred("full", {{"shape", Dims{int64_t{1} << 62, 4}}, {"value", 1.0}}),
              HasSubstr("would not fit"));
}

TEST(Creation, Arange) {
  EXPECT_EQ(Inferred("arange", {{"count", 5}}), "f32[5]");
  EXPECT_EQ(Inferred("arange", {{"count", 0}, {"dtype", DType::kI8}}), "i8[0]");
  EXPECT_THAT(Inferred("arange", {{"count", -1}}), HasSubstr("must not be negative"));
  EXPECT_THAT(Inferred("arange", {{"count", 1}, {"step", std::numeric_limits<double>::infinity()}}),
              HasSubstr("must be finite"));
  EXPECT_THAT(Inferred("arange", {{"count", 2}, {"dtype", DType::kBool}}), HasSubstr("bool"));
  EXPECT_THAT(Inferred("arange", {{"count", std::numeric_limits<int64_t>::max()}}),
              HasSubstr("would not fit"));
}

}  // namespace
}  // namespace tandem
