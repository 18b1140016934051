// Uses of Cond, Scan and WhileLoop that are refused: what the errors say.

#include <functional>
#include <string>
#include <vector>

#include "tandem/graph/trace/control_flow.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Inputs = absl::Span<const Tensor>;
using Result = absl::StatusOr<TensorList>;

class BadControlFlowTest : public HybridFixture {
 protected:
  using Function = std::function<Result(Inputs)>;

  Tensor Scalar(float value) { return Array({value}, {}); }
  // What it says where it runs, and where it is compiled.
  std::string EagerError(const Function& function, const std::vector<Tensor>& inputs) {
    const auto result = function(inputs);
    EXPECT_FALSE(result.ok());
    return std::string(result.status().message());
  }
  std::string CompiledError(const Function& function, const std::vector<Tensor>& inputs) {
    const auto compiled = Hybrid(function);
    const auto result = Call(*compiled, inputs);
    EXPECT_FALSE(result.ok());
    return std::string(result.status().message());
  }
};

TEST_F(BadControlFlowTest, PredicateOfSeveralElements) {
  const auto function = [](Inputs in) -> Result {
    const auto same = [&](Inputs) -> Result { return TensorList{in[0]}; };
    return RunCond(in[0], same, same);
  };
  const std::vector<Tensor> inputs = {Array({1, 2}, {2})};
  for (const std::string& text : {EagerError(function, inputs), CompiledError(function, inputs)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("f32[2]"), HasSubstr("exactly one element"), HasSubstr("Any"),
                            HasSubstr("control_flow_errors_test.cc:")));
  }
}

TEST_F(BadControlFlowTest, SidesThatDiffer) {
  const auto function = [](Inputs in) -> Result {
    return RunCond(
        in[0], [&](Inputs) -> Result { return TensorList{in[0]}; },
        [&](Inputs) -> Result { return TensorList{in[1]}; });
  };
  EXPECT_THAT(CompiledError(function, {Scalar(1), Array({1, 2}, {2})}),
              AllOf(HasSubstr("cond"), HasSubstr("f32[] from then_body and f32[2] from else_body"),
                    HasSubstr("one dtype and shape")));
}

TEST_F(BadControlFlowTest, StateThatChanges) {
  const auto function = [](Inputs in) -> Result {
    return RunWhileLoop(
        [](Inputs state) -> Result { return TensorList{state[0]}; },
        [](Inputs state) -> Result {
          TANDEM_ASSIGN_OR_RETURN(const Tensor y, Op("cast", {state[0]}, {{"dtype", DType::kI32}}));
          return TensorList{y};
        },
        in, 3);
  };
  for (const std::string& text :
       {EagerError(function, {Scalar(1)}), CompiledError(function, {Scalar(1)})}) {
    EXPECT_THAT(text, AllOf(HasSubstr("f32[]"), HasSubstr("i32[]"),
                            HasSubstr("keeps its dtype and shape from step to step")));
  }
}

TEST_F(BadControlFlowTest, AxesThatDiffer) {
  const auto function = [](Inputs in) -> Result {
    ScanArguments arguments;
    arguments.scanned = in;
    return RunScan([](Inputs step) -> Result { return TensorList{step[0]}; }, arguments);
  };
  const std::vector<Tensor> inputs = {Array({1, 2}, {2}), Array({1, 2, 3}, {3})};
  for (const std::string& text : {EagerError(function, inputs), CompiledError(function, inputs)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("f32[3]"), HasSubstr("2 steps"), HasSubstr("must agree")));
  }
}

TEST_F(BadControlFlowTest, RandomNumbersInsideOfABody) {
  const auto function = [this](Inputs in) -> Result {
    const auto draw = [&](Inputs) -> Result {
      TANDEM_RETURN_IF_ERROR(NextRandom(*device_, 1).status());
      return TensorList{in[0]};
    };
    return RunCond(in[0], draw, draw);
  };
  EXPECT_THAT(CompiledError(function, {Scalar(1)}),
              AllOf(HasSubstr("draws random numbers"), HasSubstr("draw them before")));
}

TEST_F(BadControlFlowTest, WritingAVariableInsideOfABody) {
  const Ref<Variable> mean = MakeVariable("mean", Scalar(0), /*grad=*/false);
  const auto function = [&](Inputs in) -> Result {
    ScanArguments arguments;
    arguments.scanned = in;
    return RunScan(
        [&](Inputs step) -> Result {
          TANDEM_RETURN_IF_ERROR(WriteVariable(*mean, step[0]));
          return TensorList{step[0]};
        },
        arguments);
  };
  EXPECT_THAT(CompiledError(function, {Array({1, 2}, {2})}),
              AllOf(HasSubstr("writes 'mean'"), HasSubstr("takes and gives")));
}

TEST_F(BadControlFlowTest, ReadingAValueInARecordedBodyNamesTheRemedy) {
  const Tensor x = Array({1, 2}, {2});
  ASSERT_TRUE(AttachGrad(x).ok());
  ScanArguments arguments;
  arguments.scanned = {&x, 1};
  const auto step = [](Inputs in) -> Result {
    TANDEM_RETURN_IF_ERROR(in[0].Item<float>().status());
    return TensorList{in[0]};
  };
  EXPECT_TRUE(RunScan(step, arguments).ok());
  RecordScope record;
  EXPECT_THAT(std::string(RunScan(step, arguments).status().message()),
              AllOf(HasSubstr("recorded as a body"), HasSubstr("outside of a RecordScope")));
}

TEST_F(BadControlFlowTest, ReadingASymbolNamesTheRemedy) {
  const auto function = [](Inputs in) -> Result {
    TANDEM_RETURN_IF_ERROR(in[0].Item<float>().status());
    return TensorList{in[0]};
  };
  EXPECT_THAT(CompiledError(function, {Scalar(1)}),
              AllOf(HasSubstr("Cond, WhileLoop"), HasSubstr("Where(condition, a, b)")));
}

}  // namespace
}  // namespace tandem
