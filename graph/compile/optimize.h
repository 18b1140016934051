// Runs the pass pipeline over a traced graph, and keeps what explain() shows of it.
//
//   TANDEM_ASSIGN_OR_RETURN(OptimizedGraph optimized, OptimizeGraph(traced, *device));
//
// Thread rules: any thread.
#ifndef TANDEM_GRAPH_COMPILE_OPTIMIZE_H_
#define TANDEM_GRAPH_COMPILE_OPTIMIZE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/device/device.h"
#include "tandem/graph/compile/explain.h"
#include "tandem/graph/compile/hybrid_options.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

struct OptimizedGraph {
  Graph graph;
  std::vector<PassEffect> effects;
};

// Inputs, outputs and updates keep their order; INTERNAL if a pass breaks that.
absl::StatusOr<OptimizedGraph> OptimizeGraph(const Graph& graph, Device& device);

// A graph from the passes to an executable.
struct CompiledProgram {
  Graph optimized;
  Ref<Executable> executable;
  ProgramExplanation explanation;
};
// `input_layouts` as in ExecutableOptions.
absl::StatusOr<CompiledProgram> CompileProgram(std::string role, const Graph& traced,
                                               Device& device, const HybridOptions& options,
                                               std::vector<TensorLayout> input_layouts);

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_OPTIMIZE_H_
