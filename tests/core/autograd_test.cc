// The tape on a real device: what accumulates, what is freed, and what is refused.

#include "tandem/core/autograd/autograd.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/autograd/device_copy.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

class AutogradTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok());
  }
  void SetUp() override {
    auto device = BackendRegistry::Global().Open("cpu:0");
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *device;
  }

  Tensor Vector(std::vector<double> values) {
    const Shape shape = {static_cast<int64_t>(values.size())};
    return *Tensor::FromVector<double>(values, shape, *device_);
  }
  Tensor Leaf(std::vector<double> values, GradRequest request = GradRequest::kWrite) {
    Tensor leaf = Vector(std::move(values));
    EXPECT_TRUE(AttachGrad(leaf, request).ok());
    return leaf;
  }
  static Tensor Op(const char* name, std::vector<Tensor> inputs,
                   std::vector<AttributeInit> attrs = {}) {
    auto result = Invoke(name, inputs, attrs);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? (*result)[0] : Tensor();
  }
  static std::vector<double> Values(const Tensor& tensor) {
    if (!tensor.defined()) return {};
    return *tensor.ToVector<double>();
  }

  Device* device_ = nullptr;
};

// An op whose decomposition gives its input as it is must not hang its node on the input itself.
TEST_F(AutogradTest, AnInputThatIsGivenBackKeepsItsOwnRecord) {
  OpDef def;
  def.name = "test_give_back";
  def.family = "test";
  def.inputs = {{"x", ""}, {"kept", ""}};
  def.outputs = {"y", "same"};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{c.input(0), c.input(1)};
  };
  def.decompose = [](DecomposeContext& c) -> absl::StatusOr<TensorList> {
    return c.Finish({c.emit("mul", {c.input(0), c.input(0)}), c.input(1)});
  };
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> {
    return c.Finish({c.grad(0), Tensor()});
  };
  ASSERT_TRUE(OpRegistry::Global().Register(std::move(def)).ok());
  const Tensor x = Leaf({2}), kept = Vector({3});
  for (int pass = 0; pass < 2; ++pass) {  // the second one used to find the first one's nodes
    Tensor y;
    {
      RecordScope record;
      y = Op("test_give_back", {x, kept});
    }
    ASSERT_EQ(Backward({y}), absl::OkStatus()) << pass;
  }
  EXPECT_FALSE(RequiresGrad(kept));
}

TEST_F(AutogradTest, ProductRule) {
  Tensor x = Leaf({2, 3}), y = Leaf({5, 7});
  Tensor z;
  {
    RecordScope record;
    z = Op("mul", {x, y});
  }
  ASSERT_EQ(Backward({z}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{5, 7}));
  EXPECT_EQ(Values(GradOf(y)), (std::vector<double>{2, 3}));
}

TEST_F(AutogradTest, ManyUsesAreSummed) {
  Tensor x = Leaf({3});
  Tensor y;
  {
    RecordScope record;
    y = Op("add", {Op("mul", {x, x}), Op("mul", {x, Op("mul", {x, x})})});  // x^2 + x^3
  }
  ASSERT_EQ(Backward({y}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{2 * 3 + 3 * 9}));
}

TEST_F(AutogradTest, WriteReplacesAndAddAdds) {
  Tensor written = Leaf({1}), added = Leaf({1}, GradRequest::kAdd);
  for (int i = 1; i <= 3; ++i) {
    Tensor y;
    {
      RecordScope record;
      y = Op("add", {Op("mul", {written, Vector({2})}), Op("mul", {added, Vector({2})})});
    }
    ASSERT_EQ(Backward({y}), absl::OkStatus());
    EXPECT_EQ(Values(GradOf(written)), (std::vector<double>{2}));
    EXPECT_EQ(Values(GradOf(added)), (std::vector<double>{2.0 * i}));
  }
}

TEST_F(AutogradTest, HeadGradientsAndSeveralHeads) {
  Tensor x = Leaf({1, 2});
  Tensor a, b;
  {
    RecordScope record;
    a = Op("mul", {x, Vector({3, 3})});
    b = Op("mul", {x, x});
  }
  ASSERT_EQ(Backward({a, b}, {Vector({1, 10}), Tensor()}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{3 + 2, 30 + 4}));
}

TEST_F(AutogradTest, OutsideARecordScopeNothingIsRecorded) {
  Tensor x = Leaf({1});
  Tensor y = Op("mul", {x, x});
  EXPECT_FALSE(RequiresGrad(y));
  const absl::Status status = Backward({y});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("RecordScope"), std::string::npos);
}

TEST_F(AutogradTest, PauseAndDetachCut) {
  Tensor x = Leaf({4});
  Tensor y, paused;
  {
    RecordScope record;
    EXPECT_TRUE(IsRecording());
    EXPECT_TRUE(IsTraining());
    {
      PauseScope pause;
      EXPECT_FALSE(IsRecording());
      EXPECT_FALSE(IsTraining());
      paused = Op("mul", {x, x});
    }
    EXPECT_FALSE(RequiresGrad(paused));
    y = Op("add", {Op("mul", {x, paused}), Detach(Op("mul", {x, x}))});
  }
  EXPECT_FALSE(IsRecording());
  ASSERT_EQ(Backward({y}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{16}));
}

TEST_F(AutogradTest, ASecondBackwardNeedsRetainGraph) {
  Tensor x = Leaf({3});
  Tensor y;
  {
    RecordScope record;
    y = Op("mul", {x, x});
  }
  ASSERT_EQ(Backward({y}, {}, {.retain_graph = true}), absl::OkStatus());
  ASSERT_EQ(Backward({y}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{6}));
  const absl::Status status = Backward({y});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("retain_graph"), std::string::npos);
}

TEST_F(AutogradTest, GradientsOfGradients) {
  Tensor x = Leaf({2});
  std::vector<Tensor> first, second;
  {
    RecordScope record;
    Tensor y = Op("mul", {x, Op("mul", {x, x})});
    auto grads = Grad({y}, {}, {x}, {.create_graph = true});
    ASSERT_TRUE(grads.ok()) << grads.status();
    first = *grads;
    auto again = Grad({first[0]}, {}, {x}, {.create_graph = true});
    ASSERT_TRUE(again.ok()) << again.status();
    second = *again;
  }
  EXPECT_EQ(Values(first[0]), (std::vector<double>{12}));   // 3x^2
  EXPECT_EQ(Values(second[0]), (std::vector<double>{12}));  // 6x
  EXPECT_FALSE(GradOf(x).defined()) << "Grad returns, it does not store";
}

TEST_F(AutogradTest, GradOfSomethingInTheMiddle) {
  Tensor x = Leaf({2}), unused = Leaf({1});
  Tensor middle, y;
  {
    RecordScope record;
    middle = Op("mul", {x, x});
    y = Op("mul", {middle, middle});
  }
  auto grads = Grad({y}, {}, {middle, unused});
  ASSERT_TRUE(grads.ok()) << grads.status();
  EXPECT_EQ(Values((*grads)[0]), (std::vector<double>{8}));
  EXPECT_FALSE((*grads)[1].defined());
}

TEST_F(AutogradTest, AHeadThatLeadsNowhereWantedGivesNothing) {
  Tensor x = Leaf({2}), unrelated = Leaf({1}), other = Leaf({5});
  Tensor y, z;
  {
    RecordScope record;
    y = Op("mul", {x, x});
    z = Op("mul", {other, other});
  }
  auto nothing = Grad({y}, {}, {unrelated}, {.retain_graph = true});
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_FALSE((*nothing)[0].defined());
  auto one_of_two = Grad({y, z}, {}, {x});
  ASSERT_TRUE(one_of_two.ok()) << one_of_two.status();
  EXPECT_EQ(Values((*one_of_two)[0]), (std::vector<double>{4}));
}

TEST_F(AutogradTest, IntegersAndStepsStopTheGradient) {
  Tensor x = Leaf({1.5});
  Tensor y;
  {
    RecordScope record;
    y = Op("add", {x, Op("floor", {x})});
  }
  ASSERT_EQ(Backward({y}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x)), (std::vector<double>{1}));
  Tensor integers = *Tensor::FromVector<int32_t>({1}, {1}, *device_);
  EXPECT_EQ(AttachGrad(integers).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AutogradTest, VariablesKeepTheirGradientWhenTheirValueChanges) {
  auto weight = MakeRef<Variable>("weight");
  ASSERT_EQ(weight->Set(Vector({3})), absl::OkStatus());
  ASSERT_EQ(AttachGrad(*weight), absl::OkStatus());
  for (double value : {3.0, 5.0}) {
    ASSERT_EQ(weight->Set(Vector({value})), absl::OkStatus());
    Tensor y;
    {
      RecordScope record;
      Tensor w = *ReadVariable(*weight);
      y = Op("mul", {w, w});
    }
    ASSERT_EQ(Backward({y}), absl::OkStatus());
    EXPECT_EQ(Values(GradOf(*weight)), (std::vector<double>{2 * value}));
  }
  ClearGrad(*weight);
  EXPECT_FALSE(GradOf(*weight).defined());
}

TEST_F(AutogradTest, AnUninitializedVariableSaysSo) {
  auto weight = MakeRef<Variable>("dense0_weight");
  const absl::Status status = ReadVariable(*weight).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("dense0_weight"), std::string::npos);
}

// A recursive destructor would overflow the stack.
TEST_F(AutogradTest, GradientsFlowBackThroughACopyToAnotherDevice) {
  TestDevice other(/*device_memory_visible=*/false);
  const Tensor x = *Tensor::FromVector<float>({1, 2, 3}, {3}, other);
  ASSERT_TRUE(AttachGrad(x).ok());
  Tensor loss;
  {
    RecordScope record;
    const Tensor here = *MoveTo(x, *device_);
    EXPECT_EQ(here.device(), device_);
    EXPECT_TRUE(RequiresGrad(here));
    EXPECT_EQ(MoveTo(here, *device_)->impl(), here.impl());
    loss = Op("mul", {here, Op("mul", {here, here})});
  }
  const absl::Status status = Backward({loss}, {}, {.retain_graph = true});
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(GradOf(x).defined());
  EXPECT_EQ(GradOf(x).device(), &other);
  EXPECT_EQ(*GradOf(x).ToVector<float>(), (std::vector<float>{3, 12, 27}));

  // Gradients of gradients.
  RecordScope record;
  const auto first = Grad({loss}, {}, {x}, {.create_graph = true});
  ASSERT_TRUE(first.ok()) << first.status();
  const Tensor first_here = *MoveTo((*first)[0], *device_);
  const auto second = Grad({first_here}, {}, {x});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].device(), &other);
  EXPECT_EQ(*(*second)[0].ToVector<float>(), (std::vector<float>{6, 12, 18}));
}

TEST_F(AutogradTest, ACopyOutsideOfARecordScopeIsNotRecorded) {
  TestDevice other;
  const Tensor x = *Tensor::FromVector<float>({1}, {1}, other);
  ASSERT_TRUE(AttachGrad(x).ok());
  EXPECT_FALSE(RequiresGrad(*MoveTo(x, *device_)));
  EXPECT_EQ(MoveTo(Tensor(), *device_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AutogradTest, LongTapesAreFreedWithoutRecursion) {
  const int64_t before = device_->allocator().stats().bytes_in_use;
  {
    Tensor x = Leaf({1});
    Tensor y = x;
    RecordScope record;
    for (int i = 0; i < 200000; ++i) y = Op("add", {y, x});
  }
  EXPECT_EQ(device_->allocator().stats().bytes_in_use, before);
}

TEST_F(AutogradTest, WhatTheGradientDoesNotReadIsFreedEarly) {
  Tensor x = Leaf(std::vector<double>(1000, 1.0));
  Tensor y;
  int64_t after_one = 0;
  {
    RecordScope record;
    y = Op("add", {x, x});
    after_one = device_->allocator().stats().bytes_in_use;
    for (int i = 0; i < 10; ++i) y = Op("add", {y, x});
  }
  EXPECT_LE(device_->allocator().stats().bytes_in_use, after_one)
      << "sums of sums keep no values for their gradient";
  ASSERT_EQ(Backward({y}), absl::OkStatus());
  EXPECT_EQ(Values(GradOf(x))[999], 12);
}

}  // namespace
}  // namespace tandem
