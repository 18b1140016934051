#include "tandem/frontends/cpp/optim/trainer.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"

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

// y = w · x with one weight each, so that updates can be computed by hand.
struct OneWeight {
  explicit OneWeight(float start = 1.0f) { dense.Initialize(init::Constant(start)); }
  // Leaves the gradient `g` for a batch of one.
  void Gradient(float g) {
    Tensor y;
    {
      RecordScope record;
      y = dense(Array({g}, {1, 1}));
    }
    Backward(y);
  }
  float value() const { return Item(dense.parameters()[0]->Data()); }
  nn::Dense dense{1, {.use_bias = false, .in_units = 1}};
};

TEST(Sgd, FollowsItsFormula) {
  OneWeight w;
  Trainer trainer(w.dense.CollectParameters(),
                  std::make_unique<SGD>(
                      SGDOptions{.learning_rate = 0.5, .momentum = 0.5, .weight_decay = 0.25}));
  double weight = 1, momentum = 0;
  for (const double g : {2.0, -4.0, 8.0}) {
    w.Gradient(static_cast<float>(g));
    trainer.Step(2);
    momentum = 0.5 * momentum - 0.5 * (g / 2 + 0.25 * weight);
    weight += momentum;
    EXPECT_EQ(w.value(), weight);  // all of these are exact in binary
  }
  EXPECT_EQ(trainer.steps(), 3);
}

TEST(Sgd, ClipsTheRescaledGradient) {
  OneWeight w;
  Trainer trainer(w.dense.CollectParameters(),
                  std::make_unique<SGD>(SGDOptions{.learning_rate = 1, .clip_gradient = 0.5}));
  w.Gradient(8);
  trainer.Step(1);
  EXPECT_EQ(w.value(), 0.5);
}

TEST(Adam, FollowsItsFormula) {
  OneWeight w;
  Trainer trainer(w.dense.CollectParameters(),
                  std::make_unique<Adam>(AdamOptions{.learning_rate = 0.1}));
  double weight = 1, mean = 0, variance = 0;
  for (int t = 1; t <= 5; ++t) {
    const double g = t % 2 == 0 ? -1.5 : 2.5;
    w.Gradient(static_cast<float>(g));
    trainer.Step(1);
    mean = 0.9 * mean + 0.1 * g;
    variance = 0.999 * variance + 0.001 * g * g;
    weight -= 0.1 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) * mean /
              (std::sqrt(variance) + 1e-8);
    EXPECT_NEAR(w.value(), weight, t * 16 * 6e-8);  // some 16 rounded operations a step
  }
}

TEST(Trainer, EagerAndCompiledStepsAreTheSameBits) {
  for (const bool adam : {false, true}) {
    std::vector<std::vector<float>> weights;
    for (const bool hybridize : {false, true}) {
      random::Seed(12);
      HybridSequential net;
      net.Add(nn::Dense(17, {.activation = "relu"}), nn::Dense(5));
      net.Initialize(init::Xavier());
      std::unique_ptr<Optimizer> optimizer;
      if (adam) {
        optimizer = std::make_unique<Adam>(AdamOptions{.weight_decay = 0.01});
      } else {
        optimizer = std::make_unique<SGD>(
            SGDOptions{.learning_rate = 0.1, .momentum = 0.9, .clip_gradient = 0.2});
      }
      Trainer trainer(net.CollectParameters(), std::move(optimizer), {.hybridize = hybridize});
      L2Loss loss;
      for (int step = 0; step < 4; ++step) {
        const Tensor x = RandomNormal({6, 9});
        Tensor l;
        {
          RecordScope record;
          l = loss(net(x), Ones({6, 5}));
        }
        Backward(l);
        trainer.Step(6);
      }
      for (const ParameterPtr& p : net.CollectParameters()) weights.push_back(ToVector(p->Data()));
    }
    ASSERT_EQ(weights.size(), 8u);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(weights[i], weights[i + 4]) << adam << i;
  }
}

TEST(Trainer, StaleGradientsAreNamed) {
  OneWeight w;
  w.dense.SetName("one");
  Trainer trainer(w.dense.CollectParameters(), std::make_unique<SGD>());
  EXPECT_THAT(ErrorOf([&] { trainer.Step(1); }), HasSubstr("one_weight"));
  w.Gradient(1);
  trainer.Step(1);
  EXPECT_THAT(ErrorOf([&] { trainer.Step(1); }), HasSubstr("one_weight"));
  const float before = w.value();
  trainer.Step(1, /*ignore_stale_grad=*/true);
  EXPECT_EQ(w.value(), before);
  w.Gradient(1);
  EXPECT_THAT(ErrorOf([&] { trainer.Step(0); }), HasSubstr("at least 1"));
  trainer.Step(1);
}

TEST(Trainer, ConstructorChecks) {
  nn::Dense dense(2);
  EXPECT_THAT(ErrorOf([&] { Trainer(dense.CollectParameters(), std::make_unique<SGD>()); }),
              AllOf(HasSubstr("Initialize()"), HasSubstr("weight"), HasSubstr("bias")));
  EXPECT_THAT(ErrorOf([] { Trainer(ParameterList(), std::make_unique<SGD>()); }),
              HasSubstr("no parameter"));
  EXPECT_THAT(ErrorOf([] { SGD(SGDOptions{.learning_rate = -1}); }), HasSubstr("learning rate"));
  EXPECT_THAT(ErrorOf([] { SGD(SGDOptions{.momentum = 1}); }), HasSubstr("momentum"));
}

TEST(Trainer, ANewLearningRateNeedsNoCompile) {
  OneWeight w;
  Trainer trainer(w.dense.CollectParameters(),
                  std::make_unique<SGD>(SGDOptions{.learning_rate = 1}));
  w.Gradient(0.25);
  trainer.Step(1);
  EXPECT_EQ(w.value(), 0.75);
  trainer.set_learning_rate(2);
  w.Gradient(0.25);
  trainer.Step(1);
  EXPECT_EQ(w.value(), 0.25);
  w.dense.parameters()[0]->set_lr_mult(0.5);  // a constant of the graph, compiled anew
  w.Gradient(0.25);
  trainer.Step(1);
  EXPECT_EQ(w.value(), 0);
}

TEST(Trainer, StatesGoToAFileAndBack) {
  const std::string path = ::testing::TempDir() + "/trainer_test.states";
  auto make = [](OneWeight& w) {
    return std::make_unique<Trainer>(w.dense.CollectParameters(),
                                     std::make_unique<Adam>(AdamOptions{.learning_rate = 0.1}));
  };
  NameScope scope;
  OneWeight a;
  a.dense.SetName("w");
  auto trainer = make(a);
  for (int i = 0; i < 3; ++i) {
    a.Gradient(1.5f);
    trainer->Step(1);
  }
  trainer->SaveStates(path);
  OneWeight b(a.value());
  b.dense.SetName("w");
  auto resumed = make(b);
  resumed->LoadStates(path);
  EXPECT_EQ(resumed->steps(), 3);
  a.Gradient(-1);
  trainer->Step(1);
  b.Gradient(-1);
  resumed->Step(1);
  EXPECT_EQ(a.value(), b.value());

  // A file from before the first step takes back what was learnt since.
  OneWeight d(a.value());
  d.dense.SetName("w");
  make(d)->SaveStates(path + "0");
  OneWeight e(d.value());
  e.dense.SetName("w");
  auto fresh = make(e);
  auto restarted = make(d);
  d.Gradient(5);
  restarted->Step(1);
  restarted->LoadStates(path + "0");
  d.dense.parameters()[0]->SetData(e.dense.parameters()[0]->Data());
  EXPECT_EQ(restarted->steps(), 0);
  d.Gradient(-1);
  restarted->Step(1);
  e.Gradient(-1);
  fresh->Step(1);
  EXPECT_EQ(d.value(), e.value());
  std::filesystem::remove(path + "0");

  OneWeight c;
  c.dense.SetName("w");
  Trainer sgd(c.dense.CollectParameters(), std::make_unique<SGD>());
  EXPECT_THAT(ErrorOf([&] { sgd.LoadStates(path); }), HasSubstr("optimizer"));
  std::filesystem::remove(path);
}

TEST(Schedules, Values) {
  const LearningRateSchedule factor = FactorSchedule({.every = 10, .factor = 0.5});
  EXPECT_EQ(factor(9), 1);
  EXPECT_EQ(factor(10), 0.5);
  EXPECT_EQ(factor(25), 0.25);
  const LearningRateSchedule cosine = CosineSchedule({.max_steps = 110, .warmup_steps = 10});
  EXPECT_NEAR(cosine(4), 0.5, 1e-15);
  EXPECT_EQ(cosine(10), 1);
  EXPECT_NEAR(cosine(60), 0.5, 1e-15);
  EXPECT_NEAR(cosine(200), 0, 1e-15);
  EXPECT_THAT(ErrorOf([] { FactorSchedule({.factor = 2}); }), HasSubstr("(0, 1]"));
  const SGD sgd({.learning_rate = 0.1, .schedule = factor});
  EXPECT_EQ(sgd.LearningRateAt(10), 0.05);
}

// Not a limit that can fail on a busy machine, but printed, so that it can be read.
TEST(Trainer, CostOfAStep) {
  HybridSequential net;
  for (int i = 0; i < 4; ++i) net.Add(nn::Dense(2, {.in_units = 2}));
  net.Initialize();
  Trainer trainer(net.CollectParameters(), std::make_unique<SGD>(SGDOptions{.momentum = 0.9}));
  L2Loss loss;
  double seconds = 0;
  constexpr int kSteps = 200;
  for (int i = 0; i < kSteps + 1; ++i) {
    Tensor l;
    {
      RecordScope record;
      l = loss(net(Ones({1, 2})), Zeros({1, 2}));
    }
    Backward(l);
    const auto start = std::chrono::steady_clock::now();
    trainer.Step(1);
    // The first step compiles.
    if (i > 0) {
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
  }
  EXPECT_EQ(trainer.steps(), kSteps + 1);
  std::cout << "a step over 8 tiny parameters: " << seconds / kSteps * 1e6 << " us\n";
}

}  // namespace
}  // namespace tandem
