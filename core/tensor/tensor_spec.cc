#include "tandem/core/tensor/tensor_spec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::StatusOr<TensorSpec> ParseTensorSpec(absl::string_view text) {
  const size_t bracket = text.find('[');
  if (bracket == absl::string_view::npos || text.back() != ']') {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text.substr(0, 64), "' is not a tensor type; write for example f32[2,3]"));
  }
  TensorSpec spec;
  TANDEM_ASSIGN_OR_RETURN(spec.dtype, ParseDType(text.substr(0, bracket)));
  const absl::string_view dims = text.substr(bracket + 1, text.size() - bracket - 2);
  if (!dims.empty()) {
    for (absl::string_view dim : absl::StrSplit(dims, ',')) {
      int64_t value = kDynamic;
      if (dim != "?" && (!absl::SimpleAtoi(dim, &value) || value < 0)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", dim.substr(0, 32), "' is not a dimension in ", text.substr(0, 64)));
      }
      spec.shape.push_back(value);
    }
  }
  TANDEM_RETURN_IF_ERROR(spec.shape.Validate(/*allow_dynamic=*/true));
  return spec;
}

}  // namespace tandem
