// Cond, Scan and WhileLoop: eager, compiled and differentiated, the same bits.

#include "tandem/graph/trace/control_flow.h"

#include <cmath>
#include <functional>

#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Inputs = absl::Span<const Tensor>;
using Result = absl::StatusOr<TensorList>;
using Axes = std::vector<int64_t>;

absl::StatusOr<Tensor> Op(absl::string_view name, std::vector<Tensor> inputs,
                          std::vector<AttributeInit> attrs = {}) {
  TANDEM_ASSIGN_OR_RETURN(TensorList results, Invoke(name, inputs, attrs));
  return results[0];
}

class ControlFlowTest : public HybridFixture {
 protected:
  using Function = std::function<Result(Inputs)>;

  // Outputs, and the gradients of the inputs for which there are some.
  struct Run {
    TensorList outputs;
    std::vector<Tensor> grads;
  };

  Run Forward(const Function& function, std::vector<Tensor> inputs) {
    Run run;
    auto outputs = function(inputs);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (outputs.ok()) run.outputs = *outputs;
    return run;
  }

  // The head is the sum of all floating outputs.
  Run Gradient(const Function& function, std::vector<Tensor> inputs) {
    Run run;
    for (Tensor& input : inputs) {
      input = Detach(input);
      if (!IsFloating(input.dtype())) continue;
      EXPECT_TRUE(AttachGrad(input).ok());
    }
    std::vector<Tensor> heads;
    {
      RecordScope record;
      auto outputs = function(inputs);
      EXPECT_TRUE(outputs.ok()) << outputs.status();
      if (!outputs.ok()) return run;
      run.outputs = *outputs;
      for (const Tensor& output : run.outputs) {
        if (RequiresGrad(output)) heads.push_back(output);
      }
    }
    const absl::Status status = Backward(heads);
    EXPECT_TRUE(status.ok()) << status;
    for (const Tensor& input : inputs) run.grads.push_back(GradOf(input));
    return run;
  }

  static void ExpectSame(const Run& a, const Run& b, const std::string& what) {
    ASSERT_EQ(a.outputs.size(), b.outputs.size()) << what;
    for (size_t i = 0; i < a.outputs.size(); ++i) {
      ExpectSameBits(a.outputs[i], b.outputs[i], absl::StrCat(what, ", output ", i));
    }
    ASSERT_EQ(a.grads.size(), b.grads.size()) << what;
    for (size_t i = 0; i < a.grads.size(); ++i) {
      ExpectSameBits(a.grads[i], b.grads[i], absl::StrCat(what, ", gradient ", i));
    }
  }

  // Eager, compiled, and compiled to be replayed, must agree; with gradients if those are asked for.
  Run Agree(const Function& function, const std::vector<Tensor>& inputs, bool gradients = true) {
    Run eager = Forward(function, inputs);
    for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
      const auto compiled = Hybrid(function, options);
      const Function call = [&](Inputs given) { return Call(*compiled, given); };
      ExpectSame(Forward(call, inputs), eager, "forward");
      ExpectSame(Forward(call, inputs), eager, "forward again");
    }
    if (!gradients) return eager;
    Run recorded = Gradient(function, inputs);
    ExpectSame({recorded.outputs, {}}, eager, "recorded");
    for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
      const auto compiled = Hybrid(function, options);
      const Function call = [&](Inputs given) { return Call(*compiled, given); };
      ExpectSame(Gradient(call, inputs), recorded, "gradient");
      ExpectSame(Gradient(call, inputs), recorded, "gradient again");
    }
    return recorded;
  }

  // The gradients against finite differences of the sum of the outputs.
  void CheckGradients(const Function& function, const std::vector<Tensor>& inputs, const Run& run) {
    const auto sum = [&](const std::vector<Tensor>& given) {
      double total = 0;
      for (const Tensor& output : Forward(function, given).outputs) {
        for (const float value : Values(output)) total += value;
      }
      return total;
    };
    // Central differences: an error of h^2 for the curvature, and of eps/h for the rounding of f32.
    const double step = 1e-2;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!IsFloating(inputs[i].dtype())) continue;
      ASSERT_TRUE(run.grads[i].defined()) << i;
      const std::vector<float> grads = Values(run.grads[i]);
      for (size_t k = 0; k < grads.size(); ++k) {
        std::vector<Tensor> moved = inputs;
        std::vector<float> values = Values(inputs[i]);
        const float start = values[k];
        values[k] = static_cast<float>(start + step);
        const double up_by = values[k] - start;
        moved[i] = Array(values, inputs[i].shape());
        const double up = sum(moved);
        values[k] = static_cast<float>(start - step);
        const double down_by = start - values[k];
        moved[i] = Array(values, inputs[i].shape());
        const double down = sum(moved);
        const double slope = (up - down) / (up_by + down_by);
        EXPECT_NEAR(grads[k], slope, 1e-2 * (1 + std::abs(slope))) << "input " << i << " at " << k;
      }
    }
  }

  Tensor Scalar(float value) { return Array({value}, {}); }
};

// --- Cond ----------------------------------------------------------------------------------------

// w·x if x sums to something positive, else x - b.
Result Choose(Inputs in) {
  const Tensor x = in[0];
  const Tensor w = in[1];
  const Tensor b = in[2];
  TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("sum", {x}));
  TANDEM_ASSIGN_OR_RETURN(const Tensor zero, Op("sub", {sum, sum}));
  TANDEM_ASSIGN_OR_RETURN(const Tensor positive, Op("greater", {sum, zero}));
  return RunCond(
      positive,
      [&](Inputs) -> Result {
        TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {x, w}));
        return TensorList{y};
      },
      [&](Inputs) -> Result {
        TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("sub", {x, b}));
        return TensorList{y};
      });
}

TEST_F(ControlFlowTest, CondTakesOneSide) {
  const Tensor w = Array({2, 3}, {2});
  const Tensor b = Array({5, 7}, {2});
  const Run then_run = Agree(Choose, {Array({1, 4}, {2}), w, b});
  EXPECT_THAT(Values(then_run.outputs[0]), testing::ElementsAre(2, 12));
  EXPECT_THAT(Values(then_run.grads[1]), testing::ElementsAre(1, 4));
  EXPECT_THAT(Values(then_run.grads[2]), testing::ElementsAre(0, 0));
  const Run else_run = Agree(Choose, {Array({1, -4}, {2}), w, b});
  EXPECT_THAT(Values(else_run.outputs[0]), testing::ElementsAre(-4, -11));
  EXPECT_THAT(Values(else_run.grads[2]), testing::ElementsAre(-1, -1));
  CheckGradients(Choose, {Array({1, 4}, {2}), w, b}, then_run);
}

// --- Scan ----------------------------------------------------------------------------------------

// h <- tanh(x W + h U), all h are results.
Result Recurrent(Inputs in) {
  const Tensor w = in[2];
  const Tensor u = in[3];
  ScanArguments arguments;
  arguments.carry = in.subspan(1, 1);
  arguments.scanned = in.subspan(0, 1);
  return RunScan(
      [&](Inputs step) -> Result {
        TANDEM_ASSIGN_OR_RETURN(const Tensor a, Op("matmul", {step[1], w}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor b, Op("matmul", {step[0], u}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("add", {a, b}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor h, Op("tanh", {sum}));
        return TensorList{h, h};
      },
      arguments);
}

TEST_F(ControlFlowTest, ScanIsARecurrentNetwork) {
  const std::vector<Tensor> inputs = {Random({5, 2, 3}), Random({2, 4}), Random({3, 4}),
                                      Random({4, 4})};
  const Run run = Agree(Recurrent, inputs);
  ASSERT_EQ(run.outputs.size(), 2u);
  EXPECT_EQ(run.outputs[0].shape(), Shape({2, 4}));
  EXPECT_EQ(run.outputs[1].shape(), Shape({5, 2, 4}));
  CheckGradients(Recurrent, inputs, run);
}

TEST_F(ControlFlowTest, ValuesAreTakenAsTheyLie) {
  // Kernels may choose by strides: of what is captured, of a view that is made in a step and leaves
  // the loop, and of carries and slices, which are made contiguous.
  const auto function = [](Inputs in) -> Result {
    TANDEM_ASSIGN_OR_RETURN(const Tensor x, Op("transpose", {in[0]}, {{"axes", Axes{1, 0, 2}}}));
    TANDEM_ASSIGN_OR_RETURN(const Tensor h, Op("transpose", {in[1]}));
    TANDEM_ASSIGN_OR_RETURN(const Tensor w, Op("transpose", {in[2]}));
    ScanArguments arguments;
    arguments.carry = {&h, 1};
    arguments.scanned = {&x, 1};
    return RunScan(
        [&](Inputs step) -> Result {
          TANDEM_ASSIGN_OR_RETURN(const Tensor u, Op("transpose", {in[3]}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor a, Op("matmul", {step[1], w}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor b, Op("matmul", {step[0], u}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("add", {a, b}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("tanh", {sum}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor view, Op("transpose", {next}));
          return TensorList{next, view};
        },
        arguments);
  };
  Agree(function, {Random({5, 7, 33}), Random({65, 5}), Random({65, 33}), Random({65, 65})});
}

TEST_F(ControlFlowTest, ScanOfNoSteps) {
  const Run run =
      Agree(Recurrent, {Random({0, 2, 3}), Random({2, 4}), Random({3, 4}), Random({4, 4})});
  ASSERT_EQ(run.outputs.size(), 2u);
  EXPECT_EQ(run.outputs[1].shape(), Shape({0, 2, 4}));
}

// --- WhileLoop -----------------------------------------------------------------------------------

// Multiplies x by w until it sums to more than `limit`.
Result Grow(Inputs in, int64_t most) {
  const Tensor w = in[1];
  const Tensor limit = in[2];
  return RunWhileLoop(
      [&](Inputs state) -> Result {
        TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("sum", {state[0]}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor less, Op("less", {sum, limit}));
        return TensorList{less};
      },
      [&](Inputs state) -> Result {
        TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("mul", {state[0], w}));
        return TensorList{next};
      },
      in.subspan(0, 1), most);
}

TEST_F(ControlFlowTest, WhileTakesAsManyStepsAsTheDataSay) {
  const auto grow = [](Inputs in) { return Grow(in, 10); };
  const Tensor w = Array({2, 3}, {2});
  for (const float limit : {0.0f, 10.0f, 60.0f, 1e30f}) {
    const std::vector<Tensor> inputs = {Array({1, 1}, {2}), w, Scalar(limit)};
    const Run run = Agree(grow, inputs);
    int steps = 0;
    double sum = 2;
    for (; steps < 10 && sum < limit; ++steps)
      sum = std::pow(2, steps + 1) + std::pow(3, steps + 1);
    EXPECT_THAT(Values(run.outputs[0]),
                testing::ElementsAre(std::pow(2, steps), std::pow(3, steps)))
        << limit;
    EXPECT_THAT(Values(run.grads[0]), testing::ElementsAre(std::pow(2, steps), std::pow(3, steps)))
        << limit;
  }
}

TEST_F(ControlFlowTest, WhileWithoutABound) {
  const auto grow = [](Inputs in) { return Grow(in, -1); };
  Agree(grow, {Array({1, 1}, {2}), Array({2, 3}, {2}), Scalar(1000)}, /*gradients=*/false);
}

TEST_F(ControlFlowTest, AGradientNeedsABound) {
  const auto grow = [](Inputs in) { return Grow(in, -1); };
  const Tensor x = Array({1, 1}, {2});
  ASSERT_TRUE(AttachGrad(x).ok());
  TensorList outputs;
  {
    RecordScope record;
    const auto result = grow(std::vector<Tensor>{x, Array({2, 3}, {2}), Scalar(100)});
    ASSERT_TRUE(result.ok()) << result.status();
    outputs = *result;
  }
  const absl::Status status = Backward(outputs);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("give max_iterations"));
}

// --- one in the other -----------------------------------------------------------------------------

// Goes along the rows of x; each row is halved until it is small, if it is positive, else negated.
Result Nested(Inputs in) {
  const Tensor w = in[1];
  ScanArguments arguments;
  arguments.carry = in.subspan(2, 1);
  arguments.scanned = in.subspan(0, 1);
  return RunScan(
      [&](Inputs step) -> Result {
        const Tensor total = step[0];
        const Tensor row = step[1];
        TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("sum", {row}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor positive, Op("greater", {sum, total}));
        TANDEM_ASSIGN_OR_RETURN(
            const TensorList chosen,
            RunCond(
                positive,
                [&](Inputs) -> Result {
                  return RunWhileLoop(
                      [&](Inputs state) -> Result {
                        TANDEM_ASSIGN_OR_RETURN(const Tensor left, Op("sum", {state[0]}));
                        TANDEM_ASSIGN_OR_RETURN(const Tensor big, Op("greater", {left, total}));
                        return TensorList{big};
                      },
                      [&](Inputs state) -> Result {
                        TANDEM_ASSIGN_OR_RETURN(const Tensor scale, Op("sigmoid", {w}));
                        TANDEM_ASSIGN_OR_RETURN(const Tensor less, Op("mul", {state[0], scale}));
                        TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("sub", {less, w}));
                        return TensorList{next};
                      },
                      {&row, 1}, 20);
                },
                [&](Inputs) -> Result {
                  TANDEM_ASSIGN_OR_RETURN(const Tensor y, Op("neg", {row}));
                  return TensorList{y};
                }));
        TANDEM_ASSIGN_OR_RETURN(const Tensor part, Op("sum", {chosen[0]}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor bounded, Op("tanh", {part}));
        TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("add", {total, bounded}));
        return TensorList{next, chosen[0]};
      },
      arguments);
}

TEST_F(ControlFlowTest, CondInWhileInScan) {
  const std::vector<Tensor> inputs = {Array({3, 4, -1, -2, 9, 0.5f, 0.25f, 0.125f}, {4, 2}),
                                      Array({0.5f, 0.75f}, {2}), Scalar(0)};
  const Run run = Agree(Nested, inputs);
  CheckGradients(Nested, inputs, run);
}

TEST_F(ControlFlowTest, IsVerifiedAndExplained) {
  const std::vector<Tensor> inputs = {Array({3, 4, -1, -2, 9, 0.5f, 0.25f, 0.125f}, {4, 2}),
                                      Array({0.5f, 0.75f}, {2}), Scalar(0)};
  const auto compiled = Hybrid(Nested);
  ASSERT_TRUE(Call(*compiled, inputs).ok());
  const absl::Status same = compiled->Verify(inputs);
  EXPECT_TRUE(same.ok()) << same;
  // The sigmoid of the captured weight does not change in the innermost loop.
  const std::string text = compiled->Explain().ToText();
  EXPECT_THAT(text, AllOf(HasSubstr("moved out"), HasSubstr("control flow")));
  EXPECT_THAT(text, HasSubstr("scan body 0"));
}

// --- what is around -------------------------------------------------------------------------------

TEST_F(ControlFlowTest, CapturesVariablesByName) {
  const Ref<Variable> weight = MakeVariable("weight", Array({2, 3}, {2}));
  const Tensor constant = Array({1, 1}, {2});
  const Function function = [&](Inputs in) -> Result {
    ScanArguments arguments;
    arguments.carry = in.subspan(0, 1);
    arguments.length = 3;
    return RunScan(
        [&](Inputs step) -> Result {
          TANDEM_ASSIGN_OR_RETURN(const Tensor w, ReadVariable(*weight));
          TANDEM_ASSIGN_OR_RETURN(const Tensor y, Op("mul", {step[0], w}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor z, Op("add", {y, constant}));
          return TensorList{z};
        },
        arguments);
  };
  const std::vector<Tensor> inputs = {Array({1, 2}, {2})};
  Gradient(function, inputs);
  const Tensor eager = GradOf(*weight);
  ASSERT_TRUE(eager.defined());
  ClearGrad(*weight);
  const auto compiled = Hybrid(function);
  Gradient([&](Inputs given) { return Call(*compiled, given); }, inputs);
  ExpectSameBits(GradOf(*weight), eager);
  // d/dw of ((x w + 1) w + 1) w + 1.
  EXPECT_THAT(Values(eager), testing::ElementsAre(3 * 1 * 4 + 2 * 2 + 1, 3 * 2 * 9 + 2 * 3 + 1));
  const auto traced = compiled->traced();
  ASSERT_TRUE(traced.ok());
  EXPECT_GE(traced->graph.FindInput("weight"), 0);
  EXPECT_GE(traced->graph.FindInput("captured_0"), 0);
}

TEST_F(ControlFlowTest, DetachedValuesHaveNoGradient) {
  const auto function = [](Inputs in) -> Result {
    const Tensor w = in[1];
    return RunWhileLoop(
        [&](Inputs state) -> Result {
          TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("sum", {state[0]}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor less, Op("less", {sum, w}));
          return TensorList{less};
        },
        [&](Inputs state) -> Result {
          Tensor paused;
          {
            PauseScope pause;
            TANDEM_ASSIGN_OR_RETURN(paused, Op("mul", {w, w}));
          }
          TANDEM_ASSIGN_OR_RETURN(const Tensor a, Op("mul", {state[0], paused}));
          TANDEM_ASSIGN_OR_RETURN(const Tensor b, Op("add", {a, Detach(state[0])}));
          return TensorList{b};
        },
        in.subspan(0, 1), 5);
  };
  // One step: x w² + x, of which only the first x counts.
  const Run run = Agree(function, {Scalar(1), Scalar(3)});
  EXPECT_THAT(Values(run.outputs[0]), testing::ElementsAre(10));
  EXPECT_THAT(Values(run.grads[0]), testing::ElementsAre(9));
  EXPECT_THAT(Values(run.grads[1]), testing::ElementsAre(0));
}

TEST_F(ControlFlowTest, GradientsOfGradients) {
  // d²/dx² of x w^3 with a scan of three steps, by w.
  const Tensor x = Scalar(2);
  const Tensor w = Scalar(3);
  ASSERT_TRUE(AttachGrad(w).ok());
  std::vector<Tensor> first;
  {
    RecordScope record;
    ScanArguments arguments;
    arguments.carry = {&x, 1};
    arguments.length = 3;
    const auto y = RunScan(
        [&](Inputs step) -> Result {
          TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("mul", {step[0], w}));
          return TensorList{next};
        },
        arguments);
    ASSERT_TRUE(y.ok()) << y.status();
    const auto grads = Grad(*y, {}, {&w, 1}, {.create_graph = true});
    ASSERT_TRUE(grads.ok()) << grads.status();
    first = *grads;
    EXPECT_THAT(Values(first[0]), testing::ElementsAre(2 * 3 * 9));
  }
  const absl::Status status = Backward(first);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Values(GradOf(w)), testing::ElementsAre(2 * 6 * 3));
}

}  // namespace
}  // namespace tandem
