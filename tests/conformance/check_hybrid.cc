// Compiled against eager: results and gradients, bit for bit.

#include <utility>

#include "gtest/gtest.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/op_def.h"
#include "tandem/graph/compile/hybrid_function.h"
#include "tandem/tests/conformance/checks.h"
#include "tandem/tests/conformance/options.h"
#include "tandem/tests/conformance/report.h"

namespace tandem::conformance {
namespace {

using Body = HybridFunction::Body;

struct Run {
  TensorList outputs;
  std::vector<Tensor> grads;
};

// Runs `body`, and differentiates the sum of its outputs' squares if there is something to do.
absl::StatusOr<Run> RunAndDifferentiate(const Case& c, const Body& body,
                                        absl::Span<const Tensor> inputs, bool differentiate) {
  Run run;
  if (!differentiate) {
    TANDEM_ASSIGN_OR_RETURN(run.outputs, body(inputs));
    return run;
  }
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(Detach(input));
    if (IsFloating(input.dtype())) TANDEM_RETURN_IF_ERROR(AttachGrad(leaves.back()));
  }
  std::vector<Tensor> heads;
  {
    RecordScope record;
    TANDEM_ASSIGN_OR_RETURN(run.outputs, body(leaves));
    for (const Tensor& y : run.outputs) {
      if (!IsFloating(y.dtype()) || !RequiresGrad(y)) continue;
      TANDEM_ASSIGN_OR_RETURN(TensorList square, Invoke("square", {y}));
      TANDEM_ASSIGN_OR_RETURN(TensorList sum, Invoke("sum", square));
      heads.push_back(sum[0]);
    }
  }
  if (!heads.empty()) TANDEM_RETURN_IF_ERROR(Backward(heads));
  for (const Tensor& leaf : leaves) {
    run.grads.push_back(IsFloating(leaf.dtype()) ? GradOf(leaf) : Tensor());
  }
  return run;
}

}  // namespace

void CheckHybrid(const Case& c) {
  const OpDef* const op = OpRegistry::Global().Find(c.op);
  ASSERT_NE(op, nullptr) << c.op;
  const auto prepared = Prepare(c);
  ASSERT_TRUE(prepared.ok()) << c.ToString() << ": " << prepared.status();
  bool differentiate = false;
  for (const Tensor& input : prepared->inputs) {
    differentiate = differentiate || (op->traits.differentiable && IsFloating(input.dtype()));
  }
  const Body body = [&c](absl::Span<const Tensor> inputs) { return RunOp(c, inputs); };
  const auto eager = RunAndDifferentiate(c, body, prepared->inputs, differentiate);
  if (CountUnsupported(eager.status(), "hybrid", c)) return;
  ASSERT_TRUE(eager.ok()) << c.ToString() << ": " << eager.status();
  Report::Global().Ran("hybrid");
  for (bool is_static : {false, true}) {
    HybridOptions options;
    options.static_alloc = is_static;
    options.static_shape = is_static;
    auto function = HybridFunction::Create(c.op, body, options);
    ASSERT_TRUE(function.ok()) << function.status();
    const Body compiled = [&](absl::Span<const Tensor> inputs) { return Call(**function, inputs); };
    for (int call = 0; call < 2; ++call) {  // traced, then replayed
      const auto hybrid = RunAndDifferentiate(c, compiled, prepared->inputs, differentiate);
      ASSERT_TRUE(hybrid.ok()) << c.ToString() << ": " << hybrid.status();
      ASSERT_EQ(hybrid->outputs.size(), eager->outputs.size()) << c.ToString();
      for (size_t i = 0; i < eager->outputs.size() && Options().values; ++i) {
        const std::string difference = CompareBits(eager->outputs[i], hybrid->outputs[i]);
        EXPECT_EQ(difference, "") << c.ToString() << ", output " << i << ", static " << is_static;
      }
      for (size_t i = 0; i < eager->grads.size() && Options().values; ++i) {
        const std::string difference = CompareBits(eager->grads[i], hybrid->grads[i]);
        EXPECT_EQ(difference, "") << c.ToString() << ", gradient of input " << i << ", static "
                                  << is_static;
      }
    }
    EXPECT_EQ((*function)->stats().traces, 1) << c.ToString();
  }
}

}  // namespace tandem::conformance
