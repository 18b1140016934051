// What a hybrid function refuses, what it warns of, and that failures leave nothing behind.

#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class HybridLimitsTest : public HybridFixture {
 protected:
  static absl::StatusOr<TensorList> One(absl::StatusOr<Tensor> tensor) {
    if (!tensor.ok()) return tensor.status();
    return TensorList{*std::move(tensor)};
  }
};

// R42 R46 R50
TEST_F(HybridLimitsTest, ReadingAValueFailsInATraceAndTheFunctionRecovers) {
  bool mended = false;
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    BlockScope block("net0");
    TANDEM_ASSIGN_OR_RETURN(Tensor total, Op("sum", {in[0]}));
    if (!mended) {
      // A branch that depends on data.
      TANDEM_ASSIGN_OR_RETURN(const float value, total.Item<float>());
      if (value < 0) return One(Op("neg", {in[0]}));
    }
    return One(Op("relu", {in[0]}));
  };
  const Tensor x = Array({-1, 2}, {2});
  ASSERT_TRUE(body({&x, 1}).ok());
  Ref<HybridFunction> net = Hybrid(body);
  const auto failed = Call(*net, {&x, 1});
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(failed.status().ToString(),
              AllOf(HasSubstr("Item()"), HasSubstr("sum : f32[]"), HasSubstr("net0"),
                    HasSubstr("hybrid_limits_test.cc:"), HasSubstr("Where(condition, a, b)"),
                    HasSubstr("Hybridize(false)"),
                    HasSubstr("For control flow that depends on values use Cond, WhileLoop, Scan or "
                              "ForEach")));
  EXPECT_EQ(net->stats().entries, 0);
  // Eager mode still works, and a mended body is traced.
  ASSERT_TRUE(body({&x, 1}).ok());
  mended = true;
  const auto y = Call(*net, {&x, 1});
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{0, 2}));
}

// R30
TEST_F(HybridLimitsTest, ASymbolSaysWhatItIs) {
  std::string argument, result;
  Ref<HybridFunction> net = Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    argument = in[0].ToString();
    auto y = Op("relu", {in[0]});
    result = y->ToString();
    return One(y);
  });
  const Tensor x = Array({-1, 2}, {2});
  ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  EXPECT_EQ(argument, "%data = argument : f32[2]");
  EXPECT_EQ(result, "%1 = relu : f32[2]");
}

TEST_F(HybridLimitsTest, ASymbolThatLeaksSaysSo) {
  Tensor leaked;
  Ref<HybridFunction> net = Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(leaked, Op("relu", {in[0]}));
    return TensorList{leaked};
  });
  const Tensor x = Array({-1, 2}, {2});
  ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  EXPECT_THAT(Op("neg", {leaked}).status().ToString(),
              AllOf(HasSubstr("trace 'net'"), HasSubstr("finished")));
  EXPECT_THAT(leaked.Item<float>().status().ToString(), HasSubstr("finished"));
  // Also from a recorded call, whose trace is kept for its backward pass.
  const Tensor leaf = Array({-1, 2}, {2});
  ASSERT_TRUE(AttachGrad(leaf).ok());
  {
    RecordScope record;
    ASSERT_TRUE(Call(*net, {&leaf, 1}).ok());
  }
  EXPECT_FALSE(Op("neg", {leaked}).ok());
  // And in another trace.
  Ref<HybridFunction> other = Hybrid([&](absl::Span<const Tensor> in) {
    return One(Op("add", {in[0], leaked}));
  });
  EXPECT_THAT(Call(*other, {&x, 1}).status().ToString(), HasSubstr("finished"));
}

// R44
TEST_F(HybridLimitsTest, RebindingWorksAndTheArgumentKeepsItsValue) {
  Ref<HybridFunction> net = Hybrid([](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    Tensor a = in[0];
    TANDEM_ASSIGN_OR_RETURN(a, Op("add", {a, in[0]}));
    return TensorList{a};
  });
  const Tensor x = Array({1, 2}, {2});
  EXPECT_EQ(Values((*Call(*net, {&x, 1}))[0]), (std::vector<float>{2, 4}));
  EXPECT_EQ(Values(x), (std::vector<float>{1, 2}));
}

// R48
TEST_F(HybridLimitsTest, CheckedTracingReportsTheFirstDifference) {
  int calls = 0;
  HybridOptions options;
  options.check_trace = true;
  Ref<HybridFunction> net = Hybrid(
      [&](absl::Span<const Tensor> in) { return One(Op(++calls % 2 ? "relu" : "neg", {in[0]})); },
      options);
  const Tensor x = Array({1, 2}, {2});
  EXPECT_THAT(Call(*net, {&x, 1}).status().ToString(),
              AllOf(HasSubstr("two traces of 'net' differ"), HasSubstr("relu"), HasSubstr("neg"),
                    HasSubstr("hybrid_limits_test.cc:")));
  Ref<HybridFunction> same =
      Hybrid([&](absl::Span<const Tensor> in) { return One(Op("relu", {in[0]})); }, options);
  EXPECT_TRUE(Call(*same, {&x, 1}).ok());
  // A value that is made anew for each call, and differs.
  Ref<HybridFunction> captured = Hybrid(
      [&](absl::Span<const Tensor> in) {
        return One(Op("mul", {in[0], Array({static_cast<float>(++calls)}, {})}));
      },
      options);
  EXPECT_THAT(Call(*captured, {&x, 1}).status().ToString(), HasSubstr("captured_0"));
}

TEST_F(HybridLimitsTest, TheCacheIsBounded) {
  HybridOptions options;
  options.max_entries = 2;
  Ref<HybridFunction> net =
      Hybrid([](absl::Span<const Tensor> in) { return One(Op("relu", {in[0]})); }, options);
  auto call = [&](int64_t size) {
    const Tensor x = Random({size});
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  };
  for (const int64_t size : {1, 2, 3, 3, 1}) call(size);
  EXPECT_EQ(net->stats().traces, 4);
  EXPECT_EQ(net->stats().evictions, 2);
  EXPECT_EQ(net->stats().entries, 2);
  EXPECT_THAT(net->Explain().entries.back().reason, HasSubstr("left the cache"));
}

TEST_F(HybridLimitsTest, RetracesAreWarnedOfOnceAndCanBeForbidden) {
  std::vector<std::string> warnings;
  HybridOptions options;
  options.retrace_warning = 3;
  options.warning_sink = [&](absl::string_view text) { warnings.emplace_back(text); };
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) {
    return One(Op("relu", {in[0]}));
  };
  Ref<HybridFunction> net = Hybrid(body, options);
  for (int64_t size = 1; size < 7; ++size) {
    const Tensor x = Random({size});
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
  }
  ASSERT_EQ(warnings.size(), 1);
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("traced 3 times"), HasSubstr("new shape")));

  options.forbid_retrace = true;
  Ref<HybridFunction> strict = Hybrid(body, options);
  const Tensor a = Random({1}), b = Random({2});
  ASSERT_TRUE(Call(*strict, {&a, 1}).ok());
  ASSERT_TRUE(Call(*strict, {&a, 1}).ok());
  EXPECT_THAT(Call(*strict, {&b, 1}).status().ToString(),
              AllOf(HasSubstr("forbid_retrace"), HasSubstr("new shape [2], was [1]")));
}

TEST_F(HybridLimitsTest, BadCallsAreErrors) {
  EXPECT_FALSE(HybridFunction::Create("net", nullptr).ok());
  EXPECT_FALSE(HybridFunction::Create("net", [](absl::Span<const Tensor>) { return TensorList(); },
                                      {.max_entries = 0})
                   .ok());
  Ref<HybridFunction> net = Hybrid([](absl::Span<const Tensor> in) {
    return One(Op("matmul", {in[0], in[1]}));
  });
  const std::vector<Tensor> undefined = {Tensor(), Tensor()};
  EXPECT_THAT(Call(*net, undefined).status().ToString(), HasSubstr("argument 0 is undefined"));
  const std::vector<Tensor> wrong = {Random({2, 3}), Random({4, 5})};
  EXPECT_THAT(Call(*net, wrong).status().ToString(),
              AllOf(HasSubstr("f32[2,3]"), HasSubstr("f32[4,5]")));
  Ref<HybridFunction> undefined_result = Hybrid(
      [](absl::Span<const Tensor>) -> absl::StatusOr<TensorList> { return TensorList{Tensor()}; });
  EXPECT_THAT(Call(*undefined_result, wrong).status().ToString(), HasSubstr("is undefined"));
  Ref<HybridFunction> self;
  self = Hybrid(
      [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> { return self->Run({}); });
  EXPECT_THAT(Call(*self, {}).status().ToString(), HasSubstr("calls itself"));
}

// R31
TEST_F(HybridLimitsTest, InnerFunctionsAreInlined) {
  int inner_runs = 0;
  Ref<HybridFunction> inner = Hybrid([&](absl::Span<const Tensor> in) {
    ++inner_runs;
    return One(Op("relu", {in[0]}));
  });
  Ref<HybridFunction> outer =
      Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
        TANDEM_ASSIGN_OR_RETURN(TensorList y, Call(*inner, in));
        EXPECT_TRUE(y[0].is_symbolic());
        return One(Op("add", {y[0], y[0]}));
      });
  const Tensor x = Array({-1, 2}, {2});
  EXPECT_EQ(Values((*Call(*outer, {&x, 1}))[0]), (std::vector<float>{0, 4}));
  EXPECT_EQ(Values((*Call(*outer, {&x, 1}))[0]), (std::vector<float>{0, 4}));
  EXPECT_EQ(inner_runs, 1);
  EXPECT_EQ(inner->stats().traces, 0);
}

}  // namespace
}  // namespace tandem
