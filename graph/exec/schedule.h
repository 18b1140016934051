// Schedule: a lowered graph as a flat list of steps on blocks of memory.
//
// Each value becomes a layout on a *block*: a buffer of an input, a constant, an output, or
// intermediate memory. Views (OpDef::view) cost nothing: they are other layouts of a block. An op
// that may work in place takes over the block of an input that dies there. A kernel that needs
// contiguous inputs gets copies where the values are not.
//
//   TANDEM_ASSIGN_OR_RETURN(Schedule schedule, Schedule::Create(lowered, *device));
//   for (const Step& step : schedule.steps) ...
//
// Thread rules: value types.
#ifndef TANDEM_GRAPH_EXEC_SCHEDULE_H_
#define TANDEM_GRAPH_EXEC_SCHEDULE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/exec/input_range.h"
#include "tandem/graph/exec/memory_plan.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

enum class BlockKind : uint8_t { kTemporary, kInput, kConstant, kOutput };

struct ScheduledBlock {
  BlockKind kind = BlockKind::kTemporary;
  int index = 0;  // of the input, constant or output; of the plan's block for kTemporary
  int64_t bytes = 0;
  int first = 0;  // the step that writes it first
  int last = 0;   // the last step that touches it
  std::string name;
};

// A value as a step sees it.
struct Operand {
  int block = -1;
  TensorLayout layout;  // from the start of the block plus `byte_offset`
  int64_t byte_offset = 0;
};

// A step that decides, on the host, what runs: one use of an op with OpDef::control.
struct ControlStep {
  const OpDef* op = nullptr;
  AttributeMap attrs;
};

struct Step {
  // Null, and `control` too: a plain copy of the bytes of inputs[0] to outputs[0].
  Ref<const PreparedKernel> kernel;
  std::shared_ptr<const ControlStep> control;
  absl::InlinedVector<Operand, 3> inputs;
  absl::InlinedVector<Operand, 1> outputs;
  int64_t workspace_bytes = 0;
  int workspace = -1;  // the plan's block
};

// One line of explain(): how a node is executed.
struct StepNote {
  std::string node;    // "%5 = matmul : f32[16,10]"
  std::string kernel;  // a kernel's name, "view", "copy"
  std::string description;
  std::string block;
  std::string location;
};

struct Schedule {
  std::vector<ScheduledBlock> blocks;
  std::vector<Step> steps;
  std::vector<StepNote> notes;
  std::vector<TensorSpec> outputs;  // those of the graph, then those of its updates
  std::vector<BufferView> constants;
  std::vector<Ref<Buffer>> constant_buffers;  // what those views are of
  MemoryPlan plan;

  // `graph` is what LowerGraph returned for the device. `inputs`: how each input of the graph lies
  // (see input_range.h).
  static absl::StatusOr<Schedule> Create(const Graph& graph, Device& device,
                                         absl::Span<const InputRange> inputs);
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_SCHEDULE_H_
