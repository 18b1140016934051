// Control flow on a Vulkan device: bodies are programs there, the host reads predicates between the
// command buffers. Eager, compiled and replayed runs give the same bits, gradients too.

#include <vector>

#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/graph/trace/control_flow.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using Inputs = absl::Span<const Tensor>;
using Result = absl::StatusOr<TensorList>;

class VulkanControlFlowTest : public HybridFixture {
 protected:
  void SetUp() override {
    static const auto& opened = *new absl::StatusOr<Device*>([]() -> absl::StatusOr<Device*> {
      BackendRegistry& backends = BackendRegistry::Global();
      TANDEM_RETURN_IF_ERROR(backends.SetOption("vulkan", "validation", "sync"));
      return backends.Open("vulkan:0");
    }());
    if (absl::IsUnavailable(opened.status())) GTEST_SKIP() << "skipped: " << opened.status();
    ASSERT_TRUE(opened.ok()) << opened.status();
    device_ = *opened;
  }
  void TearDown() override {
    EXPECT_THAT(vulkan_backend::ValidationLog::Global().Take(), testing::IsEmpty());
  }

  // A recurrent net along x; then the state is halved until it is small; then one of two sides.
  static Result Body(Inputs in) {
    const Tensor x = in[0], h = in[1], w = in[2], u = in[3];
    ScanArguments arguments;
    arguments.carry = {&h, 1};
    arguments.scanned = {&x, 1};
    const auto step = [&](Inputs given) -> Result {
      TANDEM_ASSIGN_OR_RETURN(const Tensor a, Op("matmul", {given[1], w}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor b, Op("matmul", {given[0], u}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("add", {a, b}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor next, Op("tanh", {sum}));
      return TensorList{next, next};
    };
    TANDEM_ASSIGN_OR_RETURN(const TensorList scanned, RunScan(step, arguments));
    const auto is_large = [](const Tensor& tensor) -> Result {
      TANDEM_ASSIGN_OR_RETURN(const Tensor square, Op("mul", {tensor, tensor}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor sum, Op("sum", {square}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor half, Op("sigmoid", {*Op("sub", {sum, sum})}));
      TANDEM_ASSIGN_OR_RETURN(const Tensor large, Op("greater", {sum, half}));
      return TensorList{large};
    };
    TANDEM_ASSIGN_OR_RETURN(
        const TensorList small,
        RunWhileLoop([&](Inputs state) { return is_large(state[0]); },
                     [&](Inputs state) -> Result {
                       TANDEM_ASSIGN_OR_RETURN(const Tensor s, Op("sigmoid", {state[0]}));
                       TANDEM_ASSIGN_OR_RETURN(const Tensor less, Op("mul", {state[0], s}));
                       return TensorList{less};
                     },
                     {&scanned[0], 1}, 12));
    TANDEM_ASSIGN_OR_RETURN(const TensorList large, is_large(x));
    TANDEM_ASSIGN_OR_RETURN(
        const TensorList chosen,
        RunCond(
            large[0],
            [&](Inputs) -> Result {
              TANDEM_ASSIGN_OR_RETURN(const Tensor y, Op("matmul", {small[0], u}));
              return TensorList{y};
            },
            [&](Inputs) -> Result { return TensorList{small[0]}; }));
    return TensorList{chosen[0], scanned[1]};
  }
};

TEST_F(VulkanControlFlowTest, EagerAndCompiledAgree) {
  const std::vector<Tensor> inputs = {Random({5, 2, 3}), Random({2, 4}), Random({3, 4}),
                                      Random({4, 4})};
  const auto eager = Body(inputs);
  ASSERT_TRUE(eager.ok()) << eager.status();
  for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
    const auto compiled = Hybrid(Body, options);
    for (int call = 0; call < 2; ++call) {
      const auto result = Call(*compiled, inputs);
      ASSERT_TRUE(result.ok()) << result.status();
      for (size_t i = 0; i < eager->size(); ++i) ExpectSameBits((*result)[i], (*eager)[i]);
    }
  }
}

TEST_F(VulkanControlFlowTest, GradientsAgree) {
  const std::vector<Tensor> values = {Random({5, 2, 3}), Random({2, 4}), Random({3, 4}),
                                      Random({4, 4})};
  const auto gradients = [&](const HybridFunction::Body& function) {
    std::vector<Tensor> inputs;
    for (const Tensor& value : values) {
      inputs.push_back(Detach(value));
      EXPECT_TRUE(AttachGrad(inputs.back()).ok());
    }
    absl::StatusOr<TensorList> outputs;
    {
      RecordScope record;
      outputs = function(inputs);
    }
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (!outputs.ok()) return std::vector<Tensor>(values.size());
    const absl::Status status = Backward(*outputs);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<Tensor> grads;
    for (const Tensor& input : inputs) grads.push_back(GradOf(input));
    return grads;
  };
  const std::vector<Tensor> eager = gradients(Body);
  for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
    const auto compiled = Hybrid(Body, options);
    const std::vector<Tensor> grads = gradients([&](Inputs in) { return Call(*compiled, in); });
    for (size_t i = 0; i < eager.size(); ++i) {
      ASSERT_TRUE(eager[i].defined());
      ExpectSameBits(grads[i], eager[i]);
    }
  }
}

}  // namespace
}  // namespace tandem
