#include "tandem/frontends/cpp/hybrid_block.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"
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

// Counts how often its body runs, and what it saw.
class Counting : public HybridBlock {
 public:
  Counting() {
    body_ = Register("body", nn::Dense(8, {.activation = "relu"}));
    DeclareParameter("scale", {.shape = {8}, .init = init::Constant(2)});
  }
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    ++calls;
    symbolic = x.is_symbolic();
    parameter_symbolic = p["scale"].is_symbolic();
    if (read) Item(Sum(x));
    if (foreign) throw std::out_of_range("from the body");
    return body_(x) * p["scale"];
  }
  int calls = 0;
  bool symbolic = false;
  bool parameter_symbolic = false;
  bool read = false;
  bool foreign = false;

 private:
  BlockRef<nn::Dense> body_;
};

// R26 R27 R28 R29 R32
TEST(HybridBlock, TheBodyRunsOnceMoreAfterHybridize) {
  random::Seed(3);
  Counting net;
  net.Initialize(init::Xavier());
  const Tensor x = RandomNormal({4, 5});
  const std::vector<float> eager = ToVector(net(x));
  net(x);
  EXPECT_EQ(net.calls, 2);
  EXPECT_FALSE(net.symbolic);

  net.Hybridize();
  EXPECT_EQ(ToVector(net(x)), eager);
  EXPECT_EQ(net.calls, 3);
  EXPECT_TRUE(net.symbolic);
  EXPECT_TRUE(net.parameter_symbolic);  // R16
  EXPECT_EQ(ToVector(net(x)), eager);
  const Tensor other = RandomNormal({4, 5});
  const std::vector<float> compiled = ToVector(net(other));
  EXPECT_EQ(net.calls, 3);

  net.Hybridize(false);
  EXPECT_EQ(ToVector(net(other)), compiled);
  EXPECT_EQ(net.calls, 4);
}

// R35
TEST(HybridBlock, ANewShapeTracesOnceMore) {
  Counting net;
  net.Initialize();
  net.Hybridize();
  net(Ones({4, 5}));
  net(Ones({3, 5}));
  EXPECT_EQ(net.calls, 2);
  net(Ones({4, 5}));
  net(Ones({3, 5}));
  EXPECT_EQ(net.calls, 2);
  {
    TrainingScope training(true);
    net(Ones({4, 5}));
  }
  EXPECT_EQ(net.calls, 3);
}

// R13: the first call may be the trace.
TEST(HybridBlock, LearnsShapesInATrace) {
  HybridSequential net;
  net.Add(nn::Dense(16, {.activation = "relu"}), nn::Dense(4));
  net.Initialize();
  net.Hybridize();
  const Tensor x = RandomNormal({2, 9});
  const std::vector<float> compiled = ToVector(net(x));
  net.Hybridize(false);
  EXPECT_EQ(ToVector(net(x)), compiled);
}

// R13: the first call may be a recorded, compiled one, and the trainer may be there before it.
TEST(HybridBlock, LearnsShapesInATrainingStep) {
  std::vector<std::vector<float>> weights;
  for (const bool hybridized : {false, true}) {
    random::Seed(21);
    HybridSequential net;
    net.Add(nn::Dense(16, {.activation = "relu"}), nn::Dense(4));
    net.Initialize(init::Xavier());
    net.Hybridize(hybridized);
    Trainer trainer(net.CollectParameters(), std::make_unique<Adam>());
    L2Loss loss;
    const Tensor x = RandomNormal({2, 9});
    for (int step = 0; step < 3; ++step) {
      Tensor l;
      {
        RecordScope record;
        l = loss(net(x), Ones({2, 4}));
      }
      Backward(l);
      trainer.Step(2);
    }
    for (const ParameterPtr& p : net.CollectParameters()) weights.push_back(ToVector(p->Data()));
  }
  ASSERT_EQ(weights.size(), 8u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(weights[i], weights[i + 4]) << i;
}

TEST(HybridBlock, OnlyTheOutermostCompiles) {
  HybridSequential net;
  net.Add(nn::Dense(16), nn::Dense(4));
  net.Initialize();
  net.Hybridize();
  net(Ones({2, 9}));
  net(Ones({2, 9}));
  EXPECT_EQ(net.function()->stats().traces, 1);
  auto& dense = static_cast<nn::Dense&>(net[0]);
  EXPECT_TRUE(!dense.function() || dense.function()->stats().entries == 0);
}

// R71
TEST(HybridBlock, GradientsAreEqualBitForBit) {
  random::Seed(5);
  HybridSequential net;
  net.Add(nn::Dense(16, {.activation = "relu"}), nn::Dense(8, {.activation = "tanh"}),
          nn::Dense(4));
  net.Initialize(init::Xavier());
  SoftmaxCrossEntropyLoss loss;
  const Tensor x = RandomNormal({7, 9});
  const Tensor labels = Array<int32_t>({0, 1, 2, 3, 0, 1, 2});
  auto gradients = [&] {
    Tensor l;
    {
      RecordScope record;
      l = loss(net(x), labels);
    }
    Backward(l);
    std::vector<std::vector<float>> result = {ToVector(l)};
    for (const ParameterPtr& p : net.CollectParameters()) result.push_back(ToVector(p->Grad()));
    return result;
  };
  const auto eager = gradients();
  ASSERT_EQ(eager.size(), 7u);
  net.Hybridize();
  EXPECT_EQ(gradients(), eager);
  net.Hybridize({.static_alloc = true, .static_shape = true});
  EXPECT_EQ(gradients(), eager);
  EXPECT_EQ(gradients(), eager);
  loss.Hybridize();
  EXPECT_EQ(gradients(), eager);
}

// What failed is not what an export traces.
TEST(HybridBlock, AFailedCallIsNotRemembered) {
  HybridSequential net;
  net.Add(nn::Dense(2, {.in_units = 5}));
  net.Initialize();
  net.Hybridize();
  net(Ones({4, 5}));
  EXPECT_NE(ErrorOf([&] { net(Ones({4, 9})); }), "(no error)");
  EXPECT_THAT(net.GraphText(), HasSubstr("f32[4,5]"));
}

// Both nets that hold a layer compile anew when it changes.
TEST(HybridBlock, AllParentsHearOfAChange) {
  auto dense = std::make_shared<nn::Dense>(1, nn::DenseOptions{.use_bias = false, .in_units = 1});
  auto shared = std::make_shared<HybridSequential>();
  shared->Add(dense);
  HybridSequential first, second;
  first.Add(shared);
  second.Add(shared);
  first.Initialize(init::Constant(3));
  first.Hybridize();
  second.Hybridize();
  const Tensor x = Ones({1, 1});
  EXPECT_EQ(Item(first(x)), 3);
  EXPECT_EQ(Item(second(x)), 3);
  auto more = std::make_shared<nn::Dense>(1, nn::DenseOptions{.use_bias = false, .in_units = 1});
  more->Initialize(init::Constant(2));
  shared->Add(more);
  EXPECT_EQ(Item(first(x)), 6);
  EXPECT_EQ(Item(second(x)), 6);
  EXPECT_EQ(dense->name(), first.name() + "_hybridsequential0_dense0");
}

// R34
TEST(HybridBlock, StaticShapeAloneIsRefused) {
  Counting net;
  EXPECT_THAT(ErrorOf([&] { net.Hybridize({.static_shape = true}); }), HasSubstr("static_alloc"));
  EXPECT_FALSE(net.hybridized());
}

// R31
TEST(HybridBlock, ASymbolGivesASymbol) {
  Counting net;
  net.Initialize();
  net(Ones({1, 5}));
  for (const bool hybridized : {false, true}) {
    net.Hybridize(hybridized);
    GraphBuilder builder("g", &DefaultDevice());
    const Tensor x = Value(builder.Input("x", {DType::kF32, {3, 5}}));
    const Tensor y = net(x);
    ASSERT_TRUE(y.is_symbolic());
    EXPECT_EQ(y.shape(), Shape({3, 8}));
    const TracedGraph traced = Value(builder.Finish({{"y", y}}));
    EXPECT_GE(traced.graph.FindInput("x"), 0);
    EXPECT_EQ(traced.graph.inputs().size(), 4u);  // x, weight, bias, scale
  }
}

// R42 R50
TEST(HybridBlock, AFailedTraceChangesNothing) {
  Counting net;
  net.Initialize();
  const Tensor x = Ones({2, 5});
  const std::vector<float> eager = ToVector(net(x));
  net.Hybridize();
  net.read = true;
  EXPECT_THAT(ErrorOf([&] { net(x); }), AllOf(HasSubstr("sum"), HasSubstr("hybrid_block_test.cc")));
  net.Hybridize(false);
  EXPECT_EQ(ToVector(net(x)), eager);
  net.Hybridize();
  net.read = false;
  EXPECT_EQ(ToVector(net(x)), eager);
  EXPECT_EQ(net.function()->stats().traces, 1);
}

TEST(HybridBlock, AForeignExceptionComesThrough) {
  Counting net;
  net.Initialize();
  net.Hybridize();
  net.foreign = true;
  EXPECT_THROW(net(Ones({2, 5})), std::out_of_range);
}

// R36 R20
TEST(HybridBlock, DropoutFollowsTheMode) {
  HybridSequential net;
  net.Add(nn::Dropout(0.5));
  const Tensor x = Ones({64});
  net(x);
  std::vector<std::vector<float>> draws;
  for (const bool hybridized : {false, true}) {
    net.Hybridize(hybridized);
    random::Seed(9);
    EXPECT_EQ(ToVector(net(x)), ToVector(x));
    TrainingScope training(true);
    draws.push_back(ToVector(net(x)));
    draws.push_back(ToVector(net(x)));
  }
  EXPECT_NE(draws[0], draws[1]);
  EXPECT_EQ(draws[0], draws[2]);
  EXPECT_EQ(draws[1], draws[3]);
}

// R36
TEST(HybridBlock, BatchStatisticsAreWrittenBack) {
  std::vector<std::vector<float>> means;
  for (const bool hybridized : {false, true}) {
    random::Seed(11);
    nn::BatchNorm norm;
    norm.Initialize();
    norm.Hybridize(hybridized);
    const Tensor x = RandomNormal({8, 3, 2, 2}, 5.0, 2.0);
    {
      TrainingScope training(true);
      norm(x);
      norm(x);
    }
    means.push_back(ToVector(norm.parameters()[2]->Data()));
    means.push_back(ToVector(norm.parameters()[3]->Data()));
    means.push_back(ToVector(norm(x)));
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(means[i], means[i + 3]) << i;
  for (float mean : means[0]) EXPECT_GT(mean, 0.5);  // two steps from 0 towards 5
}

// R72: parameters that changed after compiling are used.
TEST(HybridBlock, NewParameterValuesAreUsed) {
  Counting net;
  net.Initialize();
  net.Hybridize();
  const Tensor x = Ones({1, 5});
  const std::vector<float> before = ToVector(net(x));
  Parameter& scale = *net.parameters()[0];
  scale.SetData(Full({8}, 4.0));
  const std::vector<float> after = ToVector(net(x));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i], 2 * before[i]);
  EXPECT_EQ(net.calls, 1);
  EXPECT_THAT(ErrorOf([&] { scale.SetData(Ones({9})); }), HasSubstr("[9]"));
}

TEST(HybridBlock, ManyThreadsCallOneNet) {
  HybridSequential net;
  net.Add(nn::Dense(8, {.activation = "relu", .in_units = 5}), nn::Dense(3, {.in_units = 8}));
  net.Initialize();
  const Tensor x = RandomNormal({4, 5});
  const TensorList eager = {
      MatMul(Relu(MatMul(x, net[0].parameters()[0]->Data(), {.transpose_b = true})),
             net[1].parameters()[0]->Data(), {.transpose_b = true})};  // the biases are zero
  const std::vector<float> expected = ToVector(eager[0]);
  net.Hybridize();  // the first calls compete for the trace
  std::vector<std::thread> threads;
  std::atomic<int> equal{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) equal += ToVector(net(x)) == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 200);
}

// R7
TEST(HybridBlock, TellsItsGraph) {
  Counting net;
  net.SetName("counting");
  net.Initialize();
  EXPECT_THAT(ErrorOf([&] { net.GraphText(); }), HasSubstr("forward"));
  EXPECT_THAT(ErrorOf([&] { net.Explain(); }), HasSubstr("Hybridize()"));
  net.Hybridize();
  net(Ones({2, 5}));
  EXPECT_THAT(net.GraphText(), AllOf(HasSubstr("counting_body_weight"), HasSubstr("matmul"),
                                     HasSubstr("counting/body")));
  EXPECT_THAT(net.GraphDot(), HasSubstr("digraph"));
  EXPECT_THAT(net.Explain(), HasSubstr("first call"));
  net.Verify({Ones({2, 5})});
}

TEST(HybridBlock, AChangeOfStructureTracesAgain) {
  HybridSequential net;
  net.Add(nn::Dense(4));
  net.Initialize();
  net.Hybridize();
  EXPECT_EQ(net(Ones({1, 2})).shape(), Shape({1, 4}));
  net.Add(nn::Dense(3));
  net.Initialize();
  EXPECT_EQ(net(Ones({1, 2})).shape(), Shape({1, 3}));
}

}  // namespace
}  // namespace tandem
