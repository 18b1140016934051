// backends/cpu/kernels/fused_contraction.h: a fused product or convolution gives, to the bit, what the
// kernels of its steps give one after the other.

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem::cpu_backend {
namespace {

const OpRegistry& Ops() {
  static OpRegistry* const registry = [] {
    auto* ops = new OpRegistry;
    EXPECT_TRUE(RegisterStandardOps(ops).ok());
    return ops;
  }();
  return *registry;
}

class FusedContractionTest : public testing::TestWithParam<Isa> {
 protected:
  struct Step {
    std::string op;
    std::vector<int32_t> inputs;
    std::vector<AttributeInit> attrs = {};
  };

  // A body of `steps` on the inputs; its output is the last step's.
  static Ref<const OpBody> Body(const std::vector<TestTensor>& inputs,
                                const std::vector<Step>& steps) {
    std::vector<TensorSpec> specs;
    for (const TestTensor& input : inputs) specs.push_back(input.layout.spec);
    OpBody::Builder builder(std::move(specs));
    for (const Step& step : steps) {
      const OpDef& op = *Ops().Find(step.op);
      const auto attrs = AttributeMap::Create(op.attributes, step.attrs);
      EXPECT_TRUE(attrs.ok()) << attrs.status();
      const auto value = builder.Add(op, *attrs, step.inputs);
      EXPECT_TRUE(value.ok()) << value.status();
    }
    return *builder.Finish({builder.num_values() - 1});
  }

  // For products of this dtype: those that are computed in another one are converted first.
  static absl::string_view KernelFor(DType dtype) {
    return DTypeSize(dtype) < 4 ? "fused_matmul_converted" : "fused_matmul";
  }

  // Runs the steps as one and one by one, and compares.
  void Check(const std::vector<TestTensor>& inputs, const std::vector<Step>& steps,
             absl::string_view kernel = "fused_matmul") {
    const Ref<const OpBody> body = Body(inputs, steps);
    const TensorSpec& output = body->spec(body->outputs()[0]);
    EXPECT_EQ(tester_.KernelName(*Ops().Find("fused"), {{"body", body}}, inputs, {output}), kernel)
        << body->ToString();
    const auto fused = tester_.Run(*Ops().Find("fused"), {{"body", body}}, inputs, {output});
    std::vector<TestTensor> values = inputs;
    for (size_t i = 0; i < steps.size(); ++i) {
      const TensorSpec& spec = body->spec(static_cast<int32_t>(values.size()));
      std::vector<TestTensor> operands;
      for (const int32_t input : steps[i].inputs) operands.push_back(values[input]);
      auto result = tester_.Run(*Ops().Find(steps[i].op), steps[i].attrs, operands, {spec});
      ASSERT_EQ(result.size(), 1) << steps[i].op;
      values.push_back(MakeTensor(spec, std::move(result[0])));
    }
    ASSERT_EQ(fused.size(), 1) << body->ToString();
    // Doubles hold every element of these dtypes, so their bits tell.
    ASSERT_EQ(fused[0].size(), values.back().values.size());
    for (size_t i = 0; i < fused[0].size(); ++i) {
      ASSERT_EQ(std::memcmp(&fused[0][i], &values.back().values[i], sizeof(double)), 0)
          << "element " << i << ": " << fused[0][i] << " and " << values.back().values[i] << ", "
          << body->ToString();
    }
  }

  // relu(a b + bias)
  void CheckDense(int64_t m, int64_t n, int64_t k, bool ta, bool tb, DType dtype) {
    Check({RandomTensor({dtype, ta ? Shape{k, m} : Shape{m, k}}, 1),
           RandomTensor({dtype, tb ? Shape{n, k} : Shape{k, n}}, 2), RandomTensor({dtype, {n}}, 3)},
          {{"matmul", {0, 1}, {{"transpose_a", ta}, {"transpose_b", tb}}},
           {"add", {3, 2}},
           {"relu", {4}}},
          KernelFor(dtype));
  }

  KernelTester tester_{GetParam()};
};

TEST_P(FusedContractionTest, SizesAndTransposes) {
  for (int64_t m : {1, 2, 15, 33}) {
    for (int64_t n : {1, 7, 33, 130}) {
      for (int64_t k : {0, 1, 31, 300}) {
        for (int flags = 0; flags < 4; ++flags) {
          CheckDense(m, n, k, (flags & 1) != 0, (flags & 2) != 0, DType::kF32);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Several blocks of rows, groups of panels, blocks of k, strips of dot products.
TEST_P(FusedContractionTest, LargeProducts) {
  CheckDense(257, 161, 515, false, false, DType::kF32);
  CheckDense(1, 1000, 64, false, true, DType::kF32);
  CheckDense(16, 700, 33, false, true, DType::kF64);
  CheckDense(1000, 1, 33, false, false, DType::kF32);
}

TEST_P(FusedContractionTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16,
                      DType::kI32, DType::kI64}) {
    CheckDense(5, 37, 19, false, true, dtype);
    CheckDense(37, 23, 19, true, false, dtype);
    if (HasFatalFailure()) return;
  }
}

// Every dtype on the way to the result: products and outputs of different sizes.
TEST_P(FusedContractionTest, ChainsOfSeveralDTypes) {
  for (DType from : {DType::kF32, DType::kF16, DType::kI8, DType::kI64}) {
    for (DType to : {DType::kF64, DType::kBF16, DType::kI16, DType::kBool, DType::kF32}) {
      Check({RandomTensor({from, {9, 6}}, 1), RandomTensor({from, {6, 21}}, 2),
             RandomTensor({DType::kF16, {9, 1}}, 3), RandomTensor({DType::kI32, {21}}, 4)},
            {{"matmul", {0, 1}},
             {"mul", {4, 2}},
             {"cast", {5}, {{"dtype", DType::kF16}}},
             {"add", {6, 3}},
             {"cast", {7}, {{"dtype", to}}}},
            KernelFor(from));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(FusedContractionTest, Batches) {
  // Merged into one tall product; broadcast on either side; a bias for each matrix.
  Check({RandomTensor({DType::kF32, {3, 4, 5}}, 1), RandomTensor({DType::kF32, {5, 7}}, 2),
         RandomTensor({DType::kF32, {3, 1, 7}}, 3)},
        {{"matmul", {0, 1}}, {"add", {3, 2}}, {"tanh", {4}}});
  Check({RandomTensor({DType::kF32, {2, 1, 4, 5}}, 1), RandomTensor({DType::kF32, {3, 5, 7}}, 2),
         RandomTensor({DType::kF32, {3, 1, 1}}, 3), RandomTensor({DType::kF32, {}}, 4)},
        {{"matmul", {0, 1}}, {"add", {4, 2}}, {"mul", {5, 3}}, {"mul", {6, 4}}});
  // Vectors.
  Check({RandomTensor({DType::kF32, {40}}, 1), RandomTensor({DType::kF32, {40, 9}}, 2)},
        {{"matmul", {0, 1}}, {"exp", {2}}});
  Check({RandomTensor({DType::kF32, {9, 40}}, 1), RandomTensor({DType::kF32, {40}}, 2),
         RandomTensor({DType::kF32, {9}}, 3)},
        {{"matmul", {0, 1}}, {"add", {3, 2}}});
}

TEST_P(FusedContractionTest, StridedInputs) {
  Check({Restride(RandomTensor({DType::kF32, {30, 20}}, 1), {1, 0}, 2, 3),
         Restride(RandomTensor({DType::kF32, {20, 50}}, 2), {0, 1}, 3, 1),
         Restride(RandomTensor({DType::kF32, {30, 50}}, 3), {1, 0}, 1, 7),
         Restride(RandomTensor({DType::kF32, {50}}, 4), {0}, 2, 5)},
        {{"matmul", {0, 1}}, {"add", {4, 2}}, {"add", {5, 3}}, {"relu", {6}}});
}

// A convolution, its bias, perhaps a residual, and relu.
TEST_P(FusedContractionTest, Convolutions) {
  struct Case {
    Shape x, weight;
    std::vector<int64_t> strides, padding, dilation;
    int64_t groups = 1;
  };
  // One image and many, planes of one row of tiles and of several, phases, groups, nothing at all.
  for (const Case& c : {Case{{1, 1, 28, 28}, {6, 1, 5, 5}, {1, 1}, {0, 0}, {1, 1}},
                        Case{{19, 6, 12, 12}, {16, 6, 5, 5}, {1, 1}, {0, 0}, {1, 1}},
                        Case{{2, 4, 9, 37}, {8, 2, 3, 3}, {2, 1}, {1, 2}, {1, 2}, 2},
                        Case{{1, 40, 30, 30}, {35, 40, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
                        Case{{2, 80, 9, 9}, {20, 80, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
                        Case{{3, 5, 7, 7}, {5, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 5},
                        Case{{0, 2, 5, 5}, {3, 2, 3, 3}, {1, 1}, {0, 0}, {1, 1}}}) {
    const std::vector<AttributeInit> attrs = {{"strides", c.strides},
                                              {"padding", c.padding},
                                              {"dilation", c.dilation},
                                              {"groups", c.groups}};
    for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
      const std::vector<TestTensor> inputs = {RandomTensor({dtype, c.x}, 1),
                                              RandomTensor({dtype, c.weight}, 2),
                                              RandomTensor({dtype, {1, c.weight[0], 1, 1}}, 3)};
      const absl::string_view kernel =
          DTypeSize(dtype) < 4 ? "fused_conv2d_converted" : "fused_conv2d";
      Check(inputs, {{"conv2d", {0, 1}, attrs}, {"add", {3, 2}}, {"relu", {4}}}, kernel);
      if (HasFatalFailure()) return;
      const Ref<const OpBody> body = Body(inputs, {{"conv2d", {0, 1}, attrs}});
      std::vector<TestTensor> more = inputs;
      more.push_back(RandomTensor(body->spec(body->outputs()[0]), 4));
      Check(more, {{"conv2d", {0, 1}, attrs}, {"add", {4, 2}}, {"add", {5, 3}}, {"tanh", {6}}},
            kernel);
      if (HasFatalFailure()) return;
    }
  }
}

// x + x x, and a product of one input with itself.
TEST_P(FusedContractionTest, InputsThatAreReadTwice) {
  for (DType dtype : {DType::kF32, DType::kF16}) {
    Check({RandomTensor({dtype, {33, 33}}, 1)},
          {{"matmul", {0, 0}}, {"add", {0, 1}}, {"mul", {1, 2}}}, KernelFor(dtype));
  }
}

// The parts of a plain elementwise chain are one kernel, too.
TEST_P(FusedContractionTest, ElementwiseChainsAreTheElementwiseKernels) {
  Check({RandomTensor({DType::kF16, {7, 65}}, 1), RandomTensor({DType::kI32, {65}}, 2),
         RandomTensor({DType::kF64, {7, 1}}, 3)},
        {{"exp", {0}}, {"mul", {3, 1}}, {"add", {4, 2}}, {"less", {5, 0}}, {"where", {6, 4, 3}}},
        "elementwise");
}

TEST_P(FusedContractionTest, LeavesWhatItCannotDo) {
  const std::vector<TestTensor> inputs = {RandomTensor({DType::kF32, {4, 4}}, 1),
                                          RandomTensor({DType::kF32, {4, 4}}, 2),
                                          RandomTensor({DType::kF32, {3, 4, 4}}, 3)};
  const auto kernel = [&](const std::vector<Step>& steps, const std::vector<TestTensor>& used) {
    const Ref<const OpBody> body = Body(used, steps);
    return tester_.KernelName(*Ops().Find("fused"), {{"body", body}}, used,
                              {body->spec(body->outputs()[0])});
  };
  const std::vector<TestTensor> two = {inputs[0], inputs[1]};
  EXPECT_EQ(kernel({{"matmul", {0, 1}}, {"relu", {2}}}, two), "fused_matmul");
  // No epilogue; a product in it; something that is not elementwise; a broadcast result; steps or
  // inputs that lead nowhere.
  EXPECT_EQ(kernel({{"matmul", {0, 1}}}, two), "");
  EXPECT_EQ(kernel({{"matmul", {0, 1}}, {"matmul", {0, 2}}}, two), "");
  EXPECT_EQ(kernel({{"matmul", {0, 1}}, {"softmax", {2}}}, two), "");
  EXPECT_EQ(kernel({{"matmul", {0, 1}}, {"add", {3, 2}}}, inputs), "");
  EXPECT_EQ(kernel({{"matmul", {0, 1}}, {"relu", {2}}, {"exp", {0}}}, two), "");
  EXPECT_EQ(kernel({{"matmul", {0, 0}}, {"relu", {2}}}, two), "");
  EXPECT_EQ(kernel({{"relu", {0}}, {"matmul", {2, 1}}}, two), "");
}

INSTANTIATE_TEST_SUITE_P(Isas, FusedContractionTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& param) { return IsaTestName(param.param); });

}  // namespace
}  // namespace tandem::cpu_backend
