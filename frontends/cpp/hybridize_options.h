// How a block is hybridized.
//
//   net.Hybridize();                                            // compile at the next call
//   net.Hybridize({.static_alloc = true, .static_shape = true});  // fastest: one recorded replay
//   net.Hybridize(false);                                       // back to imperative (R32)
#ifndef TANDEM_FRONTENDS_CPP_HYBRIDIZE_OPTIONS_H_
#define TANDEM_FRONTENDS_CPP_HYBRIDIZE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/graph/compile/hybrid_options.h"

namespace tandem {

// The fields mean what they mean in HybridOptions.
struct HybridizeOptions {
  bool active = true;  // false: imperative
  bool static_alloc = false;
  bool static_shape = false;  // needs static_alloc
  int64_t max_entries = 64;
  int64_t max_bytes = 0;
  bool forbid_retrace = false;
  bool check_trace = false;
  int retrace_warning = 8;
  std::function<void(absl::string_view)> warning_sink = nullptr;
  std::vector<std::string> input_names = {};

  HybridOptions ToHybridOptions() const {
    HybridOptions options;
    options.static_alloc = static_alloc;
    options.static_shape = static_shape;
    options.max_entries = max_entries;
    options.max_bytes = max_bytes;
    options.forbid_retrace = forbid_retrace;
    options.check_trace = check_trace;
    options.retrace_warning = retrace_warning;
    options.warning_sink = warning_sink;
    options.input_names = input_names;
    return options;
  }
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_HYBRIDIZE_OPTIONS_H_
