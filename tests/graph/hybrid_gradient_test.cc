// Gradients of hybrid functions: those of eager mode, bit for bit.

#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

class HybridGradientTest : public HybridFixture {
 protected:
  struct Result {
    std::vector<Tensor> outputs;
    std::vector<Tensor> grads;  // of the inputs, then of the variables
  };

  // Runs `step` under a tape, sums the outputs that `used` names (all, if empty), differentiates.
  Result Differentiate(const std::function<absl::StatusOr<TensorList>(absl::Span<const Tensor>)>& f,
                       const std::vector<Tensor>& inputs,
                       const std::vector<Ref<Variable>>& variables,
                       const std::vector<size_t>& used = {}) {
    Result result;
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
      leaves.push_back(Detach(input));
      EXPECT_TRUE(AttachGrad(leaves.back()).ok());
    }
    for (const Ref<Variable>& variable : variables) ClearGrad(*variable);
    std::vector<Tensor> heads;
    {
      RecordScope record;
      auto outputs = f(leaves);
      EXPECT_TRUE(outputs.ok()) << outputs.status();
      if (!outputs.ok()) return result;
      for (size_t i = 0; i < outputs->size(); ++i) {
        result.outputs.push_back((*outputs)[i]);
        if (!used.empty() && std::find(used.begin(), used.end(), i) == used.end()) continue;
        // A gradient that is not all ones.
        heads.push_back(*Op("sum", {*Op("square", {(*outputs)[i]})}));
      }
    }
    const absl::Status status = Backward(heads);
    EXPECT_TRUE(status.ok()) << status;
    for (const Tensor& leaf : leaves) result.grads.push_back(GradOf(leaf));
    for (const Ref<Variable>& variable : variables) result.grads.push_back(GradOf(*variable));
    return result;
  }

  void ExpectSame(const HybridFunction::Body& body, const std::vector<Tensor>& inputs,
                  const std::vector<Ref<Variable>>& variables,
                  const std::vector<size_t>& used = {}) {
    SeedRandom(7);
    const Result eager = Differentiate(body, inputs, variables, used);
    for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
      Ref<HybridFunction> net = Hybrid(body, options);
      for (int call = 0; call < 2; ++call) {
        SeedRandom(7);
        const Result hybrid = Differentiate(
            [&](absl::Span<const Tensor> in) { return Call(*net, in); }, inputs, variables, used);
        ASSERT_EQ(hybrid.outputs.size(), eager.outputs.size());
        for (size_t i = 0; i < eager.outputs.size(); ++i) {
          ExpectSameBits(hybrid.outputs[i], eager.outputs[i], absl::StrCat("output ", i));
        }
        ASSERT_EQ(hybrid.grads.size(), eager.grads.size());
        for (size_t i = 0; i < eager.grads.size(); ++i) {
          ExpectSameBits(hybrid.grads[i], eager.grads[i], absl::StrCat("gradient ", i));
        }
      }
      EXPECT_EQ(net->stats().traces, 1);
    }
  }
};

// R71
TEST_F(HybridGradientTest, AnMlpHasTheGradientsOfEager) {
  const std::vector<Ref<Variable>> v = {
      MakeVariable("w1", Random({17, 13})), MakeVariable("b1", Random({17})),
      MakeVariable("w2", Random({5, 17})), MakeVariable("b2", Random({5}))};
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    Tensor h = in[0];
    for (int layer = 0; layer < 2; ++layer) {
      TANDEM_ASSIGN_OR_RETURN(Tensor w, ReadVariable(*v[2 * layer]));
      TANDEM_ASSIGN_OR_RETURN(Tensor b, ReadVariable(*v[2 * layer + 1]));
      TANDEM_ASSIGN_OR_RETURN(h, Op("matmul", {h, w}, {{"transpose_b", true}}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("add", {h, b}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("tanh", {h}));
    }
    TANDEM_ASSIGN_OR_RETURN(h, Op("log_softmax", {h}));
    return TensorList{h};
  };
  ExpectSame(body, {Random({7, 13})}, v);
}

TEST_F(HybridGradientTest, ValuesThatAreUsedOftenAccumulateInTheSameOrder) {
  const auto w = MakeVariable("w", Random({9}));
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    Tensor h = in[0];
    for (int i = 0; i < 5; ++i) {
      TANDEM_ASSIGN_OR_RETURN(Tensor e, Op("mul", {h, value}));
      TANDEM_ASSIGN_OR_RETURN(e, Op("sigmoid", {e}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("add", {h, e}));
    }
    TANDEM_ASSIGN_OR_RETURN(Tensor t, Op("transpose", {h}));
    TANDEM_ASSIGN_OR_RETURN(Tensor product, Op("matmul", {t, h}));
    return TensorList{product, h};
  };
  ExpectSame(body, {Random({4, 9})}, {w});
}

// Kernels choose by strides, so a compiled function takes its inputs as they lie.
TEST_F(HybridGradientTest, StridedInputsAndGradients) {
  const auto w = MakeVariable("w", Random({5, 13}));
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("matmul", {in[0], value}, {{"transpose_b", true}}));
    return TensorList{y};
  };
  for (const int64_t rows : {1, 2, 3, 7}) {
    const Tensor x = *Op("slice", {*Op("transpose", {Random({13, 9})})},
                         {{"begin", Dims{1}}, {"end", Dims{1 + rows}}});
    ASSERT_FALSE(x.is_contiguous());
    ExpectSame(body, {x}, {w});
    // The gradient of a sum is a broadcast scalar: its strides are 0.
    auto gradient = [&](const HybridFunction::Body& f) {
      ClearGrad(*w);
      Tensor loss;
      {
        RecordScope record;
        loss = *Op("sum", {(*f({&x, 1}))[0]});
      }
      EXPECT_TRUE(Backward({loss}).ok());
      return GradOf(*w);
    };
    Ref<HybridFunction> net = Hybrid(body);
    ExpectSameBits(gradient([&](absl::Span<const Tensor> in) { return Call(*net, in); }),
                   gradient(body));
  }
}

TEST_F(HybridGradientTest, SomeOutputsUnused) {
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor a, Op("exp", {in[0]}));
    TANDEM_ASSIGN_OR_RETURN(Tensor b, Op("mul", {a, in[1]}));
    return TensorList{a, b};
  };
  const std::vector<Tensor> inputs = {Random({3, 5}), Random({3, 5})};
  ExpectSame(body, inputs, {});
  ExpectSame(body, inputs, {}, {1});
  ExpectSame(body, inputs, {}, {0});
}

TEST_F(HybridGradientTest, DetachAndPauseMeanTheSame) {
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor a, Op("exp", {in[0]}));
    TANDEM_ASSIGN_OR_RETURN(Tensor b, Op("mul", {a, Detach(a)}));
    Tensor c;
    {
      PauseScope pause;
      TANDEM_ASSIGN_OR_RETURN(c, Op("square", {in[0]}));
    }
    TANDEM_ASSIGN_OR_RETURN(b, Op("add", {b, c}));
    TANDEM_ASSIGN_OR_RETURN(Tensor stopped, Op("stop_gradient", {b}));
    TANDEM_ASSIGN_OR_RETURN(b, Op("mul", {b, stopped}));
    return TensorList{b};
  };
  ExpectSame(body, {Random({11})}, {});
}

TEST_F(HybridGradientTest, CapturedTensorsAreInputsOfTheTapeOutside) {
  const Tensor x = Random({6});
  auto run = [&](bool hybrid) {
    Tensor leaf = Random({6});
    leaf = Array(std::vector<float>(6, 0.5f), {6});
    EXPECT_TRUE(AttachGrad(leaf).ok());
    Tensor loss;
    {
      RecordScope record;
      // Both are captured, and one was computed from the other.
      const Tensor outside = *Op("square", {leaf});
      const HybridFunction::Body body =
          [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
        TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], outside}));
        TANDEM_ASSIGN_OR_RETURN(y, Op("mul", {y, leaf}));
        return TensorList{y};
      };
      Ref<HybridFunction> net = Hybrid(body);
      loss = *Op("sum", {(hybrid ? *Call(*net, {&x, 1}) : *body({&x, 1}))[0]});
    }
    EXPECT_TRUE(Backward({loss}).ok());
    return GradOf(leaf);
  };
  const Tensor eager = run(false);
  ASSERT_TRUE(eager.defined());
  // 3 x leaf²: exact, whatever the order.
  ExpectSameBits(run(true), eager);
}

// R20 R36
TEST_F(HybridGradientTest, DropoutDropsTheSameForwardAndBackward) {
  const HybridFunction::Body body =
      [this](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(RandomState state,
                            NextRandom(*device_, (in[0].num_elements() + 3) / 4));
    TANDEM_ASSIGN_OR_RETURN(
        Tensor y, Op("dropout", {in[0], state.state}, {{"rate", 0.3}, {"delta", state.delta}}));
    return TensorList{y};
  };
  ExpectSame(body, {Random({9, 9})}, {});
}

TEST_F(HybridGradientTest, BatchNormWithRunningStatistics) {
  const std::vector<Ref<Variable>> v = {MakeVariable("gamma", Random({3})),
                                        MakeVariable("beta", Random({3}))};
  auto mean = MakeVariable("mean", Array({0, 0, 0}, {3}), false);
  auto variance = MakeVariable("variance", Array({1, 1, 1}, {3}), false);
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    std::vector<Tensor> args = {in[0]};
    for (const auto& variable : {v[0], v[1], mean, variance}) {
      TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*variable));
      args.push_back(value);
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList out,
                            Invoke("batch_norm", args, {{"training", IsTraining()}}));
    if (IsTraining()) {
      TANDEM_RETURN_IF_ERROR(WriteVariable(*mean, out[1]));
      TANDEM_RETURN_IF_ERROR(WriteVariable(*variance, out[2]));
    }
    return TensorList{out[0]};
  };
  const std::vector<Tensor> inputs = {Random({4, 3, 5, 5})};
  auto reset = [&] {
    ASSERT_TRUE(mean->Set(Array({0, 0, 0}, {3})).ok());
    ASSERT_TRUE(variance->Set(Array({1, 1, 1}, {3})).ok());
  };
  reset();
  const Result eager = Differentiate(body, inputs, v);
  const Tensor eager_mean = mean->Get();
  reset();
  Ref<HybridFunction> net = Hybrid(body, StaticOptions());
  const Result hybrid =
      Differentiate([&](absl::Span<const Tensor> in) { return Call(*net, in); }, inputs, v);
  ExpectSameBits(hybrid.outputs[0], eager.outputs[0]);
  for (size_t i = 0; i < eager.grads.size(); ++i) ExpectSameBits(hybrid.grads[i], eager.grads[i]);
  ExpectSameBits(mean->Get(), eager_mean);
  EXPECT_NE(Values(eager_mean), (std::vector<float>{0, 0, 0}));
}

TEST_F(HybridGradientTest, AVariableThatIsUnfrozenTracesAgain) {
  auto w = MakeVariable("w", Random({4}), /*grad=*/false);
  Ref<HybridFunction> net = Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], value}));
    return TensorList{y};
  });
  const auto call = [&](absl::Span<const Tensor> in) { return Call(*net, in); };
  const std::vector<Tensor> inputs = {Random({4})};
  EXPECT_FALSE(Differentiate(call, inputs, {w}).grads[1].defined());
  ASSERT_TRUE(AttachGrad(*w).ok());
  EXPECT_TRUE(Differentiate(call, inputs, {w}).grads[1].defined());
  EXPECT_THAT(net->Explain().entries.back().reason, HasSubstr("'w' wants a gradient now"));
}

TEST_F(HybridGradientTest, ARecordedCallKeepsNothingAliveForEver) {
  const Tensor x = Random({64, 64});
  ASSERT_TRUE(AttachGrad(x).ok());
  Ref<HybridFunction> net = Hybrid([](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("exp", {in[0]}));
    return TensorList{y};
  });
  auto record = [&] {
    RecordScope scope;
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  };
  record();
  const int64_t before = device_->allocator().stats().bytes_in_use;
  for (int i = 0; i < 10; ++i) record();
  EXPECT_EQ(device_->allocator().stats().bytes_in_use, before);
}

// A whole training step in one function: forward, gradients, update.
TEST_F(HybridGradientTest, MemoryOfBackwardProgramsIsCountedAndBounded) {
  constexpr int kOutputs = 12;
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TensorList outputs;
    for (int i = 0; i < kOutputs; ++i) {
      TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("exp", {in[0]}));
      TANDEM_ASSIGN_OR_RETURN(y, Op("tanh", {y}));
      outputs.push_back(y);
    }
    return outputs;
  };
  HybridOptions options = StaticOptions();
  const auto run = [&](HybridFunction& net, int64_t size, size_t used) {
    Differentiate([&](absl::Span<const Tensor> in) { return Call(net, in); }, {Random({size})}, {},
                  {used});
  };
  Ref<HybridFunction> net = Hybrid(body, options);
  {
    const Tensor x = Random({100});
    ASSERT_TRUE(AttachGrad(x).ok());
    RecordScope record;
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  }
  const int64_t forward = net->stats().bytes;
  run(*net, 100, 0);
  const int64_t backward = net->stats().bytes - forward;
  EXPECT_GT(backward, 0);
  // Each output has a backward program of its own, all of one size; eight are kept.
  for (size_t used = 1; used < kOutputs; ++used) run(*net, 100, used);
  EXPECT_EQ(net->stats().bytes, forward + 8 * backward);
  EXPECT_EQ(net->Explain().entries.back().programs.size(), 1 + kOutputs);
  // One that left comes back, in place of another; one that is there is used again.
  run(*net, 100, 0);
  run(*net, 100, kOutputs - 1);
  EXPECT_EQ(net->stats().bytes, forward + 8 * backward);
  EXPECT_EQ(net->Explain().entries.back().programs.size(), 2 + kOutputs);

  // Two entries that fit with their forward programs alone do not fit with their backward ones.
  options.max_bytes = 2 * forward + 3 * backward / 2;
  Ref<HybridFunction> bounded = Hybrid(body, options);
  run(*bounded, 100, 0);
  EXPECT_EQ(bounded->stats().evictions, 0);
  run(*bounded, 99, 0);
  EXPECT_EQ(bounded->stats().evictions, 1);
  EXPECT_EQ(bounded->stats().entries, 1);
  EXPECT_LE(bounded->stats().bytes, options.max_bytes);
}

TEST_F(HybridGradientTest, ATrainingStepIsOneFunction) {
  auto w = MakeVariable("w", Array({1, 2, 3}, {3}));
  const HybridFunction::Body step = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    Tensor loss;
    {
      RecordScope record;
      TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], value}));
      TANDEM_ASSIGN_OR_RETURN(y, Op("square", {y}));
      TANDEM_ASSIGN_OR_RETURN(loss, Op("sum", {y}));
    }
    TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> grads, Grad({loss}, {}, {value}));
    TANDEM_ASSIGN_OR_RETURN(Tensor delta, Op("mul", {grads[0], in[1]}));
    TANDEM_ASSIGN_OR_RETURN(Tensor updated, Op("sub", {value, delta}));
    TANDEM_RETURN_IF_ERROR(WriteVariable(*w, updated));
    return TensorList{loss};
  };
  const std::vector<Tensor> inputs = {Array({1, 1, 2}, {3}), Array({0.125}, {})};
  const Tensor start = w->Get();
  std::vector<Tensor> losses;
  for (int i = 0; i < 3; ++i) losses.push_back((*step(inputs))[0]);
  const Tensor expected = w->Get();
  ASSERT_TRUE(w->Set(start).ok());
  Ref<HybridFunction> net = Hybrid(step, StaticOptions());
  for (int i = 0; i < 3; ++i) {
    const auto loss = Call(*net, inputs);
    ASSERT_TRUE(loss.ok()) << loss.status();
    ExpectSameBits((*loss)[0], losses[i]);
  }
  ExpectSameBits(w->Get(), expected);
  EXPECT_EQ(net->stats().traces, 1);
}

}  // namespace
}  // namespace tandem
