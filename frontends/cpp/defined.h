// CheckDefined: refuses a Tensor that was never given a value, where a function is about to look
// into it. (Ops check their own inputs.)
//
//   CheckDefined("ZerosLike", x);   // throws INVALID_ARGUMENT "ZerosLike: an empty Tensor; …"
#ifndef TANDEM_FRONTENDS_CPP_DEFINED_H_
#define TANDEM_FRONTENDS_CPP_DEFINED_H_

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

inline void CheckDefined(absl::string_view what, const Tensor& tensor) {
  if (!tensor.defined()) [[unlikely]] {
    throw Error(
        absl::InvalidArgumentError(absl::StrCat(what, ": an empty Tensor; give it a value first")));
  }
}

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_DEFINED_H_
