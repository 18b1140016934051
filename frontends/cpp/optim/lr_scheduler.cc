#include "tandem/frontends/cpp/optim/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

LearningRateSchedule FactorSchedule(const FactorScheduleOptions& options) {
  if (options.every < 1 || !(options.factor > 0 && options.factor <= 1)) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("FactorSchedule: `every` must be at least 1 and the factor in (0, 1], they "
                     "are ",
                     options.every, " and ", options.factor)));
  }
  return [options](int64_t step) {
    const double times = static_cast<double>(step / options.every);
    return std::max(options.minimum, std::pow(options.factor, times));
  };
}

LearningRateSchedule CosineSchedule(const CosineScheduleOptions& options) {
  if (options.max_steps < 1 || options.warmup_steps < 0 ||
      options.warmup_steps >= options.max_steps) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("CosineSchedule: 0 <= warmup_steps < max_steps is needed, they are ",
                     options.warmup_steps, " and ", options.max_steps)));
  }
  return [options](int64_t step) {
    if (step < options.warmup_steps) {
      return static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
    }
    const double done =
        std::min(1.0, static_cast<double>(step - options.warmup_steps) /
                          static_cast<double>(options.max_steps - options.warmup_steps));
    return options.final_factor +
           (1.0 - options.final_factor) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  };
}

}  // namespace tandem
