#include "tandem/frontends/cpp/error.h"

#include <exception>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace tandem {
namespace {

constexpr char kForeignException[] = "tandem/cpp/foreign-exception";

// The last exception that was not an Error and became a status on this thread.
thread_local std::exception_ptr foreign_exception;

absl::Status KeepForeign(absl::string_view what) {
  foreign_exception = std::current_exception();
  absl::Status status = absl::UnknownError(absl::StrCat("the block's code threw: ", what));
  status.SetPayload(kForeignException, absl::Cord());
  return status;
}

}  // namespace

namespace internal {

void Throw(absl::Status status) {
  if (status.GetPayload(kForeignException).has_value() && foreign_exception != nullptr) {
    std::rethrow_exception(std::exchange(foreign_exception, nullptr));
  }
  throw Error(std::move(status));
}

}  // namespace internal

absl::Status CatchExceptions(const std::function<void()>& body) {
  try {
    body();
    return absl::OkStatus();
  } catch (const Error& error) {
    return error.status();
  } catch (const std::exception& error) {
    return KeepForeign(error.what());
  } catch (...) {
    return KeepForeign("an exception of an unknown type");
  }
}

}  // namespace tandem
