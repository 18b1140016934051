// Propagates absl::Status in one line.
//
// Below `frontends/` every function that can fail returns absl::Status or absl::StatusOr<T>;
// these macros are the only way errors travel upwards.
//
//   absl::StatusOr<Tensor> Twice(const Tensor& x) {
//     TANDEM_RETURN_IF_ERROR(CheckShape(x));
//     TANDEM_ASSIGN_OR_RETURN(Tensor y, Add(x, x));
//     return y;
//   }
#ifndef TANDEM_CORE_BASE_STATUS_MACROS_H_
#define TANDEM_CORE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#define TANDEM_RETURN_IF_ERROR(expr)                        \
  do {                                                      \
    if (::absl::Status tandem_status_ = (expr); !tandem_status_.ok()) [[unlikely]] \
      return tandem_status_;                                \
  } while (false)

#define TANDEM_CONCAT_INNER_(a, b) a##b
#define TANDEM_CONCAT_(a, b) TANDEM_CONCAT_INNER_(a, b)

#define TANDEM_ASSIGN_OR_RETURN(lhs, expr) \
  TANDEM_ASSIGN_OR_RETURN_IMPL_(TANDEM_CONCAT_(tandem_statusor_, __LINE__), lhs, expr)
#define TANDEM_ASSIGN_OR_RETURN_IMPL_(statusor, lhs, expr) \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) [[unlikely]]                         \
    return std::move(statusor).status();                   \
  lhs = *std::move(statusor)

namespace tandem {

// `status` with `prefix` and ": " before its message; OK stays OK. Payloads are kept.
inline absl::Status Annotate(const absl::Status& status, absl::string_view prefix) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_STATUS_MACROS_H_
