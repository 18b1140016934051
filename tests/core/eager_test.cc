// What the eager interpreter refuses, and how it says so.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

class EagerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok());
  }
  void SetUp() override { device_ = *BackendRegistry::Global().Open("cpu:0"); }

  Tensor Zeros(const Shape& shape) {
    return *Tensor::FromVector<float>(std::vector<float>(shape.num_elements()), shape, *device_);
  }
  static void ExpectMentions(const absl::Status& status, std::vector<std::string> parts) {
    ASSERT_FALSE(status.ok());
    for (const std::string& part : parts) {
      EXPECT_NE(status.message().find(part), std::string::npos) << part << " in: " << status;
    }
  }

  Device* device_ = nullptr;
};

// R1
TEST_F(EagerTest, RunsAtOnceAndEveryIntermediateCanBeRead) {
  std::vector<Tensor> v;
  for (float x : {1.f, 2.f, 3.f, 4.f}) v.push_back(*Tensor::Scalar(x, *device_));
  Tensor e = (*Invoke("add", {v[0], v[1]}))[0];
  EXPECT_EQ(*e.Item<float>(), 3);
  Tensor f = (*Invoke("add", {v[2], v[3]}))[0];
  EXPECT_EQ(*f.Item<float>(), 7);
  EXPECT_EQ(*(*Invoke("add", {e, f}))[0].Item<float>(), 10);
}

TEST_F(EagerTest, ErrorsNameOpShapesBlockAndLine) {
  BlockScope net("lenet0");
  BlockScope layer("dense1");
  InvokeOptions options;
  options.location = SourceLocation::current();
  ExpectMentions(Invoke("matmul", {Zeros({2, 3}), Zeros({4, 5})}, {}, options).status(),
                 {"matmul", "f32[2,3]", "f32[4,5]", "lenet0/dense1", "eager_test.cc:"});
}

TEST_F(EagerTest, UnknownOpsAndAttributes) {
  ExpectMentions(Invoke("sofmax", {Zeros({2})}).status(), {"did you mean 'softmax'"});
  ExpectMentions(Invoke("softmax", {Zeros({2})}, {{"axes", 1}}).status(), {"softmax", "axes"});
  ExpectMentions(Invoke("softmax", {Zeros({2})}, {{"axis", 7}}).status(), {"softmax", "axis 7"});
  ExpectMentions(Invoke("add", {Zeros({2})}).status(), {"add", "takes 2 inputs, 1 given"});
}

TEST_F(EagerTest, DevicesMustAgree) {
  TestDevice other;
  Tensor there = *Tensor::FromVector<float>({0, 0}, {2}, other);
  ExpectMentions(Invoke("add", {Zeros({2}), there}).status(), {"cpu:0", "test:0", "add", "To(x, \"cpu:0\")"});
  ExpectMentions(Invoke("add", {there, there}).status(), {"no kernel", "test:0", "add"});
  ExpectMentions(Invoke("full", {}, {{"shape", Dims{2}}, {"value", 0.0}}).status(), {"device"});
}

TEST_F(EagerTest, EnormousResultsAreRefusedBeforeAllocation) {
  const int64_t before = device_->allocator().stats().allocations;
  const int64_t big = int64_t{1} << 31;
  Tensor one = Zeros({1, 1});
  Tensor wide = (*Invoke("broadcast_to", {one}, {{"shape", Dims{1, big}}}))[0];
  Tensor tall = (*Invoke("broadcast_to", {one}, {{"shape", Dims{big, 1}}}))[0];
  EXPECT_FALSE(Invoke("matmul", {tall, wide}).ok());
  EXPECT_FALSE(Invoke("add", {tall, wide}).ok());
  EXPECT_FALSE(
      Invoke("broadcast_to", {one}, {{"shape", Dims{big, big, big}}}).ok());
  EXPECT_LE(device_->allocator().stats().allocations, before + 8);
}

TEST_F(EagerTest, EmptyTensorsWork) {
  Tensor empty = Zeros({0, 3});
  EXPECT_EQ((*Invoke("relu", {empty}))[0].shape(), Shape({0, 3}));
  EXPECT_EQ(*(*Invoke("sum", {empty}))[0].Item<float>(), 0);
  EXPECT_EQ((*Invoke("matmul", {empty, Zeros({3, 4})}))[0].shape(), Shape({0, 4}));
  Tensor inner_empty = (*Invoke("matmul", {Zeros({2, 0}), Zeros({0, 2})}))[0];
  EXPECT_EQ(*inner_empty.ToVector<float>(), std::vector<float>(4, 0.f));
}

TEST_F(EagerTest, ViewsShareMemoryAndKernelsTakeThem) {
  Tensor x = *Tensor::FromVector<float>({1, 2, 3, 4, 5, 6}, {2, 3}, *device_);
  Tensor t = (*Invoke("transpose", {x}))[0];
  EXPECT_EQ(t.buffer(), x.buffer());
  EXPECT_EQ(*(*Invoke("neg", {t}))[0].ToVector<float>(),
            (std::vector<float>{-1, -4, -2, -5, -3, -6}));
  // A reshape of what is not contiguous copies.
  Tensor flat = (*Invoke("reshape", {t}, {{"shape", Dims{-1}}}))[0];
  EXPECT_EQ(*flat.ToVector<float>(), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace tandem
