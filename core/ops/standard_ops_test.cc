#include "tandem/core/ops/standard_ops.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace tandem {
namespace {

TEST(StandardOps, RegisterTwiceIsOneTime) {
  OpRegistry registry;
  ASSERT_EQ(RegisterStandardOps(&registry), absl::OkStatus());
  const size_t count = registry.ops().size();
  EXPECT_EQ(RegisterStandardOps(&registry), absl::OkStatus());
  EXPECT_EQ(registry.ops().size(), count);
}

TEST(StandardOps, EveryOpOfThePlanIsThere) {
  OpRegistry registry;
  ASSERT_EQ(RegisterStandardOps(&registry), absl::OkStatus());
  for (const char* name : {"add",
                           "sub",
                           "mul",
                           "div",
                           "floor_div",
                           "mod",
                           "pow",
                           "minimum",
                           "maximum",
                           "equal",
                           "not_equal",
                           "less",
                           "less_equal",
                           "greater",
                           "greater_equal",
                           "logical_and",
                           "logical_or",
                           "logical_xor",
                           "cond",
                           "scan",
                           "while_loop",
                           "where",
                           "neg",
                           "abs",
                           "sign",
                           "floor",
                           "ceil",
                           "round",
                           "trunc",
                           "square",
                           "exp",
                           "expm1",
                           "log",
                           "log1p",
                           "sqrt",
                           "rsqrt",
                           "reciprocal",
                           "sin",
                           "cos",
                           "tanh",
                           "erf",
                           "sigmoid",
                           "softplus",
                           "relu",
                           "leaky_relu",
                           "gelu",
                           "silu",
                           "clip",
                           "cast",
                           "identity",
                           "stop_gradient",
                           "logical_not",
                           "isnan",
                           "full",
                           "arange",
                           "random_uniform",
                           "random_normal",
                           "random_bernoulli",
                           "dropout",
                           "sum",
                           "mean",
                           "prod",
                           "max",
                           "min",
                           "argmax",
                           "argmin",
                           "matmul",
                           "dot",
                           "softmax",
                           "log_softmax",
                           "cross_entropy",
                           "conv2d",
                           "conv2d_backward_input",
                           "conv2d_backward_weight",
                           "max_pool2d",
                           "max_pool2d_backward",
                           "avg_pool2d",
                           "avg_pool2d_backward",
                           "global_avg_pool2d",
                           "global_max_pool2d",
                           "batch_norm",
                           "layer_norm",
                           "reshape",
                           "transpose",
                           "slice",
                           "expand_dims",
                           "squeeze",
                           "broadcast_to",
                           "split",
                           "concat",
                           "stack",
                           "pad",
                           "slice_backward",
                           "gather",
                           "gather_backward",
                           "embedding",
                           "one_hot"}) {
    EXPECT_NE(registry.Find(name), nullptr) << name;
  }
}

TEST(StandardOps, EveryOpIsDocumentedAndCanBeRun) {
  OpRegistry registry;
  ASSERT_EQ(RegisterStandardOps(&registry), absl::OkStatus());
  for (const OpDef* op : registry.ops()) {
    EXPECT_FALSE(op->doc.empty()) << op->name;
    EXPECT_FALSE(op->family.empty()) << op->name;
    for (const OpInput& input : op->inputs) EXPECT_FALSE(input.doc.empty()) << op->name;
    std::set<std::string> names;
    for (const AttributeDef& def : op->attributes.defs()) {
      EXPECT_FALSE(def.doc.empty()) << op->name << " " << def.name;
      EXPECT_TRUE(names.insert(def.name).second) << op->name << " " << def.name;
    }
    // Differentiable means that there is a way.
    EXPECT_TRUE(!op->traits.differentiable || op->vjp || op->decompose) << op->name;
  }
}

}  // namespace
}  // namespace tandem
