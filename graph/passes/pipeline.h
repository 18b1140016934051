// A list of passes that run one after the other.
//
//   PassPipeline pipeline = DefaultPipeline();
//   pipeline.Remove("cse");
//   PassContext context;
//   context.evaluator = …;
//   TANDEM_ASSIGN_OR_RETURN(Graph optimized, pipeline.Run(graph, context));
//   context.records();  // what each pass did
//
// Thread rules: a value type; Run may be called from many threads, each with its own context.
#ifndef TANDEM_GRAPH_PASSES_PIPELINE_H_
#define TANDEM_GRAPH_PASSES_PIPELINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/passes/pass.h"

namespace tandem {

class PassPipeline {
 public:
  // A pass may be there more than once.
  PassPipeline& Add(std::shared_ptr<const Pass> pass);
  // Before the first pass of that name; false, and nothing inserted, if there is none.
  bool InsertBefore(absl::string_view name, std::shared_ptr<const Pass> pass);
  // All passes of that name; how many there were.
  int Remove(absl::string_view name);

  const std::vector<std::shared_ptr<const Pass>>& passes() const { return passes_; }
  // One line a pass: "constant_fold: evaluates …".
  std::string ToString() const;

  // The errors are those of the passes, with their name in front. INTERNAL if a pass changed the
  // graph's interface (inputs, names of outputs, targets of updates, random blocks), or, with
  // context.verify, made an invalid graph; the text has the graph.
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const;

 private:
  std::vector<std::shared_ptr<const Pass>> passes_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_PIPELINE_H_
