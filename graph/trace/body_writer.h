// BodyWriter: records functions of tensors as the bodies of one use of control flow.
//
//   BodyWriter writer("cond", location);
//   TANDEM_RETURN_IF_ERROR(writer.Record("then", then_fn, {}, device));
//   TANDEM_RETURN_IF_ERROR(writer.Record("else", else_fn, {}, device));
//   return writer.Invoke({predicate}, {}, {"then_body", "else_body"});
//
// What the functions take from outside (tensors, symbols of the traces around, variables) is captured:
// it becomes an input of the op, and of all its bodies.
// Thread rules: one thread.
#ifndef TANDEM_GRAPH_TRACE_BODY_WRITER_H_
#define TANDEM_GRAPH_TRACE_BODY_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/trace/control_flow.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

class BodyWriter {
 public:
  // How often the body runs, where that is known when it is recorded. Each run can then be given
  // random numbers of its own.
  struct Steps {
    int64_t count = 0;
    bool reverse = false;
  };

  BodyWriter(std::string op, SourceLocation location, std::optional<Steps> steps = std::nullopt)
      : op_(std::move(op)), location_(location), steps_(steps) {}

  // Runs `function` once on symbols of these specs; the next body of the op. UNIMPLEMENTED if it
  // writes a variable, or draws random numbers without known steps.
  absl::Status Record(const std::string& name, const BodyFunction& function,
                      absl::Span<const TensorSpec> arguments, Device* device);
  // True if the body takes a random state after its arguments.
  bool draws_random() const { return random_blocks_ > 0; }
  // The random states of all steps, i64[steps,2], to be gone along: a step draws where it would draw
  // if the steps ran one after the other.
  absl::StatusOr<Tensor> RandomStates(Device* device) const;
  // Invokes the op on `inputs` and what was captured, with `attributes` and the bodies under
  // `body_names`.
  absl::StatusOr<TensorList> Invoke(absl::Span<const Tensor> inputs,
                                    std::vector<AttributeInit> attributes,
                                    absl::Span<const absl::string_view> body_names);

 private:
  struct Recorded {
    Graph graph;
    std::vector<ValueId> given;  // the arguments, and the random state
    std::vector<int> captured;   // for each input of the graph: which captured value; -1: given
  };

  absl::Status Error(absl::string_view name, absl::string_view what) const;
  absl::Status Unsupported(absl::string_view name, absl::string_view what,
                           absl::string_view remedy) const;
  // The number of a captured value; a new one if it is the first time.
  int Captured(const InputBinding& binding);
  absl::StatusOr<Ref<const OpBody>> Body(const Recorded& recorded) const;

  const std::string op_;
  const SourceLocation location_;
  const std::optional<Steps> steps_;
  int64_t random_blocks_ = 0;  // that one step draws
  std::vector<Recorded> recorded_;
  std::vector<InputBinding> captured_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_BODY_WRITER_H_
