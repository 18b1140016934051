// What every test of a family of op definitions begins with: the standard ops in a registry, the
// result of inference as text, values from the reference.
//
//   EXPECT_EQ(Infer("sum", {"f32[2,3]"}, {{"axes", Ints{1}}}), "f32[2]");
//   EXPECT_THAT(Infer("sum", {"f32[2]"}, {{"axes", Ints{1}}}), HasSubstr("out of range"));
//   EXPECT_THAT(RunOp("sum", {F64({2}, {1, 2})}), ElementsAre(3));
#ifndef TANDEM_CORE_OPS_TESTING_OP_TESTING_H_
#define TANDEM_CORE_OPS_TESTING_OP_TESTING_H_

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/core/ops/testing/gradient_check.h"
#include "tandem/core/ops/testing/reference_tape.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

using Ints = std::vector<int64_t>;
using Attrs = std::vector<AttributeInit>;

inline const OpRegistry& StandardOps() {
  static const OpRegistry* registry = [] {
    auto* ops = new OpRegistry;
    const absl::Status status = RegisterStandardOps(ops);
    EXPECT_TRUE(status.ok()) << status;
    return ops;
  }();
  return *registry;
}

// The specs of the outputs, joined by a space; or the error's message.
inline std::string Infer(absl::string_view name, const std::vector<std::string>& inputs,
                         const Attrs& attrs = {}) {
  const OpDef* op = StandardOps().Find(name);
  if (op == nullptr) return absl::StrCat("there is no op ", name);
  auto map = AttributeMap::Create(op->attributes, attrs);
  if (!map.ok()) return std::string(map.status().message());
  std::vector<TensorSpec> specs;
  for (const std::string& text : inputs) {
    auto spec = ParseTensorSpec(text);
    if (!spec.ok()) return std::string(spec.status().message());
    specs.push_back(*spec);
  }
  std::vector<const TensorSpec*> pointers;
  for (const TensorSpec& spec : specs) pointers.push_back(&spec);
  auto outputs = InferSpecs(*op, *map, pointers);
  if (!outputs.ok()) return std::string(outputs.status().message());
  std::string text;
  for (const TensorSpec& spec : *outputs) {
    absl::StrAppend(&text, text.empty() ? "" : " ", spec.ToString());
  }
  return text;
}

inline Tensor F64(const Shape& shape, std::vector<double> values) {
  return ReferenceTape::Input({DType::kF64, shape}, std::move(values));
}
inline Tensor I64(const Shape& shape, std::vector<double> values) {
  return ReferenceTape::Input({DType::kI64, shape}, std::move(values));
}

// The values of one output.
inline std::vector<double> RunOp(absl::string_view op, const std::vector<Tensor>& inputs,
                                 const Attrs& attrs = {}, int output = 0) {
  ReferenceTape invoker(StandardOps());
  auto outputs = invoker.Invoke(op, inputs, attrs, nullptr);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  return ReferenceTape::Values((*outputs)[output]);
}

// The gradient of input `input`, for these gradients of output 0.
inline std::vector<double> RunGradient(absl::string_view op, const std::vector<Tensor>& inputs,
                                       const Attrs& attrs, std::vector<double> output_grad,
                                       int input = 0) {
  ReferenceTape invoker(StandardOps());
  auto outputs = invoker.Invoke(op, inputs, attrs, nullptr);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  const Tensor head_grad = ReferenceTape::Input((*outputs)[0].spec(), std::move(output_grad));
  auto grads = invoker.Gradients({(*outputs)[0]}, {head_grad}, {inputs[input]});
  EXPECT_TRUE(grads.ok()) << grads.status();
  if (!grads.ok() || !(*grads)[0].defined()) return {};
  return ReferenceTape::Values((*grads)[0]);
}

inline void ExpectGradients(const GradientCase& test) {
  const absl::Status status = CheckGradients(StandardOps(), test);
  EXPECT_TRUE(status.ok()) << status;
}
inline void ExpectDecomposition(const GradientCase& test) {
  const absl::Status status = CheckDecomposition(StandardOps(), test);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_TESTING_OP_TESTING_H_
