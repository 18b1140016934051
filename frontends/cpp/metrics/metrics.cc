#include "tandem/frontends/cpp/metrics/metrics.h"

#include <cmath>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/defined.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {
namespace {

// Converts on the host: a device need not have f64 or i64.
template <typename T>
std::vector<T> ReadAs(const Tensor& x) {
  return DispatchDType(x.dtype(), [&](auto zero) -> std::vector<T> {
    using Stored = decltype(zero);
    const std::vector<Stored> values = Value(x.ToVector<Stored>());
    if constexpr (std::is_same_v<Stored, T>) {
      return values;
    } else if constexpr (std::is_same_v<Stored, Half> || std::is_same_v<Stored, BFloat16>) {
      std::vector<T> result;
      for (const Stored value : values) result.push_back(static_cast<T>(static_cast<float>(value)));
      return result;
    } else {
      return std::vector<T>(values.begin(), values.end());
    }
  });
}

void Refuse(const Metric& metric, const Tensor& predictions, const Tensor& labels,
            absl::string_view rule) {
  Check(absl::InvalidArgumentError(absl::StrCat(metric.name(), "(predictions ",
                                                predictions.Describe(), ", labels ",
                                                labels.Describe(), "): ", rule)));
}

double SumOfDifferences(const Metric& metric, const Tensor& predictions, const Tensor& labels,
                        const std::function<double(double)>& measure) {
  CheckDefined(metric.name(), predictions);
  CheckDefined(metric.name(), labels);
  if (predictions.shape() != labels.shape()) {
    Refuse(metric, predictions, labels, "they need one shape");
  }
  const std::vector<double> p = ReadAs<double>(predictions);
  const std::vector<double> l = ReadAs<double>(labels);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += measure(p[i] - l[i]);
  return sum;
}

}  // namespace

double Metric::value() const {
  return count_ > 0 ? sum_ / count_ : std::numeric_limits<double>::quiet_NaN();
}

void Metric::Reset() {
  sum_ = 0;
  count_ = 0;
}

TopKAccuracy::TopKAccuracy(int64_t k) : k_(k) {
  if (k < 1) {
    throw Error(
        absl::InvalidArgumentError(absl::StrCat("TopKAccuracy: k must be at least 1, it is ", k)));
  }
}

std::string TopKAccuracy::name() const { return absl::StrCat("top_", k_, "_accuracy"); }

void TopKAccuracy::Update(const Tensor& predictions, const Tensor& labels) {
  CheckDefined(name(), predictions);
  CheckDefined(name(), labels);
  const bool fits = predictions.rank() == 2 && labels.rank() == 1 &&
                    predictions.shape()[0] == labels.shape()[0] && IsInteger(labels.dtype());
  if (!fits) Refuse(*this, predictions, labels, "takes scores [N,C] and integer labels [N]");
  const std::vector<double> scores = ReadAs<double>(predictions);
  const std::vector<int64_t> wanted = ReadAs<int64_t>(labels);
  const int64_t classes = predictions.shape()[1];
  int64_t hits = 0;
  for (size_t row = 0; row < wanted.size(); ++row) {
    const int64_t label = wanted[row];
    if (label < 0 || label >= classes) continue;
    const double* s = scores.data() + row * classes;
    // NaN is no prediction: it is never a hit.
    int64_t better = std::isnan(s[label]) ? k_ : 0;
    for (int64_t c = 0; c < classes; ++c)
      better += s[c] > s[label] || (s[c] == s[label] && c < label);
    hits += better < k_;
  }
  Add(static_cast<double>(hits), static_cast<int64_t>(wanted.size()));
}

void MeanLoss::Update(const Tensor& losses, const Tensor& labels) {
  CheckDefined(name(), losses);
  double sum = 0;
  for (double loss : ReadAs<double>(losses)) sum += loss;
  Add(sum, losses.num_elements());
}

void MeanAbsoluteError::Update(const Tensor& predictions, const Tensor& labels) {
  const double sum =
      SumOfDifferences(*this, predictions, labels, [](double d) { return std::abs(d); });
  Add(sum, predictions.num_elements());
}

void MeanSquaredError::Update(const Tensor& predictions, const Tensor& labels) {
  const double sum = SumOfDifferences(*this, predictions, labels, [](double d) { return d * d; });
  Add(sum, predictions.num_elements());
}

}  // namespace tandem
