#include "tandem/frontends/cpp/block.h"

#include <cstdio>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
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

HybridSequential Mlp() {
  HybridSequential net;
  net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(128, {.activation = "relu"}),
          nn::Dense(2));
  return net;
}

class PlainMlp : public Block {
 public:
  PlainMlp() {
    hidden_ = Register("hidden", nn::Dense(4, {.activation = "relu"}));
    out_ = Register("out", nn::Dense(2));
  }
  Tensor Forward(const Tensor& x) override {
    ++calls;
    return out_(hidden_(x));
  }
  BlockRef<nn::Dense> hidden_, out_;
  int calls = 0;
};

// R10 R13
TEST(Block, DenseLayersMapShapes) {
  HybridSequential net = Mlp();
  net.Initialize();
  EXPECT_EQ(net(RandomNormal({1, 512})).shape(), Shape({1, 2}));
  EXPECT_EQ(net[0].parameters()[0]->shape(), Shape({256, 512}));
  EXPECT_EQ(net.size(), 3);
  EXPECT_THAT(ErrorOf([&] { net[3]; }), HasSubstr("3 blocks"));
}

// R11
TEST(Block, ClassRelations) {
  static_assert(std::is_base_of_v<Block, Sequential>);
  static_assert(!std::is_base_of_v<HybridBlock, Sequential>);
  static_assert(std::is_base_of_v<HybridBlock, HybridSequential>);
  static_assert(std::is_base_of_v<Block, HybridBlock>);
  static_assert(std::is_base_of_v<HybridBlock, nn::Dense>);
}

// R12 R15
TEST(Block, AnUnhybridizedHybridIsABlock) {
  random::Seed(1);
  HybridSequential hybrid;
  hybrid.Add(nn::Dense(4, {.activation = "relu"}), nn::Dense(2));
  hybrid.Initialize();
  const Tensor x = RandomNormal({3, 5});
  const Tensor y = hybrid(x);
  PlainMlp plain;
  plain.Initialize();
  plain(x);
  const ParameterList from = hybrid.CollectParameters();
  const ParameterList to = plain.CollectParameters();
  ASSERT_EQ(from.size(), to.size());
  for (size_t i = 0; i < from.size(); ++i) to[i]->SetData(from[i]->Data());
  EXPECT_EQ(ToVector(plain(x)), ToVector(y));
}

// R14
TEST(Block, ForwardBeforeInitializeIsAnError) {
  HybridSequential net = Mlp();
  net.SetName("mlp");
  EXPECT_THAT(ErrorOf([&] {
                net(Ones({1, 512}));
              }),
              AllOf(HasSubstr("Initialize()"), HasSubstr("mlp_dense0_weight"),
                    HasSubstr("mlp_dense2_bias")));
}

class Unresolvable : public HybridBlock {
 public:
  Unresolvable() {
    DeclareParameter("a", {.shape = {kDynamic, 2}});
    DeclareParameter("b", {.shape = {kDynamic}});
  }
  Tensor HybridForward(const Tensor& x, const Params& p) override { return x; }
};

// R13
TEST(Block, UnresolvedParametersAreListedTogether) {
  Unresolvable block;
  block.SetName("odd");
  block.Initialize();
  EXPECT_THAT(ErrorOf([&] { block(Ones({2})); }),
              AllOf(HasSubstr("odd_a"), HasSubstr("odd_b"), HasSubstr("InferParameterShapes")));
  HybridSequential net = Mlp();
  net.Initialize();
  EXPECT_THAT(ErrorOf([&] { net.SaveParameters("never-written"); }),
              AllOf(HasSubstr("dense0_weight"), HasSubstr("dense2_weight")));
}

TEST(Block, ExplicitSizesNeedNoForward) {
  nn::Dense dense(3, {.in_units = 2});
  dense.Initialize(init::One());
  EXPECT_THAT(ToVector(dense.parameters()[0]->Data()), ElementsAre(1, 1, 1, 1, 1, 1));
  EXPECT_THAT(ErrorOf([&] {
                dense(Ones({1, 5}));
              }),
              AllOf(HasSubstr("matmul"), HasSubstr("[1,5]"), HasSubstr("[3,2]")));
}

class WithParameter : public HybridBlock {
 public:
  WithParameter() { DeclareParameter("fc3_weight", {.shape = {10, 84}}); }
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    EXPECT_FALSE(p.contains("other"));
    return Dot(x, p["fc3_weight"], {.transpose_b = true});
  }
};

// R16
TEST(Block, ADeclaredParameterArrivesAsAnArgument) {
  WithParameter block;
  block.Initialize();
  EXPECT_EQ(block(Ones({2, 84})).shape(), Shape({2, 10}));
  EXPECT_THAT(ErrorOf([] { Params()["x"]; }), HasSubstr("'x'"));
}

// R17
TEST(Block, NamesAreStableAndUnique) {
  for (int run = 0; run < 2; ++run) {
    NameScope scope;
    HybridSequential net = Mlp();
    HybridSequential second = Mlp();
    EXPECT_EQ(net.CollectParameters().names()[0], "hybridsequential0_dense0_weight");
    EXPECT_EQ(net.CollectParameters().names()[5], "hybridsequential0_dense2_bias");
    EXPECT_EQ(second.name(), "hybridsequential1");
    PlainMlp plain;
    EXPECT_THAT(plain.CollectParameters().names(),
                ElementsAre("plainmlp0_hidden_weight", "plainmlp0_hidden_bias",
                            "plainmlp0_out_weight", "plainmlp0_out_bias"));
  }
  Sequential outer;
  outer.SetName("model");
  HybridSequential inner;
  inner.Add(nn::Dense(1));
  outer.Add(std::move(inner));
  EXPECT_EQ(outer.CollectParameters().names()[0], "model_hybridsequential0_dense0_weight");
  EXPECT_THAT(ErrorOf([&] { outer.SetName("a b"); }), HasSubstr("name"));
}

// A child's name may be the first that is asked for.
TEST(Block, AParentIsNamedByItsClass) {
  NameScope scope;
  PlainMlp net;
  EXPECT_EQ(net.hidden_->name(), "plainmlp0_hidden");
  EXPECT_EQ(net.hidden_->CollectParameters().names()[0], "plainmlp0_hidden_weight");
  PlainMlp moved(std::move(net));
  EXPECT_EQ(moved.name(), "plainmlp0");
  EXPECT_EQ(moved.hidden_->name(), "plainmlp0_hidden");
}

TEST(Block, CollectsByPattern) {
  HybridSequential net = Mlp();
  net.SetName("mlp");
  EXPECT_EQ(net.CollectParameters(".*bias").size(), 3);
  EXPECT_EQ(net.CollectParameters("mlp_dense1").size(), 2);
  EXPECT_EQ(net.CollectParameters("dense1").size(), 0);  // from the start of the name
  EXPECT_THAT(ErrorOf([&] { net.CollectParameters("("); }), HasSubstr("regular expression"));
  EXPECT_THAT(ErrorOf([&] { net.CollectParameters()["nothing"]; }), HasSubstr("mlp_dense0_weight"));
}

TEST(Block, ASharedBlockIsCountedOnce) {
  auto dense = std::make_shared<nn::Dense>(4, nn::DenseOptions{.in_units = 4});
  HybridSequential net;
  net.Add(dense, dense);
  EXPECT_EQ(net.CollectParameters().size(), 2);
}

// R33
TEST(Block, AHybridRefusesAPlainChild) {
  HybridSequential net;
  EXPECT_THAT(ErrorOf([&] { net.Add(PlainMlp()); }),
              AllOf(HasSubstr("HybridSequential"), HasSubstr("PlainMlp")));
  EXPECT_EQ(net.size(), 0);
  Sequential plain;
  plain.Add(PlainMlp(), nn::Dense(2));
  EXPECT_EQ(plain.size(), 2);
}

// R33
TEST(Block, HybridizeOfAPlainBlockReachesItsHybridChildren) {
  PlainMlp net;
  net.Initialize();
  net.Hybridize();
  const Tensor x = Ones({1, 3});
  net(x);
  net(x);
  EXPECT_EQ(net.calls, 2);
  EXPECT_TRUE(net.hidden_->hybridized());
  ASSERT_TRUE(net.hidden_->function());
  EXPECT_EQ(net.hidden_->function()->stats().traces, 1);
}

TEST(Block, ParametersGoToAFileAndBack) {
  const std::string path = ::testing::TempDir() + "/block_test.params";
  const Tensor x = RandomNormal({2, 7});
  HybridSequential net = Mlp();
  net.Initialize(init::Xavier());
  const std::vector<float> expected = ToVector(net(x));
  net.SaveParameters(path);
  HybridSequential same = Mlp();
  same.LoadParameters(path);
  EXPECT_EQ(ToVector(same(x)), expected);

  HybridSequential larger = Mlp();
  larger.Add(nn::Dense(3));
  EXPECT_THAT(ErrorOf([&] { larger.LoadParameters(path); }), HasSubstr("3.weight"));
  larger.Initialize();
  larger.LoadParameters(path, {.allow_missing = true});
  HybridSequential smaller;
  smaller.Add(nn::Dense(256));
  EXPECT_THAT(ErrorOf([&] { smaller.LoadParameters(path); }), HasSubstr("ignore_extra"));
  EXPECT_THAT(ErrorOf([&] { same.LoadParameters(path + ".no"); }), HasSubstr(".no"));
  HybridSequential other;
  other.Add(nn::Dense(256, {.in_units = 9}), nn::Dense(128), nn::Dense(2));
  EXPECT_THAT(ErrorOf([&] { other.LoadParameters(path); }),
              AllOf(HasSubstr("[256,9]"), HasSubstr("[256,7]")));
  std::filesystem::remove(path);
}

TEST(Block, SummaryCountsParameters) {
  HybridSequential net = Mlp();
  net.Initialize();
  const std::string text = net.Summary(Ones({1, 512}));
  EXPECT_THAT(text, HasSubstr("Dense(256, activation=relu)"));
  EXPECT_THAT(text, HasSubstr("f32[1,2]"));
  EXPECT_THAT(text, HasSubstr("131328"));  // 256 · 512 + 256
  EXPECT_THAT(text, HasSubstr("164482 parameters are trained"));
}

TEST(Block, ErrorsNameTheBlocksPath) {
  PlainMlp net;
  net.SetName("net");
  net.Initialize();
  net(Ones({1, 3}));
  EXPECT_THAT(ErrorOf([&] { net(Ones({1, 9})); }), HasSubstr("net/hidden"));
  EXPECT_THAT(ErrorOf([&] { net(Tensor()); }), HasSubstr("empty"));
}

TEST(Block, CirclesAreRefused) {
  auto a = std::make_shared<Sequential>();
  auto b = std::make_shared<Sequential>();
  auto c = std::make_shared<Sequential>();
  a->SetName("above");
  a->Add(b);
  b->Add(c);
  EXPECT_THAT(ErrorOf([&] { c->Add(a); }),
              AllOf(HasSubstr("'above'"), HasSubstr("'above_sequential0_sequential0'"),
                    HasSubstr("circles")));
  EXPECT_THAT(ErrorOf([&] { a->Add(a); }), HasSubstr("they are one block"));
  EXPECT_EQ(c->size(), 0);
  EXPECT_EQ(a->CollectParameters().size(), 0);
}

TEST(Block, LoadParametersChangesAllOrNothing) {
  const std::string path = ::testing::TempDir() + "/block_test_atomic.params";
  HybridSequential saved;
  saved.Add(nn::Dense(2, {.in_units = 3}), nn::Dense(2, {.in_units = 2}));
  saved.Initialize(init::One());
  saved.SaveParameters(path);
  HybridSequential other;  // its first layer fits, its second does not
  other.Add(nn::Dense(2, {.in_units = 3}), nn::Dense(4, {.in_units = 2}));
  other.Initialize(init::Constant(7));
  EXPECT_THAT(ErrorOf([&] { other.LoadParameters(path); }),
              AllOf(HasSubstr("[4,2]"), HasSubstr("[2,2]")));
  EXPECT_EQ(ToVector(other.CollectParameters()[0]->Data())[0], 7);
  std::filesystem::remove(path);
}

class Inner : public Block {
 public:
  Inner() { dense_ = Register("dense", nn::Dense(2, {.in_units = 2})); }
  Tensor Forward(const Tensor& x) override {
    if (ask) text = dense_->Summary(x);
    return dense_(x);
  }
  BlockRef<nn::Dense> dense_;
  bool ask = true;
  std::string text;
};

class GivesNothing : public Block {
 public:
  Tensor Forward(const Tensor& x) override { return Tensor(); }
};

TEST(Block, SummariesMayNestAndSeeEmptyTensors) {
  Sequential net;
  auto inner = std::make_shared<Inner>();
  net.Add(inner, nn::Dense(3, {.in_units = 2}));
  net.Initialize();
  EXPECT_THAT(net.Summary(Ones({1, 2})),
              AllOf(HasSubstr("15 parameters are trained"), HasSubstr("f32[1,3]")));
  EXPECT_THAT(inner->text, HasSubstr("6 parameters are trained"));
  GivesNothing nothing;
  EXPECT_THAT(nothing.Summary(Ones({1, 2})), HasSubstr("(empty)"));
}

TEST(Block, ASummaryOfACompiledNetHasItsLayers) {
  HybridSequential net;
  net.Add(nn::Dense(4, {.in_units = 3}), nn::Dense(2, {.in_units = 4}));
  net.Initialize();
  const Tensor x = Ones({1, 3});
  const std::string imperative = net.Summary(x);
  net.Hybridize();
  EXPECT_EQ(net.Summary(x), imperative);
  net(x);
  EXPECT_EQ(net.Summary(x), imperative);
}

TEST(Block, ASummaryCountsASharedLayerOnce) {
  auto dense = std::make_shared<nn::Dense>(4, nn::DenseOptions{.in_units = 4});
  HybridSequential net;
  net.Add(dense, dense);
  net.Initialize();
  EXPECT_THAT(net.Summary(Ones({1, 4})), HasSubstr("\n20 parameters are trained"));
}

TEST(Block, MovesWithGradientsAndTheTrainerFollows) {
  TestDevice other(/*device_memory_visible=*/false);
  random::Seed(3);
  HybridSequential net;
  net.Add(nn::Dense(4, {.activation = "relu"}), nn::Dense(2));
  net.Initialize(init::Xavier());
  Trainer trainer(net.CollectParameters(), std::make_unique<Adam>());
  const Tensor x = RandomNormal({3, 5});
  const auto step = [&] {
    Tensor loss;
    {
      RecordScope record;
      loss = Mean(net(x) * net(x));
    }
    Backward(loss);
    trainer.Step(1);
  };
  net.Hybridize();
  step();
  const std::vector<float> output = ToVector(net(x));
  const std::vector<float> gradient = ToVector(net.CollectParameters()[0]->Grad());

  net.MoveTo(other);
  for (const ParameterPtr& p : net.CollectParameters()) {
    EXPECT_EQ(p->Data().device(), &other);
    EXPECT_EQ(p->Grad().device(), &other);
  }
  EXPECT_EQ(ToVector(net.CollectParameters()[0]->Grad()), gradient);
  const std::string error = ErrorOf([&] { net(x); });
  EXPECT_THAT(error, AllOf(HasSubstr("test:0"), HasSubstr("cpu:0")));
  // The gradient that was used is no new one, wherever it is.
  EXPECT_THAT(ErrorOf([&] { trainer.Step(1); }), HasSubstr("no new gradient"));

  net.MoveTo("cpu:0");
  EXPECT_EQ(ToVector(net(x)), output);
  step();
  EXPECT_NE(ToVector(net(x)), output);
}

TEST(Block, AParameterWithoutAValueIsMadeWhereItsBlockMoved) {
  TestDevice other;
  HybridSequential net;
  net.Add(nn::Dense(4, {.use_bias = false}));
  net.Initialize(init::Xavier(), &other);
  net.MoveTo("cpu:0");
  net(Ones({2, 3}));
  for (const ParameterPtr& p : net.CollectParameters()) {
    EXPECT_EQ(p->Data().device()->id().ToString(), "cpu:0");
  }
}

TEST(Block, DuplicateNamesAreRefused) {
  class Twice : public Block {
   public:
    Twice() {
      Register("a", nn::Dense(1));
      Register("a", nn::Dense(1));
    }
  };
  EXPECT_THAT(ErrorOf([] { Twice(); }), HasSubstr("'a' already"));
  class TwoParameters : public Block {
   public:
    TwoParameters() {
      DeclareParameter("w", {.shape = {1}});
      DeclareParameter("w", {.shape = {1}});
    }
  };
  EXPECT_THAT(ErrorOf([] { TwoParameters(); }), HasSubstr("'w' already"));
}

}  // namespace
}  // namespace tandem
