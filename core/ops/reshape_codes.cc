#include "tandem/core/ops/reshape_codes.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

constexpr int64_t kInfer = -1;

class Resolver {
 public:
  Resolver(const Shape& input, absl::Span<const int64_t> codes, bool allow_zero)
      : input_(input), codes_(codes), allow_zero_(allow_zero) {}

  absl::StatusOr<Shape> Resolve() {
    while (next_code_ < codes_.size()) {
      TANDEM_RETURN_IF_ERROR(Step(codes_[next_code_++]));
      // Checked here, since the number of codes has no bound.
      if (result_.overflowed()) {
        return Error(absl::StrCat("a shape has at most ", kMaxRank, " dimensions"));
      }
    }
    while (HasInput()) TANDEM_RETURN_IF_ERROR(Leave(input_[position_++]));
    if (inferred_ >= 0) TANDEM_RETURN_IF_ERROR(Infer());
    TANDEM_RETURN_IF_ERROR(result_.Validate());
    if (result_.num_elements() != input_.num_elements()) {
      return Error(absl::StrCat("gives ", result_.ToString(), ", ", result_.num_elements(),
                                " elements where the input has ", input_.num_elements()));
    }
    return result_;
  }

 private:
  absl::Status Error(absl::string_view rule) const {
    constexpr size_t kShown = 16;
    return absl::InvalidArgumentError(
        absl::StrCat("cannot reshape ", input_.ToString(), " with codes [",
                     absl::StrJoin(codes_.subspan(0, kShown), ","),
                     codes_.size() > kShown ? ",…" : "", "]: ", rule));
  }

  bool HasInput() const { return position_ < input_.rank(); }

  absl::StatusOr<int64_t> NextInput(absl::string_view code) {
    if (!HasInput()) {
      return Error(absl::StrCat("code ", code, " has no dimension of the input left"));
    }
    return input_[position_++];
  }

  // A dimension of the input that no code copies: its elements go into the others.
  absl::Status Leave(int64_t dim) {
    TANDEM_ASSIGN_OR_RETURN(uncopied_, CheckedMul(uncopied_, dim));
    return absl::OkStatus();
  }

  absl::Status Give(int64_t dim) {
    result_.push_back(dim);
    TANDEM_ASSIGN_OR_RETURN(given_, CheckedMul(given_, dim));
    return absl::OkStatus();
  }

  absl::Status Step(int64_t code) {
    switch (code) {
      case 0: {
        if (allow_zero_) {
          if (HasInput()) TANDEM_RETURN_IF_ERROR(Leave(input_[position_++]));
          return Give(0);
        }
        TANDEM_ASSIGN_OR_RETURN(const int64_t dim, NextInput("0 (copy)"));
        result_.push_back(dim);
        return absl::OkStatus();
      }
      case kInfer: {
        if (inferred_ >= 0) return Error("only one dimension can be -1 (infer)");
        inferred_ = result_.rank();
        result_.push_back(1);
        return HasInput() ? Leave(input_[position_++]) : absl::OkStatus();
      }
      case -2:
        while (HasInput()) result_.push_back(input_[position_++]);
        return absl::OkStatus();
      case -3: {
        TANDEM_ASSIGN_OR_RETURN(const int64_t first, NextInput("-3 (merge two)"));
        TANDEM_ASSIGN_OR_RETURN(const int64_t second, NextInput("-3 (merge two)"));
        TANDEM_ASSIGN_OR_RETURN(const int64_t product, CheckedMul(first, second));
        result_.push_back(product);
        return absl::OkStatus();
      }
      case -4:
        return Split();
      default:
        if (code < 0) return Error(absl::StrCat("there is no code ", code));
        if (HasInput()) TANDEM_RETURN_IF_ERROR(Leave(input_[position_++]));
        return Give(code);
    }
  }

  absl::Status Split() {
    TANDEM_ASSIGN_OR_RETURN(const int64_t dim, NextInput("-4 (split)"));
    if (next_code_ + 2 > codes_.size()) return Error("code -4 (split) needs two numbers after it");
    int64_t first = codes_[next_code_++];
    int64_t second = codes_[next_code_++];
    const bool valid = (first > 0 && second > 0) || (first == kInfer && second > 0) ||
                       (first > 0 && second == kInfer);
    if (!valid) {
      return Error("code -4 (split) needs two positive numbers, one of which may be -1 instead");
    }
    if (first == kInfer) first = dim / second;
    if (second == kInfer) second = dim / first;
    const absl::StatusOr<int64_t> product = CheckedMul(first, second);
    if (!product.ok() || *product != dim) {
      return Error(absl::StrCat("code -4 cannot split ", dim, " into ", first, " and ", second));
    }
    result_.push_back(first);
    result_.push_back(second);
    return absl::OkStatus();
  }

  absl::Status Infer() {
    if (given_ == 0) return Error("-1 (infer) is ambiguous beside a dimension of 0");
    if (uncopied_ % given_ != 0) {
      return Error(absl::StrCat("-1 (infer) would have to make ", uncopied_, " of ", given_,
                                " times a whole number"));
    }
    result_[inferred_] = uncopied_ / given_;
    return absl::OkStatus();
  }

  const Shape& input_;
  const absl::Span<const int64_t> codes_;
  const bool allow_zero_;

  size_t next_code_ = 0;
  int position_ = 0;  // in input_
  Shape result_;
  int inferred_ = -1;     // which dimension of the result is inferred
  int64_t uncopied_ = 1;  // elements of the input's dimensions that were not copied, …
  int64_t given_ = 1;     // … and of the result's dimensions that were given as numbers
};

}  // namespace

absl::StatusOr<Shape> ResolveReshape(const Shape& input, absl::Span<const int64_t> codes,
                                     bool allow_zero) {
  return Resolver(input, codes, allow_zero).Resolve();
}

}  // namespace tandem
