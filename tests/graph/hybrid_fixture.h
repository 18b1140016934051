// What tests of compiled functions share: a device, ops by name, bit-exact comparison.
#ifndef TANDEM_TESTS_GRAPH_HYBRID_FIXTURE_H_
#define TANDEM_TESTS_GRAPH_HYBRID_FIXTURE_H_

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/dispatch/random.h"
#include "tandem/core/dispatch/variable.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/compile/hybrid_function.h"

namespace tandem {

class HybridFixture : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const absl::Status status = RegisterStandardOps(&OpRegistry::Global());
    ASSERT_TRUE(status.ok() || absl::IsAlreadyExists(status)) << status;
  }
  void SetUp() override {
    auto device = BackendRegistry::Global().Open("cpu:0");
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *device;
  }

  Tensor Array(std::vector<float> values, const Shape& shape) {
    return *Tensor::FromVector<float>(values, shape, *device_);
  }
  // Values that differ from call to call, the same ones in every run of the test.
  Tensor Random(const Shape& shape) {
    std::normal_distribution<float> normal;
    std::vector<float> values(shape.num_elements());
    for (float& value : values) value = normal(random_);
    return Array(std::move(values), shape);
  }
  Ref<Variable> MakeVariable(const std::string& name, const Tensor& value, bool grad = true) {
    auto variable = MakeRef<Variable>(name);
    EXPECT_TRUE(variable->Set(value).ok());
    if (grad) {
      EXPECT_TRUE(AttachGrad(*variable).ok());
    }
    return variable;
  }

  // An op's first output; the caller's line is the user's line.
  static absl::StatusOr<Tensor> Op(absl::string_view name, std::vector<Tensor> inputs,
                                   std::vector<AttributeInit> attrs = {},
                                   SourceLocation location = SourceLocation::current()) {
    InvokeOptions options;
    options.location = location;
    auto result = Invoke(name, inputs, attrs, options);
    if (!result.ok()) return result.status();
    return (*result)[0];
  }

  static std::vector<float> Values(const Tensor& tensor) {
    auto values = tensor.ToVector<float>();
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? *values : std::vector<float>();
  }
  static std::vector<std::byte> Bytes(const Tensor& tensor) {
    if (!tensor.defined()) return {};
    std::vector<std::byte> bytes(tensor.spec().num_bytes());
    EXPECT_TRUE(tensor.CopyToHost(absl::MakeSpan(bytes)).ok());
    return bytes;
  }
  static void ExpectSameBits(const Tensor& a, const Tensor& b, const std::string& what = "") {
    ASSERT_EQ(a.defined(), b.defined()) << what;
    if (!a.defined()) return;
    ASSERT_EQ(a.spec(), b.spec()) << what;
    EXPECT_TRUE(Bytes(a) == Bytes(b)) << what << ": " << a.ToString() << " and " << b.ToString();
  }

  Ref<HybridFunction> Hybrid(HybridFunction::Body body, HybridOptions options = {}) {
    auto function = HybridFunction::Create("net", std::move(body), std::move(options));
    EXPECT_TRUE(function.ok()) << function.status();
    return *std::move(function);
  }

  static HybridOptions StaticOptions() {
    HybridOptions options;
    options.static_alloc = true;
    options.static_shape = true;
    return options;
  }

  Device* device_ = nullptr;
  std::mt19937 random_{42};
};

}  // namespace tandem

#endif  // TANDEM_TESTS_GRAPH_HYBRID_FIXTURE_H_
