#include "tandem/graph/compile/hybrid_options.h"

#include "absl/strings/str_cat.h"

namespace tandem {

absl::Status HybridOptions::Validate() const {
  if (static_shape && !static_alloc) {
    return absl::InvalidArgumentError(
        "static_shape needs static_alloc: the recorded work is bound to memory that is kept from "
        "run to run; set static_alloc = true as well");
  }
  if (max_entries < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_entries is ", max_entries, "; at least one entry must fit"));
  }
  if (max_bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("max_bytes is ", max_bytes, "; it is a size"));
  }
  return absl::OkStatus();
}

}  // namespace tandem
