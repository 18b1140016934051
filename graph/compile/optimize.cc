#include "tandem/graph/compile/optimize.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

absl::Status CheckSignature(const Graph& before, const Graph& after) {
  bool same = before.inputs().size() == after.inputs().size() &&
              before.outputs().size() == after.outputs().size() &&
              before.updates().size() == after.updates().size();
  for (size_t i = 0; same && i < before.inputs().size(); ++i) {
    same = before.inputs()[i].name == after.inputs()[i].name;
  }
  for (size_t i = 0; same && i < before.updates().size(); ++i) {
    same = before.updates()[i].input == after.updates()[i].input;
  }
  if (same) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the passes changed the inputs, outputs or updates of '", before.name(), "'"));
}

}  // namespace

absl::StatusOr<OptimizedGraph> OptimizeGraph(const Graph& graph, Device& device,
                                             const HybridOptions& options) {
  OptimizedGraph result{graph, {}};
  TANDEM_RETURN_IF_ERROR(CheckSignature(graph, result.graph));
  return result;
}

absl::StatusOr<CompiledProgram> CompileProgram(std::string role, const Graph& traced,
                                               Device& device, const HybridOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(OptimizedGraph optimized, OptimizeGraph(traced, device, options));
  CompiledProgram program;
  TANDEM_ASSIGN_OR_RETURN(
      program.executable,
      Executable::Create(optimized.graph, device, {options.static_alloc, options.static_shape}));
  ProgramExplanation& explanation = program.explanation;
  explanation.role = std::move(role);
  explanation.traced_nodes = static_cast<int64_t>(traced.nodes().size());
  explanation.optimized_nodes = static_cast<int64_t>(optimized.graph.nodes().size());
  explanation.passes = std::move(optimized.effects);
  for (const StepNote& note : program.executable->notes()) {
    explanation.kernels.push_back(
        {note.node, note.kernel, note.description, note.block, note.location});
  }
  const MemoryPlan& plan = program.executable->plan();
  explanation.arena_bytes = plan.arena_bytes;
  explanation.lower_bound_bytes = plan.lower_bound_bytes;
  explanation.memory_plan = plan.ToString();
  program.optimized = std::move(optimized.graph);
  return program;
}

}  // namespace tandem
