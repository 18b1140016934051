// Learning-rate schedules: functions of the number of steps done.
//
//   auto sgd = std::make_unique<SGD>(SGDOptions{
//       .learning_rate = 0.1, .schedule = CosineSchedule({.max_steps = 1000, .warmup_steps = 50})});
//
// A schedule multiplies the optimizer's learning rate.
// Thread rules: pure functions.
#ifndef TANDEM_FRONTENDS_CPP_OPTIM_LR_SCHEDULER_H_
#define TANDEM_FRONTENDS_CPP_OPTIM_LR_SCHEDULER_H_

#include <cstdint>
#include <functional>

namespace tandem {

// From steps done so far to a factor.
using LearningRateSchedule = std::function<double(int64_t step)>;

struct FactorScheduleOptions {
  int64_t every = 1;      // steps
  double factor = 0.1;    // in (0, 1]: what the rate is multiplied by each time
  double minimum = 1e-8;  // of the resulting factor
};
LearningRateSchedule FactorSchedule(const FactorScheduleOptions& options);

struct CosineScheduleOptions {
  int64_t max_steps = 1;     // the end of the cosine's half wave
  int64_t warmup_steps = 0;  // linear from 0 to 1 before it
  double final_factor = 0.0;
};
// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, without
// the restarts.
LearningRateSchedule CosineSchedule(const CosineScheduleOptions& options);

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_OPTIM_LR_SCHEDULER_H_
