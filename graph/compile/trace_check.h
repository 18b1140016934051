// Tells whether two traces of one function recorded the same program (R48).
//
//   std::string difference = FirstDifference(first, second);
//   if (!difference.empty()) ...
//
// Thread rules: any thread.
#ifndef TANDEM_GRAPH_COMPILE_TRACE_CHECK_H_
#define TANDEM_GRAPH_COMPILE_TRACE_CHECK_H_

#include <string>

#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

// Empty if they are the same; otherwise the first difference, with block and line. Captured tensors
// of up to 1 MiB are compared by value.
std::string FirstDifference(const TracedGraph& first, const TracedGraph& second);

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_TRACE_CHECK_H_
