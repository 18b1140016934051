// Graph: a program over tensors, in SSA form. What a trace records, passes rewrite, an executable
// runs, and a file holds.
//
//   Graph graph("fancy_func");
//   ValueId a = *graph.AddInput("a", {DType::kF32, {}}, InputKind::kArgument);
//   ValueId b = *graph.AddInput("b", {DType::kF32, {}}, InputKind::kArgument);
//   TANDEM_ASSIGN_OR_RETURN(auto sum, graph.AddNode(*add, attrs, {a, b}));
//   graph.AddOutput("sum", sum[0]);
//
// A value is an input, a constant, or an output of a node, and has a spec. Nodes can only use
// values that exist already, so the nodes are always in topological order and a cycle cannot be
// written down. Graphs are built by appending; a pass builds a new graph (see graph/passes).
//
// Thread rules: a value type; a const Graph may be read from many threads at once.
#ifndef TANDEM_GRAPH_IR_GRAPH_H_
#define TANDEM_GRAPH_IR_GRAPH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// An index into Graph::values().
using ValueId = int32_t;
using ValueIds = absl::InlinedVector<ValueId, 3>;

// Where an input of a graph comes from at each run.
enum class InputKind : uint8_t {
  kArgument,     // the caller
  kParameter,    // a variable that is trained
  kState,        // a variable that is not (running statistics)
  kCapture,      // a tensor that the traced code used from outside
  kRandomState,  // the generator: i64[2], seed and offset
};
// "argument", "parameter", "state", "capture", "random_state".
absl::string_view InputKindName(InputKind kind);
// The inverse; INVALID_ARGUMENT lists the names.
absl::StatusOr<InputKind> ParseInputKind(absl::string_view name);

struct GraphInput {
  std::string name;  // unique in the graph
  InputKind kind = InputKind::kArgument;
  ValueId value = -1;
};

struct GraphOutput {
  std::string name;  // unique among the outputs
  ValueId value = -1;
};

// At the end of a run, input `input` (an index into inputs(), of kind kState or kParameter) is
// replaced by `value`.
struct StateUpdate {
  int32_t input = -1;
  ValueId value = -1;
};

struct GraphConstant {
  ValueId value = -1;
  Tensor tensor;  // concrete
};

struct ValueInfo {
  TensorSpec spec;
  int32_t node = -1;   // the producing node; -1 for inputs and constants
  int32_t output = 0;  // which output of it
};

struct Node {
  const OpDef* op = nullptr;
  AttributeMap attrs;
  ValueIds inputs;
  ValueIds outputs;
  std::string block;     // path of the block that called the op: "lenet0/conv0"
  std::string location;  // the user's line: "lenet.cc:42"
};

class Graph {
 public:
  explicit Graph(std::string name = "graph") : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  const std::vector<ValueInfo>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<GraphInput>& inputs() const { return inputs_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  const std::vector<StateUpdate>& updates() const { return updates_; }
  const std::vector<GraphConstant>& constants() const { return constants_; }
  const TensorSpec& spec(ValueId value) const { return values_[value].spec; }

  // Philox blocks that one run draws from the generator.
  int64_t random_blocks() const { return random_blocks_; }
  void set_random_blocks(int64_t blocks) { random_blocks_ = blocks; }

  // --- building; each checks its arguments, so that a graph that was built is valid ---

  // ALREADY_EXISTS for a name that is taken; INVALID_ARGUMENT for an impossible spec or name
  // (empty, or with control characters), and for a random state that is not i64[2].
  absl::StatusOr<ValueId> AddInput(absl::string_view name, const TensorSpec& spec, InputKind kind);
  // INVALID_ARGUMENT unless the tensor is defined and concrete.
  absl::StatusOr<ValueId> AddConstant(const Tensor& tensor);
  // Other values for constant `index`, or the same ones on another device. INVALID_ARGUMENT unless
  // the tensor is defined, concrete and of the constant's spec.
  absl::Status SetConstant(int32_t index, const Tensor& tensor);
  // Infers the specs of the outputs. Errors are those of the op's inference.
  absl::StatusOr<ValueIds> AddNode(const OpDef& op, const AttributeMap& attrs,
                                   absl::Span<const ValueId> inputs, std::string block = "",
                                   std::string location = "");
  // A value may be an output several times, under different names.
  absl::Status AddOutput(absl::string_view name, ValueId value);
  // The value needs the input's spec; an input is updated at most once.
  absl::Status AddUpdate(int32_t input, ValueId value);

  // -1 if there is none.
  int32_t FindInput(absl::string_view name) const;
  bool HasValue(ValueId value) const {
    return value >= 0 && value < static_cast<ValueId>(values_.size());
  }
  // The index of a value in inputs() or constants(); -1 if it is none.
  int32_t InputIndex(ValueId value) const;
  int32_t ConstantIndex(ValueId value) const;
  // What `value` is called in text: "%data" for an input, "%c0" for constant 0, "%5" for the value
  // with the id 5. An input whose name could be taken for something else is quoted: %"5".
  std::string ValueName(ValueId value) const;

  // How many times each value is used, by nodes, outputs and updates.
  std::vector<int32_t> UseCounts() const;

 private:
  friend class GraphTestPeer;  // breaks graphs, for the verifier's tests

  absl::Status CheckRoom(size_t more_values) const;
  ValueId NewValue(const TensorSpec& spec, int32_t node, int32_t output);

  std::string name_;
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
  std::vector<GraphInput> inputs_;
  std::vector<GraphOutput> outputs_;
  std::vector<StateUpdate> updates_;
  std::vector<GraphConstant> constants_;
  absl::flat_hash_map<std::string, int32_t> input_by_name_;
  absl::flat_hash_map<ValueId, int32_t> input_by_value_;
  absl::flat_hash_map<ValueId, int32_t> constant_by_value_;
  absl::flat_hash_set<std::string> output_names_;
  absl::flat_hash_set<int32_t> updated_inputs_;
  int64_t random_blocks_ = 0;
};

// "data" -> "%data"; a name that is not a plain identifier, or looks like "c0", is quoted and
// escaped.
std::string InputLabel(absl::string_view name);

// Invokes the graph's ops one by one on the current interpreter, with `inputs` for its inputs (all
// kinds, in their order): runs it eagerly, differentiates it under a tape, inlines it in a trace.
// Shapes are inferred anew, so they may differ from those of the graph. Returns the outputs, and
// after them the values of the updates. Values are released after their last use. Nodes keep their
// block path (below the caller's) and location. (Target //graph/ir:interpret.)
absl::StatusOr<TensorList> InterpretGraph(const Graph& graph, absl::Span<const Tensor> inputs);

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_GRAPH_H_
