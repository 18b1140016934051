// What the tests of graphs share: the standard ops, a device for constants, graphs from text.
//
//   class CseTest : public GraphFixture {};
//   TEST_F(CseTest, Merges) { Graph graph = Parse("graph @g() -> () { return }"); }
#ifndef TANDEM_GRAPH_IR_GRAPH_FIXTURE_H_
#define TANDEM_GRAPH_IR_GRAPH_FIXTURE_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/ir/verifier.h"

namespace tandem {

class GraphFixture : public testing::Test {
 protected:
  static OpRegistry& Ops() {
    static OpRegistry* const registry = [] {
      auto* ops = new OpRegistry;
      EXPECT_TRUE(RegisterStandardOps(ops).ok());
      return ops;
    }();
    return *registry;
  }
  static const OpDef& Op(absl::string_view name) {
    const auto op = Ops().Get(name);
    EXPECT_TRUE(op.ok()) << op.status();
    return **op;
  }
  static AttributeMap Attrs(const OpDef& op, std::initializer_list<AttributeInit> values = {}) {
    auto attrs = AttributeMap::Create(op.attributes, values);
    EXPECT_TRUE(attrs.ok()) << attrs.status();
    return *attrs;
  }
  // A node whose op is found by name.
  static ValueIds Add(Graph& graph, absl::string_view op, std::vector<ValueId> inputs,
                      std::initializer_list<AttributeInit> attrs = {}, std::string block = "",
                      std::string location = "") {
    auto outputs =
        graph.AddNode(Op(op), Attrs(Op(op), attrs), inputs, std::move(block), std::move(location));
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    return outputs.ok() ? *outputs : ValueIds{-1};
  }
  // A graph that parses and is valid.
  Graph Parse(absl::string_view text, const NamedTensors& constants = {}) {
    auto graph = ParseGraph(text, Ops(), &device_, constants);
    EXPECT_TRUE(graph.ok()) << graph.status() << "\n" << std::string(text);
    if (!graph.ok()) return Graph();
    const absl::Status valid = VerifyGraph(*graph);
    EXPECT_TRUE(valid.ok()) << valid;
    return *std::move(graph);
  }

  TestDevice device_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_GRAPH_FIXTURE_H_
