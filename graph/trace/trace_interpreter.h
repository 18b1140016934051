// TraceInterpreter: the interpreter that records instead of running.
//
// While it is on top of a thread's stack, every op becomes a node of a graph, and its results are
// symbolic tensors. What the traced code takes from outside becomes an input of the graph, so that
// nothing is baked in: variables by their names (parameters, state), tensors as "captured_0", …,
// the random generator as "random_state". Writing a variable becomes a state update.
//
//   TraceInterpreter trace("mlp");
//   TANDEM_ASSIGN_OR_RETURN(Tensor x, trace.AddArgument("data", {DType::kF32, {1, 512}}, device));
//   {
//     InterpreterScope scope(trace);
//     TANDEM_ASSIGN_OR_RETURN(y, net(x));
//   }
//   TANDEM_ASSIGN_OR_RETURN(TracedGraph traced, trace.Finish({{"output", y}}));
//
// All values of a trace are on one device. Symbols that survive the trace fail with a text that
// says so; symbols of another trace are refused.
//
// Thread rules: one thread at a time.
#ifndef TANDEM_GRAPH_TRACE_TRACE_INTERPRETER_H_
#define TANDEM_GRAPH_TRACE_TRACE_INTERPRETER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/trace/graph_symbol.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

class TraceInterpreter : public Interpreter {
 public:
  // What a trace does with a symbol of another one: usually there is none to expect, but the body of
  // control flow may use what is around it.
  enum class Foreign : uint8_t { kRefuse, kCapture };

  // `device`: where it runs; null: where the first argument or captured tensor is.
  explicit TraceInterpreter(std::string name, Device* device = nullptr,
                            Foreign foreign = Foreign::kRefuse);
  ~TraceInterpreter() override;

  // A new argument of the graph, numbered in the order of the calls.
  absl::StatusOr<Tensor> AddArgument(absl::string_view name, const TensorSpec& spec,
                                     Device* device = nullptr);
  // The symbol that stands for a concrete tensor: an input of kind kCapture, the same one for the
  // same tensor. It is a leaf if the tensor requires a gradient. With Foreign::kCapture, the tensor
  // may be a symbol of another trace that is under way.
  absl::StatusOr<Tensor> Capture(const Tensor& tensor);
  // True for a symbol of this trace.
  bool Owns(const Tensor& tensor) const;
  // The value in the graph; captures a concrete tensor. FAILED_PRECONDITION for a symbol of another
  // trace.
  absl::StatusOr<ValueId> ValueOf(const Tensor& tensor, absl::string_view what);

  // Adds outputs and state updates, and ends the trace: its symbols cannot be used any more.
  absl::StatusOr<TracedGraph> Finish(absl::Span<const std::pair<std::string, Tensor>> outputs);

  // Ends the recording for now: symbols outside of an OpenScope cannot be used.
  void Close() { identity_->Finish(); }
  // Goes on recording, until the end of the scope.
  class OpenScope {
   public:
    explicit OpenScope(TraceInterpreter& trace) : trace_(trace) { trace.identity_->Open(&trace); }
    ~OpenScope() { trace_.Close(); }
    OpenScope(const OpenScope&) = delete;
    OpenScope& operator=(const OpenScope&) = delete;

   private:
    TraceInterpreter& trace_;
  };

  // --- what is recorded so far, without outputs and updates ---
  const Graph& graph() const { return traced_.graph; }
  const std::vector<InputBinding>& bindings() const { return traced_.bindings; }
  Device* device() const { return traced_.device; }
  // Writes so far: at most one for each input.
  std::vector<StateUpdate> updates() const;
  const std::string& name() const { return identity_->name(); }

  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override;
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override;
  absl::StatusOr<Tensor> Read(Variable& variable) override;
  absl::Status Write(Variable& variable, const Tensor& value) override;
  absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) override;

 protected:
  // Records one node.
  absl::StatusOr<TensorList> AddNode(const OpDef& op, absl::Span<const Tensor> inputs,
                                     const AttributeMap& attrs, std::string block,
                                     std::string location);
  // A symbolic tensor for a value of the graph.
  Tensor MakeSymbol(ValueId value, absl::string_view producer, std::string block = "",
                    std::string location = "") const;
  absl::StatusOr<Tensor> AddInput(absl::string_view name, const TensorSpec& spec,
                                  InputBinding binding);

 private:
  struct Cell {  // a variable that the trace touched
    int32_t input = -1;
    Tensor current;  // the symbol that reading gives
    bool written = false;
  };

  absl::StatusOr<Cell*> CellOf(Variable& variable);
  absl::Status SetDevice(Device* device, absl::string_view what);
  std::string UniqueName(absl::string_view wanted) const;

  TracedGraph traced_;
  const Ref<TraceIdentity> identity_;
  const Foreign foreign_;
  int num_arguments_ = 0;
  int num_captures_ = 0;
  absl::flat_hash_map<const Variable*, Cell> cells_;
  std::vector<const Variable*> cell_order_;
  absl::flat_hash_map<const TensorImpl*, Tensor> captures_;
  Tensor random_state_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_TRACE_INTERPRETER_H_
