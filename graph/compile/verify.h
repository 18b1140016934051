// Finds the first op at which a compiled function differs from its eager body (R26).
//
// Three runs on the same inputs, variables and random numbers: the body, op by op; the traced
// graph, op by op; the compiled program. All values, and the new values of variables, are
// compared bit for bit. Nothing is written:
// variables and the generator stay as they are.
//
// Thread rules: runs user code, on the calling thread.
#ifndef TANDEM_GRAPH_COMPILE_VERIFY_H_
#define TANDEM_GRAPH_COMPILE_VERIFY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/compile/gradient_trace.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

// FAILED_PRECONDITION names the first op that differs, its block and line, and the largest error.
absl::Status VerifyAgainstEager(const std::string& name, const TraceBody& body,
                                absl::Span<const Tensor> inputs, const TracedGraph& traced,
                                const Graph& optimized, const Executable& executable);

// What differs between two tensors: "" (the same bits), "is f32[2], expected f32[3]", "differs in 3
// of 10 elements, largest error 1.2e-07".
absl::StatusOr<std::string> DescribeDifference(const Tensor& actual, const Tensor& expected);

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_VERIFY_H_
