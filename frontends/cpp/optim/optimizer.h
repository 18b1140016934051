// Optimizers: how a gradient changes a weight, as a function of ops.
//
//   Trainer trainer(net.CollectParameters(),
//                   std::make_unique<SGD>(SGDOptions{.learning_rate = 0.1, .momentum = 0.9}));
//
// An update is written once; the trainer compiles it over all parameters at once. What changes from
// step to step (learning rate, Adam's bias correction, 1 / batch size) is an input of the graph, so
// nothing is compiled again.
// Thread rules: one thread.
#ifndef TANDEM_FRONTENDS_CPP_OPTIM_OPTIMIZER_H_
#define TANDEM_FRONTENDS_CPP_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/optim/lr_scheduler.h"

namespace tandem {

// What all optimizers do with a gradient first: rescale (by 1 / batch size), clip, and add
// weight_decay · weight.
struct UpdateInput {
  Tensor weight;
  Tensor grad;                // rescaled and clipped, without weight decay
  std::vector<Tensor> state;  // as many as num_states()
  // Scalars of the weight's dtype, in the order of Optimizer::Scalars; scalars[0] has the
  // parameter's lr_mult in it.
  std::vector<Tensor> scalars;
  double weight_decay = 0;  // with the parameter's wd_mult
};
struct UpdateOutput {
  Tensor weight;
  std::vector<Tensor> state;
};

class Optimizer {
 public:
  struct Common {
    double learning_rate = 0.01;
    double weight_decay = 0.0;
    double clip_gradient = 0.0;  // clip to [-c, c]; 0: do not
    LearningRateSchedule schedule = nullptr;
  };
  // INVALID_ARGUMENT for a learning rate, decay or clip that is negative or not finite.
  explicit Optimizer(Common common);
  virtual ~Optimizer() = default;

  // Before the schedule's factor.
  double learning_rate() const { return common_.learning_rate; }
  void set_learning_rate(double learning_rate);
  const Common& common() const { return common_; }
  // Of the step after `steps_done`.
  double LearningRateAt(int64_t steps_done) const;

  virtual std::string name() const = 0;
  // The names of the tensors that it keeps for each weight; they start as zeros.
  virtual std::vector<std::string> state_names() const = 0;
  // What changes from step to step, for the step after `steps_done`. The first is the learning
  // rate.
  virtual std::vector<double> Scalars(int64_t steps_done) const;
  // The update, with ops only.
  virtual UpdateOutput Update(const UpdateInput& input) const = 0;

 private:
  Common common_;
};

struct SGDOptions {
  double learning_rate = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  double clip_gradient = 0.0;
  LearningRateSchedule schedule = nullptr;
};

// With g = gradient + weight_decay · weight: weight -= learning_rate · g; with momentum,
// m = momentum · m - learning_rate · g and weight += m.
class SGD : public Optimizer {
 public:
  explicit SGD(const SGDOptions& options = {});
  std::string name() const override { return "sgd"; }
  std::vector<std::string> state_names() const override;
  UpdateOutput Update(const UpdateInput& input) const override;

 private:
  const double momentum_;
};

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;  // added to the gradient, not decoupled
  double clip_gradient = 0.0;
  LearningRateSchedule schedule = nullptr;
};

// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, in the order of its
// section 2: the bias corrections go into the learning rate.
class Adam : public Optimizer {
 public:
  explicit Adam(const AdamOptions& options = {});
  std::string name() const override { return "adam"; }
  std::vector<std::string> state_names() const override { return {"mean", "variance"}; }
  std::vector<double> Scalars(int64_t steps_done) const override;
  UpdateOutput Update(const UpdateInput& input) const override;

 private:
  const double beta1_, beta2_, epsilon_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_OPTIM_OPTIMIZER_H_
