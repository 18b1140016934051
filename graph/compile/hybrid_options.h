// How a HybridFunction compiles: memory, limits, checks. Eager and graph agree bit for bit, forward
// and backward: all rewrites are exact.
//
//   HybridOptions options;
//   options.static_alloc = true;   // keep the arena between runs
//   options.static_shape = true;   // and replay one recorded command buffer
//   TANDEM_RETURN_IF_ERROR(options.Validate());
#ifndef TANDEM_GRAPH_COMPILE_HYBRID_OPTIONS_H_
#define TANDEM_GRAPH_COMPILE_HYBRID_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tandem {

struct HybridOptions {
  // Keep the memory of intermediate values from run to run.
  bool static_alloc = false;
  // Record the work once and replay it. Needs static_alloc: what is replayed is bound to its arena.
  bool static_shape = false;

  // Bounds of the cache of compiled entries; the least recently used leaves first. The newest entry
  // always stays. `max_bytes` counts arenas that are kept and constants, those of backward programs
  // as well; 0: no bound.
  int64_t max_entries = 64;
  int64_t max_bytes = 0;

  // After the first compile, a call that would need another one fails and says why.
  bool forbid_retrace = false;
  // Trace twice and fail at the first difference, with its line (R48).
  bool check_trace = false;
  // Warn once after this many traces; 0: never.
  int retrace_warning = 8;
  // Where warnings go; null: stderr.
  std::function<void(absl::string_view)> warning_sink = {};

  // Names of the arguments in the graph. Those that are missing are "data" (if there is one
  // argument) or "data0", "data1", …
  std::vector<std::string> input_names = {};
  // INVALID_ARGUMENT for static_shape without static_alloc (R34), or bounds that cannot work.
  absl::Status Validate() const;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_HYBRID_OPTIONS_H_
