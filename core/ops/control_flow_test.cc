// Inference of control flow, and the bodies that its gradients are made of.

#include "tandem/core/op/control_flow.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/op/body_recorder.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class ControlFlowOpsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok()); }
  const TensorSpec spec_{DType::kF32, {2}};
};

TEST_F(ControlFlowOpsTest, KeepsWhatTheOutputsNeed) {
  BodyRecorder recorder({spec_, spec_});
  Emitter emit(recorder);
  emit("exp", {recorder.input(0)});
  const Tensor y = emit("mul", {recorder.input(0), recorder.input(1)});
  ASSERT_TRUE(emit.status().ok()) << emit.status();
  const auto body = recorder.Finish({&y, 1});
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ((*body)->ToString(),
            "(%0: f32[2], %1: f32[2]) { %2 = mul(%0, %1) : f32[2]; return %2 }");
}

TEST_F(ControlFlowOpsTest, RecordsGradients) {
  // sum((x w) (x w)), of which x wants a gradient.
  OpBody::Builder builder({spec_, spec_});
  const OpDef& mul = **OpRegistry::Global().Get("mul");
  const int32_t product = *builder.Add(mul, AttributeMap(), {0, 1});
  const int32_t square = *builder.Add(mul, AttributeMap(), {product, product});
  const auto body = builder.Finish({square});
  ASSERT_TRUE(body.ok()) << body.status();

  BodyRecorder recorder({spec_, spec_, spec_});
  const auto grads = RecordGradients(recorder, **body, recorder.inputs().subspan(0, 2),
                                     recorder.inputs().subspan(2), {true, false});
  ASSERT_TRUE(grads.ok()) << grads.status();
  ASSERT_EQ(grads->size(), 2u);
  EXPECT_FALSE((*grads)[1].defined());
  const auto gradient = recorder.Finish({&(*grads)[0], 1});
  ASSERT_TRUE(gradient.ok()) << gradient.status();
  EXPECT_EQ((*gradient)->ToString(),
            "(%0: f32[2], %1: f32[2], %2: f32[2]) { %3 = mul(%0, %1) : f32[2]; "
            "%4 = mul(%2, %3) : f32[2]; %5 = mul(%2, %3) : f32[2]; %6 = add(%4, %5) : f32[2]; "
            "%7 = mul(%6, %1) : f32[2]; return %7 }");
}

TEST_F(ControlFlowOpsTest, StopGradientStops) {
  OpBody::Builder builder({spec_});
  const OpDef& stop = **OpRegistry::Global().Get("stop_gradient");
  const auto body = builder.Finish({*builder.Add(stop, AttributeMap(), {0})});
  ASSERT_TRUE(body.ok()) << body.status();
  BodyRecorder recorder({spec_, spec_});
  const auto grads = RecordGradients(recorder, **body, recorder.inputs().subspan(0, 1),
                                     recorder.inputs().subspan(1), {true});
  ASSERT_TRUE(grads.ok()) << grads.status();
  EXPECT_FALSE((*grads)[0].defined());
}

TEST_F(ControlFlowOpsTest, ForeignTensorsAreRefused) {
  BodyRecorder recorder({spec_});
  Emitter emit(recorder);
  emit("exp", {Tensor()});
  EXPECT_EQ(emit.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(emit.status().message()), HasSubstr("no value of the body"));
}

// Files may say anything: whatever the attributes are, inference ends with an error or with specs.
TEST_F(ControlFlowOpsTest, NoAttributesBreakInference) {
  const auto body = OpBody::Builder({spec_}).Finish({0});
  ASSERT_TRUE(body.ok());
  const TensorSpec stacked{DType::kF32, {3, 2}};
  const std::vector<const TensorSpec*> inputs = {&spec_, &stacked, &spec_};
  const std::vector<int64_t> numbers = {-2,
                                        -1,
                                        0,
                                        1,
                                        2,
                                        3,
                                        4,
                                        std::numeric_limits<int64_t>::max(),
                                        std::numeric_limits<int64_t>::min()};
  int errors = 0;
  int fine = 0;
  const auto check = [&](absl::string_view name, const std::vector<AttributeInit>& init) {
    const OpDef& op = **OpRegistry::Global().Get(name);
    const auto attrs = AttributeMap::Create(op.attributes, init);
    ASSERT_TRUE(attrs.ok()) << attrs.status();
    const auto specs = InferSpecs(op, *attrs, inputs);
    (specs.ok() ? fine : errors) += 1;
    if (specs.ok()) {
      EXPECT_EQ(static_cast<int>(specs->size()), op.num_outputs(*attrs));
    }
    for (const int count : {0, 1, 3}) {
      for (const BodyInput& input : op.control.body_inputs(*attrs, count, 0)) {
        EXPECT_GE(input.input, 0);
        EXPECT_LT(input.input, count);
      }
    }
  };
  for (const int64_t a : numbers) {
    for (const int64_t b : numbers) {
      for (const bool flag : {false, true}) {
        for (const int64_t length : {int64_t{-1}, int64_t{3}, numbers[7]}) {
          check("scan", {{"body", *body},
                         {"num_carry", a},
                         {"num_scanned", b},
                         {"length", length},
                         {"counted", flag}});
        }
        check("while_loop", {{"condition", *body},
                             {"body", *body},
                             {"num_state", a},
                             {"max_iterations", b},
                             {"keep_states", flag}});
      }
    }
  }
  EXPECT_GT(errors, 500);
  // A body of one input: no carry and nothing to go along but what is given.
  EXPECT_EQ(fine, 0);
}

TEST_F(ControlFlowOpsTest, LengthsThatDoNotFitAreRefused) {
  const auto body = OpBody::Builder({spec_}).Finish({0, 0});
  ASSERT_TRUE(body.ok());
  const OpDef& scan = **OpRegistry::Global().Get("scan");
  const auto attrs = AttributeMap::Create(
      scan.attributes,
      {{"body", *body}, {"num_carry", 1}, {"length", std::numeric_limits<int64_t>::max()}});
  ASSERT_TRUE(attrs.ok());
  const std::vector<const TensorSpec*> inputs = {&spec_};
  const auto specs = InferSpecs(scan, *attrs, inputs);
  ASSERT_FALSE(specs.ok());
  EXPECT_THAT(std::string(specs.status().message()), HasSubstr("its result would not fit"));
}

}  // namespace
}  // namespace tandem
