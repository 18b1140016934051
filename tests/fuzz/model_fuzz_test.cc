// Readers of models survive any bytes: damaged files give a Status or a model that is whole, within a
// second, and within 4 times the size of the files and 64 MB.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/serialization/native/model.h"
#include "tandem/serialization/native/sample_model.h"
#include "tandem/serialization/native/test_files.h"
#include "tandem/tests/fuzz/allocation_meter.h"
#include "tandem/tests/fuzz/mutate.h"

namespace tandem {
namespace {

constexpr uint64_t kMutations = 2000;  // of each kind of file

class ModelFuzz : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RegisterSampleOps(&registry_).ok());
    Use(SampleModel(registry_, device_));
  }

  // The model whose files are damaged.
  void Use(const absl::StatusOr<Model>& model) {
    ASSERT_TRUE(model.ok()) << model.status();
    prefix_ = TestPath("m");
    ASSERT_TRUE(SaveModel(*model, prefix_).ok());
    ASSERT_TRUE(SaveModel(*model, prefix_, 0, {.binary = true}).ok());
    ASSERT_TRUE(SaveModel(*model, prefix_, 0, {.packed = true}).ok());
    json_ = ReadBytes(prefix_ + "-symbol.json");
    binary_ = ReadBytes(prefix_ + "-symbol.pb");
    params_ = ReadBytes(prefix_ + "-0000.params");
    packed_ = ReadBytes(prefix_ + ".tandem");
    // Once before anything is measured: protobuf makes tables at first use, which stay.
    original_ = *Load(json_, params_);
    ASSERT_TRUE(Load(binary_, params_).ok());
    ASSERT_TRUE(Load(packed_, "").ok());
  }

  absl::StatusOr<Model> Load(absl::string_view symbol, absl::string_view params) {
    const MemorySource symbol_source("symbol", symbol);
    const MemorySource params_source("params", params);
    return LoadModel(symbol_source, params.empty() ? nullptr : &params_source, device_, registry_);
  }

  // Loads one damaged pair of files, and checks what every load has to keep.
  void Check(absl::string_view symbol, absl::string_view params) {
    const auto start = std::chrono::steady_clock::now();
    const fuzz::AllocationMeter meter;
    const absl::StatusOr<Model> model = Load(symbol, params);
    const int64_t peak = meter.peak_bytes();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    EXPECT_LE(peak, 4 * static_cast<int64_t>(symbol.size() + params.size()) + (64 << 20));
    EXPECT_LT(elapsed.count(), 1.0);
    if (!model.ok()) {
      ++errors_;
      EXPECT_FALSE(model.status().message().empty());
      return;
    }
    ++loaded_;
    // What was loaded is whole: it can be saved, and comes back equal.
    if (const absl::Status same = CompareModels(*model, original_); same.ok()) return;
    const absl::Status saved = SaveModel(*model, prefix_ + "again", 0, {.packed = true});
    ASSERT_TRUE(saved.ok()) << saved;
    const absl::StatusOr<Model> again = Load(ReadBytes(prefix_ + "again.tandem"), "");
    ASSERT_TRUE(again.ok()) << again.status();
    const absl::Status same = CompareModels(*again, *model);
    ASSERT_TRUE(same.ok()) << same;
  }

  // Most damage is noticed, but not all of it is an error: "relu" may have become another name of a block.
  void ExpectMostlyErrors() const {
    EXPECT_EQ(errors_ + loaded_, static_cast<int>(kMutations));
    EXPECT_GT(errors_, static_cast<int>(kMutations) / 2);
    std::cout << errors_ << " errors, " << loaded_ << " loaded\n";
  }

  OpRegistry registry_;
  TestDevice device_;
  std::string prefix_;
  std::string json_, binary_, params_, packed_;
  Model original_;
  int errors_ = 0;
  int loaded_ = 0;
};

TEST_F(ModelFuzz, Json) {
  for (uint64_t seed = 0; seed < kMutations && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Check(fuzz::Mutate(json_, seed), params_);
  }
  ExpectMostlyErrors();
}

TEST_F(ModelFuzz, Binary) {
  for (uint64_t seed = 0; seed < kMutations && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Check(fuzz::Mutate(binary_, seed), params_);
  }
  ExpectMostlyErrors();
}

// Bodies in both encodings.
TEST_F(ModelFuzz, Bodies) {
  Use(BodyModel(registry_, device_));
  for (uint64_t seed = 0; seed < kMutations && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Check(fuzz::Mutate(seed % 2 == 0 ? json_ : binary_, seed), params_);
  }
  ExpectMostlyErrors();
}

TEST_F(ModelFuzz, Params) {
  for (uint64_t seed = 0; seed < kMutations && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::string damaged = fuzz::Mutate(params_, seed);
    if (damaged.empty()) {
      ++errors_;  // "no parameters" is another call
      continue;
    }
    Check(json_, damaged);
    // Every byte of the data is under a checksum: what loads is the original.
    const absl::StatusOr<Model> model = Load(json_, damaged);
    if (model.ok()) {
      EXPECT_TRUE(CompareModels(*model, original_).ok());
    }
  }
  ExpectMostlyErrors();
}

TEST_F(ModelFuzz, Packed) {
  for (uint64_t seed = 0; seed < kMutations && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Check(fuzz::Mutate(packed_, seed), "");
  }
  ExpectMostlyErrors();
}

// Files that are made to take memory: each is a few bytes, very often.
TEST_F(ModelFuzz, DenseFiles) {
  constexpr size_t kSize = 8 << 20;
  const auto repeated = [](absl::string_view head, absl::string_view item, absl::string_view tail) {
    std::string bytes(head);
    while (bytes.size() < kSize) bytes.append(item.data(), item.size());
    bytes.append(tail.data(), tail.size());
    return bytes;
  };
  const std::string start = R"({"format":"tandem.model","formatVersion":"1.0",)";
  const std::string dense[] = {
      repeated(start + R"("graph":{"nodes":[{})", ",{}", "]}}"),
      repeated(start + R"("graph":{"inputs":[{})", ",{}", "]}}"),
      repeated(start + R"("blocks":[{})", ",{}", "]}"),
      repeated(start + R"("graph":{"outputs":[{"name":"a"})", R"(,{"name":"a"})", "]}}"),
      repeated(start + R"("graph":{"nodes":[{"types":["f32[1]")", R"(,"f32[1]")", "]}]}}"),
      repeated(start + R"("blocks":[{"parameters":[""])", R"(,"")", "]}]}"),
      repeated(start + R"("graph":{"nodes":[{"inputs":[0)", ",0", "]}]}}"),
      repeated(start + R"("graph":{"nodes":[{"op":"relu"})", R"(,{"op":"relu"})", "]}}"),
      repeated(start + R"("graph":{"nodes":[{"attributes":[{"body":{"steps":[{})", ",{}",
               "]}}]}]}}"),
      repeated(start + R"("graph":{"nodes":[{"attributes":[{"body":{"inputs":["f32[1]")",
               R"(,"f32[1]")", "]}}]}]}}"),
      repeated(start + R"("graph":{"nodes":[)", R"({"attributes":[{"body":{"steps":[)", ""),
      repeated("", "[", ""),
      repeated("", "{\"graph\":", ""),
      repeated("\x0a\x0ctandem.model\x12\x03"
               "1.0",
               absl::string_view("\x3a\x00", 2), ""),
      repeated("\x0a\x0ctandem.model\x12\x03"
               "1.0",
               absl::string_view("\xC0\x3E\x01", 3), ""),
  };
  for (size_t i = 0; i < std::size(dense); ++i) {
    SCOPED_TRACE(absl::StrCat("file ", i));
    const fuzz::AllocationMeter meter;
    const absl::StatusOr<Model> model = Load(dense[i], params_);
    EXPECT_FALSE(model.ok());
    EXPECT_LE(meter.peak_bytes(), 4 * static_cast<int64_t>(dense[i].size()) + (64 << 20));
  }
  // A parameter file with a great many tensors of nothing.
  std::string header = "{";
  for (int i = 0; header.size() < kSize; ++i) {
    absl::StrAppend(&header, i == 0 ? "" : ",", "\"", i,
                    R"(":{"dtype":"U8","shape":[],"data_offsets":[0,0]})");
  }
  header += "}";
  const uint64_t length = header.size();
  const std::string file =
      absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), header);
  const fuzz::AllocationMeter meter;
  EXPECT_FALSE(Load(json_, file).ok());
  EXPECT_LE(meter.peak_bytes(), 4 * static_cast<int64_t>(file.size()) + (64 << 20));
}

// The largest that a valid graph may be: reading it keeps to the bound too.
TEST_F(ModelFuzz, LongGraph) {
  Model model;
  Graph graph("long");
  ValueId value = *graph.AddInput("x", {DType::kF32, {1}}, InputKind::kArgument);
  const OpDef& relu = **registry_.Get("relu");
  for (int i = 0; i < 30000; ++i) value = (*graph.AddNode(relu, AttributeMap(), {value}))[0];
  ASSERT_TRUE(graph.AddOutput("y", value).ok());
  model.graph = std::move(graph);
  for (const SaveOptions& options :
       {SaveOptions{}, SaveOptions{.binary = true}, SaveOptions{.packed = true}}) {
    const absl::Status saved = SaveModel(model, prefix_ + "long", 0, options);
    ASSERT_TRUE(saved.ok()) << saved;
    const std::string bytes = ReadBytes(PathsOfModel(prefix_ + "long", 0, options)->symbol);
    const fuzz::AllocationMeter meter;
    const absl::StatusOr<Model> loaded = Load(bytes, options.packed ? "" : params_);
    const int64_t peak = meter.peak_bytes();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->graph.nodes().size(), 30000);
    EXPECT_LE(peak, 4 * static_cast<int64_t>(bytes.size()) + (64 << 20));
    std::cout << "peak " << peak << " bytes, file " << bytes.size() << " bytes\n";
  }
}

}  // namespace
}  // namespace tandem
