// The interpreter stack: who does what an op function asks for.
//
// Every op, read of a variable and draw of random numbers goes to the top of a thread-local stack.
// At the bottom is the eager interpreter, which runs things. A tape puts itself on top, records and
// passes on; a trace puts itself on top and only records. This stack is the one place that knows
// whether code is being traced.
//
//   {
//     InterpreterScope scope(trace);       // until the end of the block
//     TANDEM_ASSIGN_OR_RETURN(TensorList y, Invoke("relu", {x}));  // adds a node to the graph
//   }
//
// Thread rules: each thread has its own stack. An interpreter is used by the thread whose stack it
// is on.
#ifndef TANDEM_CORE_DISPATCH_INTERPRETER_H_
#define TANDEM_CORE_DISPATCH_INTERPRETER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/dispatch/variable.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/callable.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

struct InvokeOptions {
  Device* device = nullptr;  // where an op without inputs runs
  SourceLocation location = SourceLocation();
  // "file.cc:12", where the line is known as text only (a graph that is interpreted); if not empty,
  // it stands for `location`. Must outlive the call.
  absl::string_view location_text = {};

  // The user's line; empty when unknown.
  std::string LocationString() const {
    return location_text.empty() ? ToString(location) : std::string(location_text);
  }
};

// What a random op takes: `state` is i64[2] (seed, offset), an ordinary input; the op draws from
// the Philox blocks that start at state's offset plus `delta`.
struct RandomState {
  Tensor state;
  int64_t delta = 0;
};

class Interpreter {
 public:
  virtual ~Interpreter() = default;

  virtual absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                            const AttributeMap& attrs,
                                            const InvokeOptions& options) = 0;
  virtual absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) = 0;
  virtual absl::StatusOr<Tensor> Read(Variable& variable) = 0;
  virtual absl::Status Write(Variable& variable, const Tensor& value) = 0;
  // Reserves `blocks` Philox blocks (of four 32-bit words) of the generator.
  virtual absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) = 0;
};

// The top of this thread's stack; the eager interpreter if the stack is empty.
Interpreter& CurrentInterpreter();

// Puts an interpreter on top of this thread's stack, until the end of the scope.
class InterpreterScope {
 public:
  explicit InterpreterScope(Interpreter& interpreter);
  ~InterpreterScope();
  InterpreterScope(const InterpreterScope&) = delete;
  InterpreterScope& operator=(const InterpreterScope&) = delete;

 private:
  Interpreter* previous_;
};

// --- what op functions, layers and drivers call ---------------------------------------------------

// Runs or records one op. Errors carry the op, the block path and the source line.
absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                  const AttributeMap& attrs, const InvokeOptions& options = {});
// The same by name, with attributes to be checked.
absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                  absl::Span<const AttributeInit> attrs = {},
                                  const InvokeOptions& options = {});
absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs);
absl::StatusOr<Tensor> ReadVariable(Variable& variable);
absl::Status WriteVariable(Variable& variable, const Tensor& value);
absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks);

// An Invoker over a given interpreter, or (default) over whatever is current at each call.
class InterpreterInvoker : public Invoker {
 public:
  explicit InterpreterInvoker(Interpreter* interpreter = nullptr) : interpreter_(interpreter) {}
  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs,
                                    Device* device) override;

 private:
  Interpreter* interpreter_;
};

// The bottom of every stack: infers, allocates, runs the kernel, or the decomposition. An op has run
// or is queued when it returns. Symbols are passed to the interpreter that records them.
Interpreter& EagerInterpreter();

}  // namespace tandem

#endif  // TANDEM_CORE_DISPATCH_INTERPRETER_H_
