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
  return absl::FailedPreconditionError(
      absl::StrCat(what, " needs the value of ", Describe(), MadeBy(),
                   ", which is a symbol of the trace '", trace_->name(),
                   "' and has none. Use Where(condition, a, b), return the value, or run "
                   "un-hybridized: Hybridize(false). Cond, WhileLoop and Scan are for control flow "
                   "that depends on values (not in this version)"));
}

}  // namespace tandem
