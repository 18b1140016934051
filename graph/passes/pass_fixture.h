// What the tests of passes share: text before, text after.
//
//   EXPECT_EQ(After(DeadCode(), "graph @g…"), "graph @g…");
//
// The device fuses whatever it is asked to. The evaluator knows add, mul, neg and reshape of f32, full, and that sqrt fails.
#ifndef TANDEM_GRAPH_PASSES_PASS_FIXTURE_H_
#define TANDEM_GRAPH_PASSES_PASS_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/ir/graph_fixture.h"
#include "tandem/graph/passes/pass.h"
#include "tandem/graph/passes/pipeline.h"

namespace tandem {

class PassFixture : public GraphFixture {
 protected:
  PassFixture() {
    context_.verify = true;
    context_.ops = &Ops();
    context_.fuses = [](const OpDef&, const OpBody&) { return true; };
    context_.evaluator = [this](const OpDef& op, const AttributeMap& attrs,
                                absl::Span<const Tensor> inputs) -> absl::StatusOr<TensorList> {
      ++evaluations_;
      return Evaluate(op, attrs, inputs);
    };
  }

  // What a pass makes of a graph, verified.
  template <typename SomePass>
  std::string After(const SomePass& pass, absl::string_view before) {
    const Graph graph = Parse(before);
    PassPipeline pipeline;
    pipeline.Add(std::make_shared<SomePass>(pass));
    const auto after = pipeline.Run(graph, context_);
    EXPECT_TRUE(after.ok()) << after.status();
    return after.ok() ? PrintGraph(*after) : "";
  }
  const std::vector<std::string>& Changes() const { return context_.records().back().changes; }

  PassContext context_;
  int evaluations_ = 0;

 private:
  absl::StatusOr<TensorList> Evaluate(const OpDef& op, const AttributeMap& attrs,
                                      absl::Span<const Tensor> inputs) {
    TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(op, attrs, inputs));
    std::vector<float> result(specs[0].shape.num_elements());
    std::vector<std::vector<float>> operands;
    for (const Tensor& input : inputs) {
      TANDEM_ASSIGN_OR_RETURN(std::vector<float> values, input.ToVector<float>());
      operands.push_back(std::move(values));
    }
    for (size_t i = 0; i < result.size(); ++i) {
      const auto operand = [&](int k) { return operands[k][i % operands[k].size()]; };
      if (op.name == "add") {
        result[i] = operand(0) + operand(1);
      } else if (op.name == "mul") {
        result[i] = operand(0) * operand(1);
      } else if (op.name == "reshape") {
        result[i] = operand(0);
      } else if (op.name == "neg") {
        result[i] = -operand(0);
      } else if (op.name == "full") {
        result[i] = static_cast<float>(attrs.Double("value"));
      } else {
        return absl::UnimplementedError(absl::StrCat("no ", op.name, " here"));
      }
    }
    TANDEM_ASSIGN_OR_RETURN(const Tensor tensor,
                            Tensor::FromVector(result, specs[0].shape, device_));
    return TensorList{tensor};
  }
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_PASS_FIXTURE_H_
