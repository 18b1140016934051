// Error: how the C++ front end reports what went wrong.
//
// Below the front ends every function returns absl::Status; here, and only here, a status becomes
// an exception, so that model code reads like formulas.
//
//   try {
//     Tensor y = MatMul(a, b);
//   } catch (const tandem::Error& e) {
//     std::cerr << e.what();        // "matmul(f32[2,3], f32[4,5]): …"
//     if (e.code() == absl::StatusCode::kInvalidArgument) ...
//   }
//
// Thread rules: an Error is a value.
#ifndef TANDEM_FRONTENDS_CPP_ERROR_H_
#define TANDEM_FRONTENDS_CPP_ERROR_H_

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tandem {

class Error : public std::runtime_error {
 public:
  // `status` must not be OK.
  explicit Error(absl::Status status)
      : std::runtime_error(std::string(status.message())), status_(std::move(status)) {}
  const absl::Status& status() const { return status_; }
  absl::StatusCode code() const { return status_.code(); }

 private:
  absl::Status status_;
};

namespace internal {
// Throws Error, or the user's own exception if CatchExceptions made the status of one.
[[noreturn]] void Throw(absl::Status status);
}  // namespace internal

// Throws unless OK.
inline void Check(absl::Status status) {
  if (!status.ok()) [[unlikely]]
    internal::Throw(std::move(status));
}

// The value; throws if there is none.
template <typename T>
T Value(absl::StatusOr<T> value) {
  if (!value.ok()) [[unlikely]]
    internal::Throw(std::move(value).status());
  return *std::move(value);
}

// The other direction, for user code that is called from below (the body of a hybridized block):
// runs `body` and turns an Error into its status. Another exception is kept for this thread, and
// thrown again where the status comes out of the front end.
absl::Status CatchExceptions(const std::function<void()>& body);

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_ERROR_H_
