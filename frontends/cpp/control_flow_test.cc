// Control flow as users write it: eager, hybridized, exported and imported. R46 R47

#include "tandem/frontends/cpp/control_flow.h"

#include <cmath>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> Bits(const Tensor& x) {
  if (!x.defined()) return {};
  std::vector<std::byte> bytes(x.spec().num_bytes());
  EXPECT_TRUE(x.CopyToHost(absl::MakeSpan(bytes)).ok());
  return bytes;
}

// h <- tanh(x W + h U + b), as the user of a framework would write it; the last state is classified.
class Rnn : public HybridBlock {
 public:
  Rnn(int64_t units, int64_t classes) {
    input_ = Register("input", nn::Dense(units, {.flatten = false}));
    state_ = Register("state", nn::Dense(units, {.flatten = false}));
    output_ = Register("output", nn::Dense(classes));
    units_ = units;
  }

  // x: [steps, batch, features].
  Tensor HybridForward(const Tensor& x, const Params&) override {
    const Tensor start = Zeros({x.shape()[1], units_});
    const auto [outputs, last] = ForEach(
        [&](const Tensor& row, const Tensor& h) {
          const Tensor next = Tanh((*input_)(row) + (*state_)(h));
          return std::pair(next, next);
        },
        x, start);
    return (*output_)(last);
  }

 private:
  BlockRef<nn::Dense> input_;
  BlockRef<nn::Dense> state_;
  BlockRef<nn::Dense> output_;
  int64_t units_;
};

TEST(ControlFlow, CondRunsOneSide) {  // R46
  const Tensor x = Array({1, 2});
  std::string ran;
  const auto f = [&](const Tensor& condition) {
    return Cond(
        condition,
        [&] {
          ran += "then ";
          return x * 2;
        },
        [&] {
          ran += "else ";
          return x - 1;
        });
  };
  EXPECT_THAT(ToVector(f(Sum(x) > 0)), ElementsAre(2, 4));
  EXPECT_THAT(ToVector(f(Sum(x) < 0)), ElementsAre(0, 1));
  EXPECT_EQ(ran, "then else ");
}

TEST(ControlFlow, ScanHasCarriesAndOutputs) {
  const ScanResult result = Scan(
      [](const TensorList& carry, const TensorList& xs) {
        const Tensor sum = carry[0] + xs[0];
        return ScanResult{{sum, carry[1] * 2}, {sum * carry[1]}};
      },
      {ScalarArray(0.0f), ScalarArray(1.0f)}, {Array({1, 2, 3})}, {.reverse = true});
  EXPECT_EQ(Item(result.carry[0]), 6);
  EXPECT_EQ(Item(result.carry[1]), 8);
  EXPECT_THAT(ToVector(result.outputs[0]), ElementsAre(24, 10, 3));
}

TEST(ControlFlow, WhileLoopTakesAsManyStepsAsTheDataSay) {  // R47
  for (const float a : {2.0f, 100.0f, 12345.0f}) {
    const Tensor number = ScalarArray(a);
    RequireGrad(number);
    Tensor root;
    {
      RecordScope record;
      root = WhileLoop([&](const Tensor& r) { return Abs(r * r - number) > 1e-5 * number; },
                       [&](const Tensor& r) { return (r + number / r) * 0.5; }, number,
                       {.max_iterations = 50});
    }
    Backward(root);
    // Newton's method converges quadratically, so the root and its slope are exact but for rounding
    // and the 1e-5 at which it stops.
    EXPECT_NEAR(Item(root), std::sqrt(a), 1e-5 * std::sqrt(a));
    EXPECT_NEAR(Item(GradOf(number)), 0.5 / std::sqrt(a), 1e-4 / std::sqrt(a));
  }
}

TEST(ControlFlow, ValuesAreThereEagerly) {
  std::vector<float> seen;
  ForEach(
      [&](const Tensor& x, const Tensor& sum) {
        seen.push_back(Item(sum));
        return std::pair(x, sum + x);
      },
      Array({1, 2, 3}), ScalarArray(0.0f));
  EXPECT_THAT(seen, ElementsAre(0, 1, 3));
}

TEST(ControlFlow, AnExceptionComesOutAsItWent) {
  const Tensor x = Array({1, 2});
  EXPECT_THROW(
      Cond(
          Sum(x) > 0, [&]() -> Tensor { throw std::runtime_error("mine"); }, [&] { return x; }),
      std::runtime_error);
  try {
    Scan(
        [](const TensorList& carry, const TensorList&) {
          return ScanResult{{}, carry};
        },
        {x}, {}, {.length = 2});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("takes 1 carries and gives 0"),
                                    HasSubstr("control_flow_test.cc:")));
  }
}

TEST(ControlFlow, EachStepDrawsItsOwnRandomNumbers) {
  // A mask of dropout for each step, in a loop forwards and one backwards.
  struct Net : HybridBlock {
    Tensor HybridForward(const Tensor& x, const Params&) override {
      const auto [forwards, last] = ForEach(
          [&](const Tensor& row, const Tensor& sum) {
            const Tensor next = (*dropout)(row) + sum;
            return std::pair(next, next);
          },
          x, ZerosLike(Sum(x, {.axes = {0}})));
      const ScanResult backwards = Scan(
          [&](const TensorList& carry, const TensorList& xs) {
            const Tensor next = (*dropout)((*dropout)(xs[0])) * carry[0];
            return ScanResult{{carry[0]}, {next}};
          },
          {last}, {forwards}, {.reverse = true});
      return backwards.outputs[0];
    }
    BlockRef<nn::Dropout> dropout = Register("dropout", nn::Dropout(0.5));
  };
  std::vector<std::byte> outputs[3];
  std::vector<std::byte> grads[3];
  for (int mode = 0; mode < 3; ++mode) {  // eager, recorded, compiled
    Net net;
    net.Initialize();
    if (mode == 2) net.Hybridize();
    const Tensor x = Ones({4, 33});
    RequireGrad(x);
    random::Seed(7);
    Tensor y;
    if (mode == 0) {
      const TrainingScope training(true);
      y = net(x);
    } else {
      RecordScope record;
      y = net(x);
    }
    if (mode > 0) Backward(y);
    outputs[mode] = Bits(y);
    grads[mode] = Bits(GradOf(x));
    const std::vector<float> values = ToVector(y);
    EXPECT_NE(std::vector<float>(values.begin(), values.begin() + 33),
              std::vector<float>(values.begin() + 33, values.begin() + 66));
    // The numbers that come next are the same ones, too.
    const std::vector<std::byte> next = Bits(RandomUniform({3}));
    outputs[mode].insert(outputs[mode].end(), next.begin(), next.end());
  }
  EXPECT_EQ(outputs[0], outputs[1]);
  EXPECT_EQ(outputs[1], outputs[2]);
  EXPECT_EQ(grads[1], grads[2]);
}

// Goes along the rows of x. A row with a positive sum is multiplied by a parameter until it is small,
// which takes as many steps as the row says; another one is divided by it.
struct Shrink : HybridBlock {
  Shrink() { DeclareParameter("factor", {.shape = {3}}); }
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    const Tensor factor = p["factor"];
    const auto [rows, last] = ForEach(
        [&](const Tensor& row, const Tensor& total) {
          const Tensor y = Cond(
              Sum(row) > 0,
              [&] {
                return WhileLoop([](const Tensor& r) { return Sum(r * r) > 1; },
                                 [&](const Tensor& r) { return r * Sigmoid(factor); }, row,
                                 {.max_iterations = 30});
              },
              [&] { return row / (factor + 2); });
          return std::pair(y * Tanh(total), total + Sum(y));
        },
        x, Ones({}));
    return rows * last;
  }
};

TEST(ControlFlow, ANestAgreesEagerCompiledAndImported) {  // R46 R47 R65 R71
  const std::string prefix = testing::TempDir() + "/shrink";
  const Tensor x = Array({1, 2, 3, -1, -2, 0.5f, 9, 9, 9, 0.1f, 0.1f, 0.1f}, {4, 3});
  const auto observe = [&](Block& net) {
    RequireGrad(x);
    Tensor y;
    {
      RecordScope record;
      y = net(x);
    }
    Backward(y);
    std::vector<std::vector<std::byte>> seen = {Bits(net(x)), Bits(y), Bits(GradOf(x))};
    for (const ParameterPtr& parameter : net.CollectParameters()) {
      seen.push_back(Bits(parameter->Grad()));
    }
    return seen;
  };
  random::Seed(5);
  Shrink net;
  net.Initialize(init::Uniform(0.5));
  const auto eager = observe(net);
  ASSERT_EQ(eager.size(), 4u);
  EXPECT_EQ(eager[0], eager[1]);
  net.Hybridize({.static_alloc = true, .static_shape = true});
  EXPECT_EQ(observe(net), eager);
  net.Export(prefix, 0);
  for (const bool hybrid : {false, true}) {
    const auto imported =
        SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params");
    if (hybrid) imported->Hybridize();
    EXPECT_EQ(observe(*imported), eager);
  }
}

// The losses of some steps of training, and the parameters after them.
std::pair<std::vector<float>, std::vector<std::vector<std::byte>>> Train(Block& net, int epochs) {
  Trainer trainer(net.CollectParameters(), std::make_unique<SGD>(SGDOptions{.learning_rate = 0.2}));
  random::Seed(11);
  // Which half of the sequence is larger: the net has to remember.
  const Tensor x = RandomNormal({6, 32, 3});
  const Tensor halves = Sum(Slice(x, {0, 0, 0}, {3, 32, 3}), {.axes = {0, 2}}) -
                        Sum(Slice(x, {3, 0, 0}, {6, 32, 3}), {.axes = {0, 2}});
  const Tensor label = Cast(halves > 0, DType::kI64);
  SoftmaxCrossEntropyLoss criterion;
  std::vector<float> losses;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    Tensor loss;
    {
      RecordScope record;
      loss = Mean(criterion(net(x), label));
    }
    Backward(loss);
    trainer.Step(1);
    losses.push_back(Item(loss));
  }
  std::vector<std::vector<std::byte>> values;
  for (const ParameterPtr& parameter : net.CollectParameters()) {
    values.push_back(Bits(parameter->Data()));
  }
  return {losses, values};
}

TEST(ControlFlow, ARecurrentNetTrainsAndIsExported) {  // R47 R65 R71 R73
  const std::string prefix = testing::TempDir() + "/rnn";
  std::vector<float> losses[2];
  std::vector<std::vector<std::byte>> values[2];
  std::vector<float> trained_on;
  for (const bool hybrid : {false, true}) {
    random::Seed(3);
    Rnn net(8, 2);
    net.Initialize(init::Xavier());
    if (hybrid) net.Hybridize({.static_alloc = true, .static_shape = true});
    std::tie(losses[hybrid], values[hybrid]) = Train(net, 40);
    if (!hybrid) continue;
    net.Export(prefix, 0);
    trained_on = Train(net, 3).first;
  }
  EXPECT_LT(losses[0].back(), 0.5f * losses[0].front());
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(values[0], values[1]);

  // What was imported gives the same bits, and trains on in the same way.
  std::vector<float> more[2];
  std::vector<std::vector<std::byte>> after[2];
  for (const bool hybrid : {false, true}) {
    const auto imported =
        SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params");
    if (hybrid) imported->Hybridize();
    std::tie(more[hybrid], after[hybrid]) = Train(*imported, 3);
  }
  EXPECT_EQ(more[0], trained_on);
  EXPECT_EQ(more[1], trained_on);
  EXPECT_EQ(after[0], after[1]);
}

}  // namespace
}  // namespace tandem
