#include "tandem/serialization/native/model.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/serialization/native/sample_model.h"
#include "tandem/serialization/native/test_files.h"

namespace tandem {
namespace {

using Code = absl::StatusCode;

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RegisterSampleOps(&registry_).ok());
    absl::StatusOr<Model> model = SampleModel(registry_, device_);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    prefix_ = TestPath("m");
  }

  // The model as it should come back: parameters in the order of the inputs, default signature.
  Model Expected() const {
    Model expected = model_;
    expected.parameters.clear();
    for (const char* name : {"dense0_weight", "dense0_bias", "running mean", "mask"}) {
      for (const NamedTensor& named : model_.parameters) {
        if (named.name == name) expected.parameters.push_back(named);
      }
    }
    if (expected.signature.empty()) expected.signature = {Shape{kDynamic, 4}};
    return expected;
  }

  absl::StatusOr<Model> Load(const std::string& symbol, const std::string& params,
                             const LoadOptions& options = {}) {
    return LoadModel(symbol, params, device_, registry_, options);
  }

  void ExpectError(const absl::Status& status, Code code, absl::string_view text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), text)) << status;
  }

  // Saves, replaces text in the symbol file, and loads.
  void ExpectErrorAfter(const std::vector<std::pair<absl::string_view, absl::string_view>>& edits,
                        Code code, absl::string_view text) {
    ASSERT_TRUE(SaveModel(model_, prefix_).ok());
    const std::string path = prefix_ + "-symbol.json";
    std::string json = ReadBytes(path);
    for (const auto& [from, to] : edits) {
      ASSERT_TRUE(absl::StrContains(json, from)) << from;
      json.replace(json.find(std::string(from)), from.size(), to.data(), to.size());
    }
    WriteBytes(path, json);
    const absl::Status status = Load(path, prefix_ + "-0000.params").status();
    ExpectError(status, code, text);
    EXPECT_TRUE(absl::StrContains(status.message(), path)) << status;
  }

  OpRegistry registry_;
  TestDevice device_;
  Model model_;
  std::string prefix_;
};

TEST_F(ModelTest, PathsAreThoseOfMxnet) {  // R61
  EXPECT_EQ(PathsOfModel("my_mlp", 0)->symbol, "my_mlp-symbol.json");
  EXPECT_EQ(PathsOfModel("my_mlp", 0)->params, "my_mlp-0000.params");
  EXPECT_EQ(PathsOfModel("model", 1)->params, "model-0001.params");
  EXPECT_EQ(PathsOfModel("model", 12345)->params, "model-12345.params");
  EXPECT_EQ(PathsOfModel("a", 0, {.binary = true})->symbol, "a-symbol.pb");
  EXPECT_EQ(PathsOfModel("a", 0, {.packed = true})->symbol, "a.tandem");
  EXPECT_FALSE(PathsOfModel("", 0).ok());
  EXPECT_FALSE(PathsOfModel("a", -1).ok());
  EXPECT_FALSE(PathsOfModel("a", 0, {.binary = true, .packed = true}).ok());
}

TEST_F(ModelTest, EveryFormRoundTripsBitForBit) {  // R61 R65
  for (const SaveOptions& options :
       {SaveOptions{}, SaveOptions{.binary = true}, SaveOptions{.packed = true}}) {
    const absl::Status saved = SaveModel(model_, prefix_, 3, options);
    ASSERT_TRUE(saved.ok()) << saved;
    const ModelPaths paths = *PathsOfModel(prefix_, 3, options);
    // Content counts, not the name.
    const std::string renamed = TestPath("renamed");
    WriteBytes(renamed, ReadBytes(paths.symbol));
    absl::StatusOr<Model> loaded = Load(renamed, paths.params);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const absl::Status same = CompareModels(*loaded, Expected());
    EXPECT_TRUE(same.ok()) << same;
  }
}

TEST_F(ModelTest, LoadsOntoAnotherDevice) {  // R70
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  TestDevice other(/*device_memory_visible=*/false, /*ordinal=*/1);
  absl::StatusOr<Model> loaded =
      LoadModel(prefix_ + "-symbol.json", prefix_ + "-0000.params", other, registry_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->parameters[0].tensor.device(), &other);
  const absl::Status same = CompareModels(*loaded, Expected());
  EXPECT_TRUE(same.ok()) << same;
}

TEST_F(ModelTest, SavingTwiceGivesTheSameBytes) {
  ASSERT_TRUE(SaveModel(model_, prefix_ + "a").ok());
  absl::StatusOr<Model> loaded = Load(prefix_ + "a-symbol.json", prefix_ + "a-0000.params");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_TRUE(SaveModel(*loaded, prefix_ + "b").ok());
  EXPECT_EQ(ReadBytes(prefix_ + "a-symbol.json"), ReadBytes(prefix_ + "b-symbol.json"));
  EXPECT_EQ(ReadBytes(prefix_ + "a-0000.params"), ReadBytes(prefix_ + "b-0000.params"));
}

TEST_F(ModelTest, EpochsShareTheSymbolFile) {  // R72
  ASSERT_TRUE(SaveModel(model_, prefix_, 0).ok());
  const Model before = Expected();
  model_.parameters[1].tensor =
      *Tensor::FromVector<float>({9, 8, 7, 6, 5, 4, 3, 2}, {2, 4}, device_);
  ASSERT_TRUE(SaveModel(model_, prefix_, 1).ok());
  absl::StatusOr<Model> first = Load(prefix_ + "-symbol.json", prefix_ + "-0000.params");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(CompareModels(*first, before).ok());
  absl::StatusOr<Model> second = Load(prefix_ + "-symbol.json", prefix_ + "-0001.params");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(CompareModels(*second, Expected()).ok());
}

TEST_F(ModelTest, SignatureSaysWhatMayDiffer) {
  ASSERT_TRUE(SaveModel(model_, prefix_, 0, {.dynamic_batch = false}).ok());
  EXPECT_EQ(Load(prefix_ + "-symbol.json", prefix_ + "-0000.params")->signature[0], (Shape{1, 4}));
  model_.signature = {Shape{1, kDynamic}};
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  EXPECT_EQ(Load(prefix_ + "-symbol.json", prefix_ + "-0000.params")->signature[0],
            (Shape{1, kDynamic}));
  for (const std::vector<Shape>& wrong :
       {std::vector<Shape>{Shape{2, 4}}, {Shape{1}}, {Shape{1, 4}, Shape{}}}) {
    model_.signature = wrong;
    ExpectError(SaveModel(model_, prefix_), Code::kInvalidArgument, "signature");
  }
}

TEST_F(ModelTest, GraphWithoutItsParameters) {
  Model small = *SmallModel(registry_, device_);
  ASSERT_TRUE(SaveModel(small, prefix_).ok());
  absl::StatusOr<Model> loaded = Load(prefix_ + "-symbol.json", "");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->graph.nodes().size(), 5);
  EXPECT_TRUE(loaded->parameters.empty());
  // A large constant is needed for the graph.
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  ExpectError(Load(prefix_ + "-symbol.json", "").status(), Code::kInvalidArgument,
              "give the path of that file");
}

TEST_F(ModelTest, SaveRefusesWhatIsInconsistent) {
  const Model good = model_;
  const auto expect = [&](const std::function<void(Model&)>& edit, absl::string_view text) {
    model_ = good;
    edit(model_);
    ExpectError(SaveModel(model_, prefix_), Code::kInvalidArgument, text);
  };
  expect([](Model& m) { m.parameters.pop_back(); }, "state 'running mean' has no tensor");
  expect([](Model& m) { m.parameters.push_back(m.parameters[0]); }, "'mask' is given twice");
  expect([](Model& m) { m.parameters[0].name = "data"; }, "no parameter, state or capture 'data'");
  expect([](Model& m) { m.parameters[0].tensor = m.parameters[1].tensor; },
         "capture 'mask' is bool[1,2] in the graph, its tensor is f32[2,4]");
  expect([](Model& m) { m.parameters[0].tensor = Tensor(); }, "not defined");
  expect([](Model& m) { m.graph.set_name("\xff"); }, "not UTF-8");
  expect([](Model& m) { m.blocks[1].parent = 1; }, "block 'mlp0/dense0': its parent is 1");
  expect([](Model& m) { m.blocks[1].parameters[0] = "x"; }, "no parameter 'x'");
  expect([](Model& m) { m.blocks[1].config[0].second = "\xff"; }, "not UTF-8");
  EXPECT_EQ(ReadBytes(prefix_ + "-symbol.json"), "");
  EXPECT_EQ(ReadBytes(prefix_ + "-0000.params"), "");
}

TEST_F(ModelTest, MissingFilesSayWhatToDo) {
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  absl::Status status = Load(prefix_ + "-symbol.jsn", "").status();
  ExpectError(status, Code::kNotFound, prefix_ + "-symbol.jsn");
  ExpectError(status, Code::kNotFound, "-symbol.json");
  status = Load(prefix_ + "-symbol.json", prefix_ + "-0009.params").status();
  ExpectError(status, Code::kNotFound, prefix_ + "-0009.params");
  ExpectError(status, Code::kNotFound, "exported with the symbol file");
  ExpectError(Load(prefix_ + "-0000.params", "").status(), Code::kInvalidArgument,
              "give the -symbol.json as the model");
  ExpectError(Load(prefix_ + "-symbol.json", prefix_ + "-symbol.json").status(), Code::kDataLoss,
              "not a safetensors file");
}

TEST_F(ModelTest, UnknownOpIsNamedWithItsNode) {
  ExpectErrorAfter({{"\"op\": \"relu\"", "\"op\": \"rellu\""}}, Code::kUnimplemented,
                   "node 2 (rellu in mlp0 at mlp.cc:8)");
  ExpectErrorAfter({{"\"op\": \"relu\"", "\"op\": \"rellu\""}}, Code::kUnimplemented,
                   "did you mean 'relu'");
}

TEST_F(ModelTest, CyclesAndForwardReferencesNameTheNode) {
  ExpectErrorAfter({{"\"inputs\": [0, 1]", "\"inputs\": [0, 5]"}}, Code::kInvalidArgument,
                   "node 0 (matmul in mlp0/dense0 at mlp.cc:7): its input 5 is not defined before");
  ExpectErrorAfter({{"\"inputs\": [0, 1]", "\"inputs\": [0, 2]"}}, Code::kInvalidArgument,
                   "without cycles");
  ExpectErrorAfter({{"\"inputs\": [0, 1]", "\"inputs\": [0, -1]"}}, Code::kInvalidArgument,
                   "there is no value -1");
  ExpectErrorAfter({{"\"outputs\": [2]", "\"outputs\": [7]"}}, Code::kInvalidArgument,
                   "defines value 2");
  ExpectErrorAfter({{"\"outputs\": [2]", "\"outputs\": []"}}, Code::kInvalidArgument,
                   "has no outputs");
}

TEST_F(ModelTest, TypesAreComparedWithInference) {
  ExpectErrorAfter({{"\"types\": [\"f32[1,2]\"]", "\"types\": [\"f32[1,3]\"]"}},
                   Code::kInvalidArgument, "is f32[1,3] in the file, but f32[1,2] by inference");
  // Inference itself names op and shapes.
  ExpectErrorAfter({{"f32[2,4]", "f32[2,5]"}}, Code::kInvalidArgument,
                   "matmul(a f32[1,4], b f32[2,5])");
  ExpectErrorAfter({{"f32[1,4]", "f32[?,4]"}}, Code::kInvalidArgument, "only the signature can");
  ExpectErrorAfter({{"f32[1,4]", "f33[1,4]"}}, Code::kInvalidArgument, "input 'data'");
  ExpectErrorAfter({{"\"kind\": \"argument\"", "\"kind\": \"arg\""}}, Code::kInvalidArgument,
                   "kinds: argument");
  ExpectErrorAfter({{"f32[?,4]", "f32[?,5]"}}, Code::kInvalidArgument, "signature");
  ExpectErrorAfter({{"f32[?,4]", "f16[?,4]"}}, Code::kInvalidArgument, "signature");
}

TEST_F(ModelTest, AttributesAndOutputsAreChecked) {
  ExpectErrorAfter({{"\"transpose_b\"", "\"transpose_c\""}}, Code::kInvalidArgument, "transpose_c");
  ExpectErrorAfter({{"\"b\": true", "\"i\": \"1\""}}, Code::kInvalidArgument, "transpose_b");
  ExpectErrorAfter({{",\n      \"b\": true", ""}}, Code::kInvalidArgument, "has no value");
  ExpectErrorAfter({{"\"i\": \"2\"", "\"i\": \"2000000000\""}}, Code::kInvalidArgument,
                   "the op has 2000000000 outputs, the node 2");
  ExpectErrorAfter({{"\"dtype\": \"f16\"", "\"dtype\": \"f17\""}}, Code::kInvalidArgument, "f17");
}

TEST_F(ModelTest, StoredTensorsAreChecked) {
  ExpectErrorAfter({{"\"name\": \"mask\",\n   \"type\": \"bool[1,2]\"",
                     "\"name\": \"mask\",\n   \"type\": \"bool[2,1]\""}},
                   Code::kInvalidArgument, "tensor 'mask' is bool[1,2] in the graph");
  ExpectErrorAfter({{"\"name\": \"mask\",\n   \"type\"", "\"name\": \"mas\",\n   \"type\""}},
                   Code::kInvalidArgument, "'mask' is not among the stored tensors");
  ExpectErrorAfter({{"\"tensor\": \"constant1\"", "\"tensor\": \"mask\""}}, Code::kInvalidArgument,
                   "constant 1: tensor 'mask' is f32[65] in the graph");
  ExpectErrorAfter(
      {{"\"name\": \"mask\",\n   \"type\"", "\"name\": \"dense0_bias\",\n   \"type\""}},
      Code::kInvalidArgument, "stands twice");
}

TEST_F(ModelTest, ParametersOfAnotherModel) {
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  Model other = *SmallModel(registry_, device_);
  ASSERT_TRUE(SaveModel(other, prefix_ + "other").ok());
  const absl::Status status =
      Load(prefix_ + "-symbol.json", prefix_ + "other-0000.params").status();
  ExpectError(status, Code::kInvalidArgument, "other-0000.params has no tensor 'constant1'");
  ExpectError(status, Code::kInvalidArgument, "does it belong to");
}

TEST_F(ModelTest, ChecksumMismatchNamesTheParameter) {
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  const std::string path = prefix_ + "-0000.params";
  std::string params = ReadBytes(path);
  // The last bytes are those of the smallest elements: of "mask".
  params.back() ^= 1;
  WriteBytes(path, params);
  ExpectError(Load(prefix_ + "-symbol.json", path).status(), Code::kDataLoss, "tensor 'mask'");
  EXPECT_TRUE(Load(prefix_ + "-symbol.json", path, {.verify_checksums = false}).ok());
}

TEST_F(ModelTest, SymbolChecksumsProtectFilesWithoutTheirOwn) {
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  const std::string path = prefix_ + "-0000.params";
  std::string params = ReadBytes(path);
  params.back() ^= 1;
  // Take the file's own checksums away, keeping every length.
  WriteBytes(path, absl::StrReplaceAll(params, {{"crc32c:", "crc32X:"}}));
  ExpectError(Load(prefix_ + "-symbol.json", path).status(), Code::kDataLoss, "tensor 'mask'");
}

TEST_F(ModelTest, EveryTornFileIsAnError) {
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  ASSERT_TRUE(SaveModel(model_, prefix_, 0, {.packed = true}).ok());
  const std::string symbol = ReadBytes(prefix_ + "-symbol.json");
  const std::string params = ReadBytes(prefix_ + "-0000.params");
  const std::string packed = ReadBytes(prefix_ + ".tandem");
  const auto load = [&](absl::string_view a, absl::string_view b) {
    const MemorySource symbol_source("symbol", a);
    const MemorySource params_source("params", b);
    return LoadModel(symbol_source, b.empty() ? nullptr : &params_source, device_, registry_)
        .status();
  };
  ASSERT_TRUE(load(symbol, params).ok());
  ASSERT_TRUE(load(packed, "").ok());
  for (size_t size = 1; size < params.size(); size += 3) {
    ASSERT_FALSE(load(symbol, params.substr(0, size)).ok()) << size;
  }
  // Without its last bytes, "}\n", the symbol file is torn.
  for (size_t size = 0; size + 2 < symbol.size(); size += 7) {
    ASSERT_FALSE(load(symbol.substr(0, size), params).ok()) << size;
  }
  for (size_t size = 0; size < packed.size(); size += 7) {
    ASSERT_FALSE(load(packed.substr(0, size), "").ok()) << size;
  }
}

// Files without blocks on the disk, so that all of their bytes exist and none costs anything.
TEST_F(ModelTest, FilesLargerThanMemory) {
  constexpr int64_t kSize = int64_t{1} << 40;
  const std::string path = TestPath("huge");
  WriteBytes(path, "{");
  if (::truncate(path.c_str(), kSize) != 0) GTEST_SKIP() << "no sparse files here";
  ExpectError(Load(path, "").status(), Code::kResourceExhausted, "at most");

  const TensorSpec spec{DType::kU8, {kSize}};
  const std::string header = absl::StrCat(R"({"w":{"dtype":"U8","shape":[)", kSize,
                                          R"(],"data_offsets":[0,)", kSize, "]}}");
  const uint64_t length = header.size();
  WriteBytes(path,
             absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), header));
  ASSERT_EQ(::truncate(path.c_str(), kSize + 8 + static_cast<int64_t>(length)), 0);
  const std::string symbol = absl::StrCat(
      R"({"format":"tandem.model","formatVersion":"1.0","graph":{"inputs":[{"name":"w",)",
      R"("kind":"parameter","value":0,"type":")", spec.ToString(),
      R"("}]},"tensors":[{"name":"w","type":")", spec.ToString(), R"("}]})");
  WriteBytes(TestPath("symbol"), symbol);
  ExpectError(Load(TestPath("symbol"), path).status(), Code::kResourceExhausted, "no room");
  ::unlink(path.c_str());
}

TEST_F(ModelTest, PackedModelTakesOtherParameters) {
  ASSERT_TRUE(SaveModel(model_, prefix_, 0, {.packed = true}).ok());
  model_.parameters[0].tensor = *Tensor::FromVector<bool>({false, true}, {1, 2}, device_);
  ASSERT_TRUE(SaveModel(model_, prefix_, 5).ok());
  absl::StatusOr<Model> loaded = Load(prefix_ + ".tandem", prefix_ + "-0005.params");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(CompareModels(*loaded, Expected()).ok());
}

TEST_F(ModelTest, NamesMayBeAnyText) {
  // A parameter that has the name that a large constant would get.
  ASSERT_TRUE(model_.graph.AddInput("constant1", {DType::kF32, {}}, InputKind::kParameter).ok());
  model_.parameters.push_back({"constant1", *Tensor::Scalar<float>(1.0f, device_)});
  ASSERT_TRUE(SaveModel(model_, prefix_).ok());
  absl::StatusOr<Model> loaded = Load(prefix_ + "-symbol.json", prefix_ + "-0000.params");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->parameters.back().name, "constant1");
}

class BodyTest : public ModelTest {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    absl::StatusOr<Model> model = BodyModel(registry_, device_);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
};

TEST_F(BodyTest, ComesBackEqual) {
  for (const bool binary : {false, true}) {
    ASSERT_TRUE(SaveModel(model_, prefix_, 0, {.binary = binary}).ok());
    const std::string symbol = prefix_ + (binary ? "-symbol.pb" : "-symbol.json");
    const absl::StatusOr<Model> loaded = Load(symbol, prefix_ + "-0000.params");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const absl::Status same = CompareModels(*loaded, model_);
    EXPECT_TRUE(same.ok()) << same;
    if (!binary) {
      EXPECT_TRUE(absl::StrContains(ReadBytes(symbol), "\"formatVersion\": \"1.1\""));
    }
  }
  // Older readers read what has no bodies.
  ASSERT_TRUE(SaveModel(*SampleModel(registry_, device_), prefix_).ok());
  EXPECT_TRUE(absl::StrContains(ReadBytes(prefix_ + "-symbol.json"), "\"formatVersion\": \"1.0\""));
}

TEST_F(BodyTest, DamageIsFound) {
  const absl::string_view add = R"("op": "add",
         "inputs": [0, 1],
         "outputs": [2],
         "types": ["f32[1,4]"])";
  const auto edited = [&](absl::string_view from, absl::string_view to) {
    return absl::StrReplaceAll(add, {{from, to}});
  };
  ExpectErrorAfter({{add, edited("[0, 1]", "[0, 2]")}}, Code::kInvalidArgument, "uses %2");
  ExpectErrorAfter({{add, edited("[0, 1]", "[0, -1]")}}, Code::kInvalidArgument, "uses %-1");
  ExpectErrorAfter({{add, edited("[2]", "[3]")}}, Code::kInvalidArgument,
                   "output 0 has number 3, it should be 2");
  ExpectErrorAfter({{add, edited("f32[1,4]", "f32[1,5]")}}, Code::kInvalidArgument,
                   "step 0 (add): output 0 is f32[1,5] in the file, but f32[1,4] by inference");
  ExpectErrorAfter({{add, edited("add", "adb")}}, Code::kUnimplemented, "adb");
  ExpectErrorAfter(
      {{"\"inputs\": [\"f32[1,4]\", \"f32[1,4]\"]", "\"inputs\": [\"f32[1,?]\", \"f32[1,4]\"]"}},
      Code::kInvalidArgument, "'?'");
  ExpectErrorAfter({{"\"outputs\": [4, 5]", "\"outputs\": [4, 6]"}}, Code::kInvalidArgument,
                   "return uses %6");
  ExpectErrorAfter({{"\"outputs\": [4, 5]", "\"outputs\": []"}}, Code::kInvalidArgument,
                   "no outputs");
}

}  // namespace
}  // namespace tandem
