#include "tandem/graph/compile/optimize.h"

#include <utility>

#include "absl/types/span.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/kernel.h"
#include "tandem/graph/passes/default_pipeline.h"

namespace tandem {

absl::StatusOr<OptimizedGraph> OptimizeGraph(const Graph& graph, Device& device) {
  PassContext context;
  // Folding runs the kernels of eager mode, which are those of the executable: the same bits.
  context.evaluator = [&device](const OpDef& op, const AttributeMap& attrs,
                                absl::Span<const Tensor> inputs) {
    InterpreterScope eager(EagerInterpreter());
    InvokeOptions invoke_options;
    invoke_options.device = &device;
    return EagerInterpreter().Invoke(op, inputs, attrs, invoke_options);
  };
  context.fuses = [&device](const OpDef& fused, const OpBody& body) {
    return FusesExactly(KernelRegistry::Global(), fused, body, device);
  };
  OptimizedGraph result;
  TANDEM_ASSIGN_OR_RETURN(result.graph, DefaultPipeline().Run(graph, context));
  for (const PassRecord& record : context.records()) {
    result.effects.push_back({record.pass, record.nodes_before, record.nodes_after, record.changes,
                              record.milliseconds});
  }
  return result;
}

absl::StatusOr<CompiledProgram> CompileProgram(std::string role, const Graph& traced,
                                               Device& device, const HybridOptions& options,
                                               std::vector<TensorLayout> input_layouts) {
  TANDEM_ASSIGN_OR_RETURN(OptimizedGraph optimized, OptimizeGraph(traced, device));
  CompiledProgram program;
  TANDEM_ASSIGN_OR_RETURN(
      program.executable,
      Executable::Create(optimized.graph, device,
                         {options.static_alloc, options.static_shape, std::move(input_layouts)}));
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
