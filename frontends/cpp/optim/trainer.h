// Trainer: applies an optimizer to parameters after each Backward.
//
//   Trainer trainer(net.CollectParameters(), std::make_unique<Adam>());
//   for (const data::Batch& batch : loader) {
//     Tensor l;
//     {
//       RecordScope record;
//       l = loss(net(batch[0]), batch[1]);
//     }
//     Backward(l);
//     trainer.Step(batch[0].shape()[0]);
//   }
//
// The updates of all parameters are one compiled function, so a step costs one call. Eager and
// compiled steps give the same bits.
// Thread rules: one thread, and no forward of the parameters' blocks at the time of a step.
#ifndef TANDEM_FRONTENDS_CPP_OPTIM_TRAINER_H_
#define TANDEM_FRONTENDS_CPP_OPTIM_TRAINER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/core/dispatch/variable.h"
#include "tandem/frontends/cpp/optim/optimizer.h"
#include "tandem/frontends/cpp/parameter.h"
#include "tandem/graph/compile/hybrid_function.h"

namespace tandem {

struct TrainerOptions {
  bool hybridize = true;  // false: run the update op by op
};

class Trainer {
 public:
  // Takes the parameters that are trained (grad_req other than kNone). INVALID_ARGUMENT if there
  // are none, FAILED_PRECONDITION, with all names, if Initialize was not called for some. Their
  // shapes may still be unknown.
  Trainer(const ParameterList& parameters, std::unique_ptr<Optimizer> optimizer,
          TrainerOptions options = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // One update with the gradients divided by `batch_size`. FAILED_PRECONDITION names the parameters
  // that have no gradient since the last step; with `ignore_stale_grad` they are left as they are.
  void Step(int64_t batch_size, bool ignore_stale_grad = false);

  double learning_rate() const { return optimizer_->learning_rate(); }
  void set_learning_rate(double learning_rate) { optimizer_->set_learning_rate(learning_rate); }
  Optimizer& optimizer() { return *optimizer_; }
  int64_t steps() const { return steps_; }

  // The optimizer's tensors and the number of steps, in the safetensors layout. Loading needs the
  // same optimizer and parameters; errors name what differs.
  void SaveStates(const std::string& path) const;
  void LoadStates(const std::string& path);

 private:
  struct Slot;
  struct Program;

  absl::StatusOr<TensorList> Update(absl::Span<const Tensor> inputs, const std::vector<int>& slots,
                                    size_t num_scalars) const;
  Program& ProgramFor(const std::vector<int>& slots);
  void MakeStates(Slot& slot);
  std::vector<std::pair<std::string, Ref<Variable>>> NamedStates() const;

  const TrainerOptions options_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::unique_ptr<Program>> programs_;
  int64_t steps_ = 0;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_OPTIM_TRAINER_H_
