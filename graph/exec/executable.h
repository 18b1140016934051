// Executable: a graph that was made ready for one device. Immutable; runs many times.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<Executable> program, Executable::Create(graph, *device));
//   TANDEM_ASSIGN_OR_RETURN(RunResult result, program->Run({x, weight, bias}));
//   result.outputs[0];
//
// Inputs that stay from run to run are bound once: checked, and given addresses.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const BoundInputs> weights, program->Bind({Tensor(), weight, bias}));
//   TANDEM_ASSIGN_OR_RETURN(RunResult result, program->Run(*weights, {x}));
//
// Three modes. Plain: kernels are chosen, prepared and given addresses once; each run takes an
// arena for the intermediate values from the device's allocator. static_alloc: arenas are kept from
// run to run, one for each run that is under way. static_alloc + static_shape: the work is recorded
// once as a command buffer, and a run only binds buffers and submits it.
//
// Control flow (OpDef::control) parts the work: its bodies are programs of their own, made once, in
// the same mode; the host reads what it must know, submits them, and goes on with what follows. It
// runs on the default stream, for which a run on another one waits, and the other way round.
//
// Outputs are the caller's: fresh memory at each run that no later run touches, never memory of an
// input.
//
// Thread rules: Run may be called from many threads at once.
#ifndef TANDEM_GRAPH_EXEC_EXECUTABLE_H_
#define TANDEM_GRAPH_EXEC_EXECUTABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/exec/arena_pool.h"
#include "tandem/graph/exec/input_range.h"
#include "tandem/graph/exec/schedule.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

struct ExecutableOptions {
  bool static_alloc = false;
  bool static_shape = false;  // needs static_alloc
  // How the inputs will lie (InputRange::Of(...).layout), one for each; empty: all are contiguous.
  std::vector<TensorLayout> input_layouts = {};
};

struct RunOptions {
  // Where the outputs go: as many tensors as the graph has outputs, each undefined (fresh memory)
  // or contiguous and of the output's spec. Empty: all are fresh.
  absl::Span<const Tensor> outputs = {};
  // Null: the device's default stream. On another one, the caller orders what both work on: it waits
  // for the inputs (stream.WaitFor), and whoever reads the outputs, Tensor's own methods among them,
  // waits for the run.
  Stream* stream = nullptr;
};

struct RunResult {
  TensorList outputs;
  TensorList updates;  // in the order of Graph::updates()
};

// The inputs of an Executable that are the same in many runs. Immutable; keeps its tensors.
class BoundInputs : public RefCounted {
 private:
  friend class Executable;
  using Views = absl::InlinedVector<BufferView, 24>;

  Views views_;            // one for each slot of the program; empty where a run puts its own
  std::vector<int> open_;  // the inputs that a run is given
  std::vector<Tensor> tensors_;
  // When the copies among them are made, on the default stream.
  std::optional<TimelinePoint> ready_;
};

class Executable : public RefCounted {
 public:
  // INVALID_ARGUMENT for static_shape without static_alloc; UNIMPLEMENTED, naming the op, if the
  // device cannot run one.
  static absl::StatusOr<Ref<Executable>> Create(const Graph& graph, Device& device,
                                                const ExecutableOptions& options = {});

  // `inputs`: one tensor for each input of the graph. INVALID_ARGUMENT names the input whose device
  // or spec is wrong, or that lies otherwise than it was said to (where a contiguous tensor is
  // expected, others are copied); FAILED_PRECONDITION for a symbol.
  absl::StatusOr<RunResult> Run(absl::Span<const Tensor> inputs,
                                const RunOptions& options = {}) const;

  // Binds the inputs that are defined; errors as of Run.
  absl::StatusOr<Ref<const BoundInputs>> Bind(absl::Span<const Tensor> inputs) const;
  // `inputs`: those that were undefined when `bound`, of this program, was made, in their order.
  absl::StatusOr<RunResult> Run(const BoundInputs& bound, absl::Span<const Tensor> inputs,
                                const RunOptions& options = {}) const;

  Device& device() const { return device_; }
  const ExecutableOptions& options() const { return options_; }
  const MemoryPlan& plan() const { return schedule_.plan; }
  // How each node is executed, in order.
  const std::vector<StepNote>& notes() const { return schedule_.notes; }
  // Bytes that it keeps: constants, and the arena if that is static.
  int64_t bytes() const;

 private:
  // The bodies of a use of control flow, ready to run.
  struct Control {
    std::shared_ptr<const ControlStep> step;
    std::vector<Ref<const Executable>> bodies;
    std::vector<TensorLayout> inputs;  // from the views that are bound
    std::vector<TensorSpec> outputs;
  };
  class ControlRunner;
  // A step with addresses: every view is a slot or a constant's buffer.
  struct BoundStep {
    Ref<const PreparedKernel> kernel;        // null: a copy, or control flow
    std::shared_ptr<const Control> control;  // null: a kernel or a copy
    absl::InlinedVector<BufferView, 3> inputs;
    absl::InlinedVector<BufferView, 1> outputs;
    BufferView workspace;
  };
  struct Input {
    std::string name;
    InputRange range;  // `start` is 0
    bool contiguous = true;
  };
  struct Output {
    TensorLayout layout;
    int64_t bytes = 0;
  };
  Executable(Device& device, const ExecutableOptions& options)
      : device_(device), options_(options) {}
  template <typename T, typename... Args>
  friend Ref<T> MakeRef(Args&&... args);

  BufferView Address(const Operand& operand) const;
  absl::Status BindSteps();
  // The steps before, between and after those of control flow.
  struct Segment {
    size_t begin = 0;
    size_t end = 0;               // a step of control flow, or the end
    Ref<CommandBuffer> commands;  // static_shape only; null if there are no steps
  };
  absl::Status PartSteps();
  absl::StatusOr<std::shared_ptr<const Control>> MakeControl(const Step& step) const;
  absl::Status Record(const Segment& segment, CommandRecorder& recorder,
                      absl::Span<const BufferView> bindings) const;
  absl::Status RunControl(const BoundStep& step, absl::Span<const BufferView> bindings) const;
  absl::Status RunSegments(Stream& stream, absl::Span<const BufferView> bindings) const;
  // The address of a tensor that is given for `input`, if the program takes it as it is.
  std::optional<BufferView> Direct(const Tensor& tensor, int input) const;
  // The tensor as the program takes it: itself, or a contiguous copy. (Where Direct says no.)
  absl::StatusOr<Tensor> Prepared(const Tensor& tensor, int input) const;
  BufferView PreparedView(const Tensor& prepared, int input) const;
  absl::Status CheckBound(const Tensor& tensor, int output) const;
  absl::StatusOr<Tensor> NewOutput(int output) const;

  Device& device_;
  const ExecutableOptions options_;
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  int num_outputs_ = 0;  // without updates
  Schedule schedule_;
  std::vector<BoundStep> steps_;
  int64_t arena_bytes_ = 0;
  std::vector<Segment> segments_;
  BoundInputs nothing_bound_;
  mutable ArenaPool arenas_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_EXECUTABLE_H_
