// Eager, hybridized, static, and exported and imported: the same bits, forward and backward, in both
// modes and at several batch sizes.

#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/tests/e2e/networks.h"

namespace tandem {
namespace {

class StrictNumericsTest : public testing::TestWithParam<Network> {};

void ExpectSame(const Observed& expected, const Observed& actual, const std::string& what) {
  EXPECT_TRUE(SameBits(expected.output, actual.output)) << what << ": output";
  EXPECT_TRUE(SameBits(expected.input_gradient, actual.input_gradient))
      << what << ": input gradient";
  ASSERT_EQ(expected.gradients.size(), actual.gradients.size()) << what;
  for (const auto& [name, gradient] : expected.gradients) {
    EXPECT_TRUE(actual.gradients.count(name) == 1 && SameBits(actual.gradients.at(name), gradient))
        << what << ": gradient of " << name;
  }
  ASSERT_EQ(expected.parameters.size(), actual.parameters.size()) << what;
  for (const auto& [name, value] : expected.parameters) {
    EXPECT_TRUE(actual.parameters.count(name) == 1 && SameBits(actual.parameters.at(name), value))
        << what << ": value of " << name;
  }
}

TEST(SameBitsTest, IsStricterThanEquality) {
  EXPECT_TRUE(SameBits(std::vector<float>{}, {}));
  EXPECT_TRUE(SameBits(std::vector<float>{NAN}, {NAN}));
  EXPECT_FALSE(SameBits(std::vector<float>{0.0f}, {-0.0f}));
  EXPECT_FALSE(SameBits(std::vector<float>{0.0f}, {0.0f, 0.0f}));
}

// R26 R71 R36
TEST_P(StrictNumericsTest, CompiledIsEagerBitForBit) {
  const auto net = Ready(GetParam());
  for (const int64_t size : {1, 7, 16}) {
    const Batch batch = MakeBatch(GetParam(), size);
    for (const bool training : {false, true}) {
      net->Hybridize(false);
      const Observed eager = Step(*net, batch, training);
      EXPECT_FALSE(eager.gradients.empty());
      for (const bool is_static : {false, true}) {
        net->Hybridize({.static_alloc = is_static, .static_shape = is_static});
        for (int call = 0; call < 2; ++call) {
          ExpectSame(eager, Step(*net, batch, training),
                     absl::StrCat(GetParam().name, ", batch ", size, training ? ", training" : "",
                                  is_static ? ", static" : "", ", call ", call));
        }
      }
    }
  }
}

// R65 R71 R73 R17
TEST_P(StrictNumericsTest, ImportedIsExportedBitForBit) {
  const std::string folder =
      absl::StrCat(testing::TempDir(), "/strict_numerics_", GetParam().name, "/");
  std::filesystem::create_directories(folder);
  const auto net = Ready(GetParam());
  for (const bool packed : {false, true}) {
    const std::string prefix = absl::StrCat(folder, packed ? "packed" : "model");
    net->Export(prefix, 0, {.packed = packed});
    const auto imported =
        packed ? SymbolBlock::Imports(prefix + ".tandem", {"data"})
               : SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params");
    // A graph is exported for prediction, so what depends on the mode is compared in that one.
    for (const bool training : {false, true}) {
      if (training && GetParam().draws) continue;
      for (const int64_t size : {1, 7, 16}) {  // it was exported at 2
        const Batch batch = MakeBatch(GetParam(), size);
        net->Hybridize(false);
        const Observed original = Step(*net, batch, training);
        for (const bool hybridized : {false, true}) {
          imported->Hybridize(hybridized);
          Observed copy = Step(*imported, batch, training);
          // What is not trained may have got a gradient: the file knows parameters only.
          for (auto it = copy.gradients.begin(); it != copy.gradients.end();) {
            it = original.gradients.count(it->first) == 0 ? copy.gradients.erase(it) : ++it;
          }
          ExpectSame(original, copy,
                     absl::StrCat(GetParam().name, ", batch ", size, training ? ", training" : "",
                                  hybridized ? ", hybridized" : "", packed ? ", packed" : ""));
        }
      }
    }
  }
  std::filesystem::remove_all(folder);
}

// R47: a loop of the host is as many nodes as it has rounds.
TEST(NetworksTest, ALoopUnrolls) {
  nn::HybridLambda thrice([](const Tensor& x) {
    Tensor y = x;
    for (int round = 0; round < 3; ++round) y = Tanh(y);
    return y;
  });
  const Tensor x = Array<float>({-1.0f, 0.25f});
  const std::vector<float> eager = ToVector(thrice(x));
  thrice.Hybridize();
  EXPECT_TRUE(SameBits(ToVector(thrice(x)), eager));
  EXPECT_EQ(Value(thrice.function()->traced()).graph.nodes().size(), 3u);
}

// R18 R10
TEST(NetworksTest, MapTheShapesOfTheRequirements) {
  const auto lenet = Ready(Networks()[1]);
  EXPECT_EQ((*lenet)(MakeBatch(Networks()[1], 16).x).shape(), Shape({16, 10}));
  for (const ParameterPtr& p : lenet->CollectParameters(".*fc1_weight")) {
    EXPECT_EQ(p->shape(), Shape({120, 256}));
  }
  EXPECT_EQ(lenet->CollectParameters(".*fc1_weight").size(), 1u);
  const auto mlp = Ready(Networks()[0]);
  EXPECT_EQ((*mlp)(Ones({1, 512})).shape(), Shape({1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Networks, StrictNumericsTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
