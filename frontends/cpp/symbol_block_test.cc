#include "tandem/frontends/cpp/symbol_block.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/trace/graph_builder.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename Fn>
std::string ErrorOf(Fn fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

class SymbolBlockTest : public ::testing::Test {
 protected:
  SymbolBlockTest() : folder_(::testing::TempDir() + "/symbol_block_test/") {
    std::filesystem::create_directories(folder_);
  }
  ~SymbolBlockTest() override { std::filesystem::remove_all(folder_); }

  static HybridSequential Mlp() {
    random::Seed(2);
    HybridSequential net;
    net.SetName("mlp");
    net.Add(nn::Dense(16, {.activation = "relu"}), nn::Dropout(0.5), nn::BatchNorm(), nn::Dense(3));
    net.Initialize(init::Xavier());
    return net;
  }

  const std::string folder_;
};

// R61 R64 R65 R17
TEST_F(SymbolBlockTest, ImportGivesTheSameBits) {
  HybridSequential net = Mlp();
  EXPECT_THAT(ErrorOf([&] { net.Export(folder_ + "my_mlp"); }), HasSubstr("forward"));
  const Tensor x = RandomNormal({5, 9});
  const std::vector<float> expected = ToVector(net(x));
  net.Export(folder_ + "my_mlp");
  net.Export(folder_ + "model", 1);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "my_mlp-symbol.json"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "my_mlp-0000.params"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "model-symbol.json"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "model-0001.params"));

  auto imported = SymbolBlock::Imports(folder_ + "my_mlp-symbol.json", {"data"},
                                       folder_ + "my_mlp-0000.params");
  EXPECT_EQ(ToVector(imported(x)), expected);
  imported->Hybridize();
  EXPECT_EQ(ToVector(imported(x)), expected);
  EXPECT_EQ(imported(RandomNormal({2, 9})).shape(), Shape({2, 3}));  // another batch size
  const ParameterList parameters = imported->CollectParameters();
  for (const ParameterPtr& parameter : net.CollectParameters()) {
    EXPECT_TRUE(parameters.contains(parameter->name())) << parameter->name();
  }
}

// R72
TEST_F(SymbolBlockTest, ExportWritesTheValuesOfNow) {
  HybridSequential net = Mlp();
  const Tensor x = Ones({1, 9});
  net(x);
  net.CollectParameters()["mlp_dense1_bias"].SetData(Array({1, 2, 3}));
  const std::vector<float> expected = ToVector(net(x));
  net.Export(folder_ + "now");
  auto imported =
      SymbolBlock::Imports(folder_ + "now-symbol.json", {"data"}, folder_ + "now-0000.params");
  EXPECT_EQ(ToVector(imported(x)), expected);
}

// R73
TEST_F(SymbolBlockTest, AnImportedModelTrainsOn) {
  HybridSequential net = Mlp();
  const Tensor x = RandomNormal({8, 9});
  net(x);
  net.Export(folder_ + "mlp");
  auto imported =
      SymbolBlock::Imports(folder_ + "mlp-symbol.json", {"data"}, folder_ + "mlp-0000.params");
  Trainer trainer(imported->CollectParameters(),
                  std::make_unique<SGD>(SGDOptions{.learning_rate = 0.1}));
  L2Loss loss;
  const Tensor target = Ones({8, 3});
  std::vector<float> losses;
  for (int step = 0; step < 20; ++step) {
    Tensor l;
    {
      RecordScope record;
      l = loss(imported(x), target);
    }
    Backward(l);
    trainer.Step(8);
    losses.push_back(Item(Mean(l)));
  }
  EXPECT_LT(losses.back(), losses.front() / 2);
}

TEST_F(SymbolBlockTest, MovesWithWhatItsGraphHolds) {
  constexpr char kProgram[] = R"(
    graph @g(%data: f32[1,2] argument, %w: f32[2,2] parameter, %k: f32[2] capture) -> (f32[1,2] "y") {
      %c0 = constant dense<[2.0, 3.0]> : f32[2]
      %h = matmul(%data, %w) : f32[1,2]
      %i = add(%h, %k) : f32[1,2]
      %y = mul(%i, %c0) : f32[1,2]
      return %y
    })";
  Initialize();
  TestDevice other(/*device_memory_visible=*/false);
  SymbolBlock net(Value(ParseGraph(kProgram, OpRegistry::Global(), &DefaultDevice())), {"data"},
                  {{"w", Array({1, 0, 0, 1}, {2, 2})}, {"k", Array({10, 20})}}, DefaultDevice());
  net.Hybridize();
  const Tensor x = Array({1, 2}, {1, 2});
  const std::vector<float> expected = {22, 66};
  EXPECT_EQ(ToVector(net(x)), expected);
  net.MoveTo(other);
  EXPECT_EQ(net.CollectParameters()[0]->Data().device(), &other);
  EXPECT_EQ(net.graph().constants()[0].tensor.device(), &other);
  EXPECT_THAT(ErrorOf([&] { net(x); }), AllOf(HasSubstr("cpu:0"), HasSubstr("test:0")));
  net.MoveTo("cpu:0");
  EXPECT_EQ(ToVector(net(x)), expected);
}

TEST_F(SymbolBlockTest, OneFileAndBinary) {
  HybridSequential net = Mlp();
  const Tensor x = Ones({2, 9});
  const std::vector<float> expected = ToVector(net(x));
  net.Export(folder_ + "packed", 0, {.packed = true});
  EXPECT_EQ(ToVector(SymbolBlock::Imports(folder_ + "packed.tandem", {"data"})(x)), expected);
  net.Export(folder_ + "binary", 0, {.input_names = {"image"}, .binary = true});
  EXPECT_EQ(ToVector(SymbolBlock::Imports(folder_ + "binary-symbol.pb", {"image"},
                                          folder_ + "binary-0000.params")(x)),
            expected);
}

TEST_F(SymbolBlockTest, MistakesAreExplained) {
  HybridSequential net = Mlp();
  net(Ones({2, 9}));
  net.Export(folder_ + "mlp");
  EXPECT_THAT(ErrorOf([&] { SymbolBlock::Imports(folder_ + "absent.json", {"data"}, ""); }),
              HasSubstr("absent.json"));
  EXPECT_THAT(ErrorOf([&] {
                SymbolBlock::Imports(folder_ + "mlp-symbol.json", {"image"},
                                     folder_ + "mlp-0000.params");
              }),
              AllOf(HasSubstr("data"), HasSubstr("image")));
  EXPECT_THAT(ErrorOf([&] { SymbolBlock::Imports(folder_ + "mlp-symbol.json", {"data"}, ""); }),
              HasSubstr("parameter file"));
}

class HoldsTheBatch : public HybridBlock {
 public:
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    return Reshape(x, {x.shape()[0] * x.shape()[1]});
  }
};

class FixedReshape : public HybridBlock {
 public:
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    return Reshape(x * 2, {x.shape()[0], -1});
  }
};

TEST_F(SymbolBlockTest, TheSignatureIsEnforced) {
  HybridSequential net = Mlp();
  net(Ones({2, 9}));
  net.Export(folder_ + "mlp");
  auto imported =
      SymbolBlock::Imports(folder_ + "mlp-symbol.json", {"data"}, folder_ + "mlp-0000.params");
  EXPECT_EQ(imported(Ones({5, 9})).shape(), Shape({5, 3}));
  for (const bool hybridized : {false, true}) {
    imported->Hybridize(hybridized);
    EXPECT_THAT(ErrorOf([&] {
                  imported(Ones({2, 8}));
                }),
                AllOf(HasSubstr("'data'"), HasSubstr("f32[2,8]"), HasSubstr("f32[?,9]")));
    EXPECT_THAT(ErrorOf([&] { imported(Ones({2, 3, 3})); }), HasSubstr("f32[2,3,3]"));
    EXPECT_THAT(ErrorOf([&] {
                  imported(Ones({2, 9}, DType::kF64));
                }),
                AllOf(HasSubstr("f64[2,9]"), HasSubstr("f32[?,9]")));
  }
  net.Export(folder_ + "fixed", 0, {.dynamic_batch = false});
  auto fixed =
      SymbolBlock::Imports(folder_ + "fixed-symbol.json", {"data"}, folder_ + "fixed-0000.params");
  EXPECT_EQ(fixed(Ones({2, 9})).shape(), Shape({2, 3}));
  EXPECT_THAT(ErrorOf([&] {
                fixed(Ones({5, 9}));
              }),
              AllOf(HasSubstr("f32[5,9]"), HasSubstr("f32[2,9]")));
}

// A graph that holds the batch size is not exported as one that takes any.
TEST_F(SymbolBlockTest, ABatchThatCannotDifferIsFixed) {
  HoldsTheBatch flat;
  FixedReshape reshape;
  const std::pair<std::string, HybridBlock*> nets[] = {{"flat", &flat}, {"reshape", &reshape}};
  for (const auto& [name, net] : nets) {
    (*net)(Ones({2, 6}));
    net->Export(folder_ + name);
    auto imported = SymbolBlock::Imports(folder_ + name + "-symbol.json", {"data"},
                                         folder_ + name + "-0000.params");
    EXPECT_EQ(imported(Ones({2, 6})).num_elements(), 12);
    EXPECT_THAT(ErrorOf([&] {
                  imported(Ones({3, 6}));
                }),
                AllOf(HasSubstr("f32[3,6]"), HasSubstr("f32[2,6]")))
        << name;
  }
}

// The draws of an imported graph are those that the block would make (R20).
TEST_F(SymbolBlockTest, RandomStateStartsWhereTheBlockWouldDraw) {
  GraphBuilder builder("noise", &DefaultDevice());
  const Tensor x = Value(builder.Input("x", {DType::kF32, {6}}));
  Tensor y;
  {
    InterpreterScope recording(builder.interpreter());
    y = x + RandomUniform({6});
  }
  TracedGraph traced = Value(builder.Finish({{"y", y}}));
  SymbolBlock block(traced.graph, {"x"}, {}, DefaultDevice());
  const Tensor zeros = Zeros({6});
  random::Seed(4);
  const std::vector<float> first = ToVector(RandomUniform({6}));
  const std::vector<float> second = ToVector(RandomUniform({6}));
  for (const bool hybridized : {false, true}) {
    block.Hybridize(hybridized);
    random::Seed(4);
    EXPECT_EQ(ToVector(block(zeros)), first);
    EXPECT_EQ(ToVector(block(zeros)), second);
  }
  HybridSequential twice;
  auto shared =
      std::make_shared<SymbolBlock>(traced.graph, std::vector<std::string>{"x"},
                                    std::vector<std::pair<std::string, Tensor>>{}, DefaultDevice());
  twice.Add(shared, shared);
  twice.Hybridize();
  random::Seed(4);
  const std::vector<float> sum = ToVector(twice(zeros));
  for (size_t i = 0; i < sum.size(); ++i) EXPECT_EQ(sum[i], first[i] + second[i]);
}

}  // namespace
}  // namespace tandem
