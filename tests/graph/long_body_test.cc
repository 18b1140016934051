// Bodies of any length, as a file may hold them: compiled and run, with the bits of their steps one
// by one, or an error. Neither takes the process down, and none takes time that grows with the square
// of the length.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/register.h"
#include "tandem/backends/null/register.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/compile/optimize.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/text.h"

namespace tandem {
namespace {

class LongBodyTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    BackendRegistry& backends = BackendRegistry::Global();
    KernelRegistry& kernels = KernelRegistry::Global();
    ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok());
    ASSERT_TRUE(cpu_backend::Register(&backends, &kernels).ok());
    ASSERT_TRUE(null_backend::Register(&backends, &kernels).ok());
  }
  void SetUp() override {
    const auto device = BackendRegistry::Global().Open(GetParam());
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *device;
  }

  Tensor Array(const std::vector<float>& values, const Shape& shape) {
    return *Tensor::FromVector<float>(values, shape, *device_);
  }
  Graph Parse(const std::string& text) {
    auto graph = ParseGraph(text, OpRegistry::Global(), device_);
    EXPECT_TRUE(graph.ok()) << graph.status();
    return graph.ok() ? *std::move(graph) : Graph();
  }

  // The graph as it is and as the passes leave it, and op by op: all alike.
  void ExpectRuns(const Graph& graph, const std::vector<Tensor>& inputs,
                  const std::vector<float>& expected) {
    const auto optimized = OptimizeGraph(graph, *device_);
    ASSERT_TRUE(optimized.ok()) << optimized.status();
    for (const Graph* compiled : {&graph, &optimized->graph}) {
      const auto program = Executable::Create(*compiled, *device_, {});
      ASSERT_TRUE(program.ok()) << program.status();
      const auto result = (*program)->Run(inputs);
      ASSERT_TRUE(result.ok()) << result.status();
      ExpectValues(result->outputs[0], expected);
    }
    const auto interpreted = InterpretGraph(graph, inputs);
    ASSERT_TRUE(interpreted.ok()) << interpreted.status();
    ExpectValues((*interpreted)[0], expected);
  }
  // The null device computes nothing, but refuses dispatches that read or write what is not there.
  void ExpectValues(const Tensor& actual, const std::vector<float>& expected) {
    const auto values = actual.ToVector<float>();
    ASSERT_TRUE(values.ok()) << values.status();
    if (std::string(GetParam()) == "null:0") {
      EXPECT_EQ(values->size(), expected.size());
    } else {
      EXPECT_EQ(*values, expected);
    }
  }

  Device* device_ = nullptr;
};

// abs and neg in turns: every value is ±x, and no two instructions are the same.
std::string Steps(int count, const std::string& type, int first) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, "%", first + i, " = ", i % 2 == 0 ? "abs" : "neg", "(%",
                    i == 0 ? 0 : first + i - 1, ") : ", type, "; ");
  }
  return text;
}

// All steps but the last have one element: a program that there is one of for all elements.
TEST_P(LongBodyTest, OfOneElementAndThenOfMany) {
  for (const int steps : {500, 9000, 40000}) {
    SCOPED_TRACE(absl::StrCat(steps, " steps"));
    const Graph graph = Parse(
        absl::StrCat("graph @g(%x: f32[1] argument, %y: f32[8] argument) -> (f32[8] \"z\") {\n"
                     "  %2 = fused(%x, %y) {body=(%0: f32[1], %1: f32[8]) { ",
                     Steps(steps, "f32[1]", 2), "%", steps + 2, " = add(%", steps + 1,
                     ", %1) : f32[8]; return %", steps + 2, " }} : f32[8]\n  return %2\n}\n"));
    // The last of an even number of steps is neg.
    ExpectRuns(graph, {Array({-2}, {1}), Array({0, 1, 2, 3, 4, 5, 6, 7}, {8})},
               {-2, -1, 0, 1, 2, 3, 4, 5});
  }
}

TEST_P(LongBodyTest, OfManyElements) {
  for (const int steps : {4095, 4096, 9000, 40000}) {
    SCOPED_TRACE(absl::StrCat(steps, " steps"));
    const Graph graph = Parse(absl::StrCat(
        "graph @g(%x: f32[8] argument) -> (f32[8] \"z\") {\n"
        "  %1 = fused(%x) {body=(%0: f32[8]) { ",
        Steps(steps, "f32[8]", 1), "return %", steps, " }} : f32[8]\n  return %1\n}\n"));
    const float sign = steps % 2 == 0 ? -1.f : 1.f;
    ExpectRuns(graph, {Array({-1, 2, -3, 4, -5, 6, -7, 8}, {8})},
               {sign, 2 * sign, 3 * sign, 4 * sign, 5 * sign, 6 * sign, 7 * sign, 8 * sign});
  }
}

// More inputs than one dispatch binds: the steps run one by one.
TEST_P(LongBodyTest, OfManyInputs) {
  for (const int count : {62, 63, 64, 65, 95, 96, 300}) {
    SCOPED_TRACE(absl::StrCat(count, " inputs"));
    std::string arguments, names, inputs, steps;
    std::vector<Tensor> tensors;
    for (int i = 0; i < count; ++i) {
      const char* const comma = i == 0 ? "" : ", ";
      absl::StrAppend(&arguments, comma, "%", i, ": f32[2] argument");
      absl::StrAppend(&names, comma, "%", i);
      absl::StrAppend(&inputs, comma, "%", i, ": f32[2]");
      if (i > 0) {
        absl::StrAppend(&steps, "%", count + i - 1, " = add(%", i == 1 ? 0 : count + i - 2, ", %",
                        i, ") : f32[2]; ");
      }
      tensors.push_back(Array({static_cast<float>(i), 1}, {2}));
    }
    const Graph graph = Parse(absl::StrCat(
        "graph @g(", arguments, ") -> (f32[2] \"z\") {\n  %z = fused(", names, ") {body=(", inputs,
        ") { ", steps, "return %", 2 * count - 2, " }} : f32[2]\n  return %z\n}\n"));
    const float sum = static_cast<float>(count * (count - 1) / 2);
    ExpectRuns(graph, tensors, {sum, static_cast<float>(count)});
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, LongBodyTest, testing::Values("cpu:0", "null:0"),
                         [](const auto& info) { return std::string(info.param, 3); });

}  // namespace
}  // namespace tandem
