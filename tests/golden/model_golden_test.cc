// Files of formats 1.0 and 1.1 stay readable, and what is written today is what was written then: a change of
// these files is a change of the format, and raises its version.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/serialization/native/model.h"
#include "tandem/serialization/native/sample_model.h"
#include "tandem/serialization/native/test_files.h"

namespace tandem {
namespace {

std::string Golden(const std::string& name) { return ReadBytes("tests/golden/" + name); }

class ModelGolden : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(RegisterSampleOps(&registry_).ok()); }

  OpRegistry registry_;
  TestDevice device_;
};

TEST_F(ModelGolden, WhatIsWrittenIsStable) {  // R61 R64
  const Model model = *SmallModel(registry_, device_);
  const std::string prefix = TestPath("mlp");
  ASSERT_TRUE(SaveModel(model, prefix).ok());
  EXPECT_EQ(ReadBytes(prefix + "-symbol.json"), Golden("mlp-symbol.json"));
  EXPECT_EQ(ReadBytes(prefix + "-0000.params"), Golden("mlp-0000.params"));
}

TEST_F(ModelGolden, Version10StaysReadable) {  // R65
  const absl::StatusOr<Model> mlp =
      LoadModel("tests/golden/mlp-symbol.json", "tests/golden/mlp-0000.params", device_, registry_);
  ASSERT_TRUE(mlp.ok()) << mlp.status();
  Model expected = *SmallModel(registry_, device_);
  expected.signature = {Shape{kDynamic, 4}};
  const absl::Status same = CompareModels(*mlp, expected);
  EXPECT_TRUE(same.ok()) << same;
  // One with everything that a file can hold, in each of the forms.
  const absl::StatusOr<Model> packed =
      LoadModel("tests/golden/sample-1.0.tandem", "", device_, registry_);
  ASSERT_TRUE(packed.ok()) << packed.status();
  const absl::StatusOr<Model> binary = LoadModel(
      "tests/golden/sample-1.0-symbol.pb", "tests/golden/sample-1.0.tandem", device_, registry_);
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_TRUE(CompareModels(*binary, *packed).ok());
  const Model sample = *SampleModel(registry_, device_);
  ASSERT_TRUE(SaveModel(sample, TestPath("again"), 0, {.packed = true}).ok());
  const absl::StatusOr<Model> again =
      LoadModel(TestPath("again") + ".tandem", "", device_, registry_);
  ASSERT_TRUE(again.ok()) << again.status();
  const absl::Status same_sample = CompareModels(*packed, *again);
  EXPECT_TRUE(same_sample.ok()) << same_sample;
}

// A body in a body: what 1.1 has and 1.0 has not.
TEST_F(ModelGolden, Version11StaysReadable) {  // R65
  const absl::StatusOr<Model> packed =
      LoadModel("tests/golden/sample-1.1.tandem", "", device_, registry_);
  ASSERT_TRUE(packed.ok()) << packed.status();
  const absl::StatusOr<Model> binary = LoadModel(
      "tests/golden/sample-1.1-symbol.pb", "tests/golden/sample-1.1.tandem", device_, registry_);
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_TRUE(CompareModels(*binary, *packed).ok());
  const Model sample = *BodyModel(registry_, device_);
  ASSERT_TRUE(SaveModel(sample, TestPath("again"), 0, {.packed = true}).ok());
  const absl::StatusOr<Model> again =
      LoadModel(TestPath("again") + ".tandem", "", device_, registry_);
  ASSERT_TRUE(again.ok()) << again.status();
  const absl::Status same = CompareModels(*packed, *again);
  EXPECT_TRUE(same.ok()) << same;
}

// The JSON that docs/format.md shows is a model, and says what the page says.
TEST_F(ModelGolden, ExampleOfTheDocumentation) {
  const std::string page = ReadBytes("docs/format.md");
  const std::vector<std::string> parts = absl::StrSplit(page, "```json\n");
  ASSERT_EQ(parts.size(), 2) << "docs/format.md has one example";
  const std::string json = parts[1].substr(0, parts[1].find("```"));
  EXPECT_EQ(json, Golden("mlp-symbol.json"));
  const absl::StatusOr<Model> model =
      LoadModel(MemorySource("docs/format.md", json), nullptr, device_, registry_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.nodes().size(), 5);
  EXPECT_EQ(model->signature, (std::vector<Shape>{Shape{kDynamic, 4}}));
  // Its version is the one that the page is about.
  EXPECT_TRUE(
      absl::StrContains(page, absl::StrCat("version **", kFormatMajor, ".", kFormatMinor, "**")));
}

}  // namespace
}  // namespace tandem
