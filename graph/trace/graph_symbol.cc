#include "tandem/graph/trace/graph_symbol.h"

#include "absl/strings/str_cat.h"

namespace tandem {

std::string GraphSymbol::Describe() const {
  return absl::StrCat(origin_.name, " = ", origin_.producer, " : ", origin_.spec.ToString());
}

std::string GraphSymbol::MadeBy() const {
  std::string text = absl::StrCat(" (made by ", origin_.producer);
  if (!origin_.block.empty()) absl::StrAppend(&text, " in block ", origin_.block);
  if (!origin_.location.empty()) absl::StrAppend(&text, " at ", origin_.location);
  return text + ")";
}

absl::Status GraphSymbol::ValueError(absl::string_view what) const {
  if (trace_->interpreter() == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": ", Describe(), MadeBy(), " is a symbol of the trace '", trace_->name(),
        "', which is finished; return it from the traced function to use its value outside"));
  }
  if (trace_->is_body()) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, " needs the value of ", Describe(), MadeBy(), ", which has none: the function '",
        trace_->name(),
        "' is recorded as a body of control flow, for its gradient or for a graph. "
        "For a choice in it use Cond or Where; to look at values, call it outside of a RecordScope "
        "and un-hybridized: Hybridize(false)"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(what, " needs the value of ", Describe(), MadeBy(),
                   ", which is a symbol of the trace '", trace_->name(),
                   "' and has none. For control flow that depends on values use Cond, WhileLoop, "
                   "Scan or ForEach (control_flow.h), or Where(condition, a, b) for a choice by "
                   "element; else return the value, or run un-hybridized: Hybridize(false)"));
}

}  // namespace tandem
