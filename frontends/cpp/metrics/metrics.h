// Metrics: numbers that say how good a model is, over many batches.
//
//   Accuracy accuracy;
//   for (const Batch& batch : test) accuracy.Update(net(batch[0]), batch[1]);
//   std::cout << accuracy.name() << " " << accuracy.value();
//
// Updating reads values, so it waits for the device.
// Thread rules: one thread.
#ifndef TANDEM_FRONTENDS_CPP_METRICS_METRICS_H_
#define TANDEM_FRONTENDS_CPP_METRICS_METRICS_H_

#include <cstdint>
#include <string>

#include "tandem/core/tensor/tensor.h"

namespace tandem {

class Metric {
 public:
  virtual ~Metric() = default;
  virtual std::string name() const = 0;
  // `predictions` and `labels` of one batch. Throws INVALID_ARGUMENT if they do not fit.
  virtual void Update(const Tensor& predictions, const Tensor& labels) = 0;
  // The mean over all samples since the last Reset; NaN before the first.
  double value() const;
  int64_t count() const { return count_; }
  void Reset();

 protected:
  void Add(double sum, int64_t count) {
    sum_ += sum;
    count_ += count;
  }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

// The part of samples whose label is among the k highest scores. Predictions: scores [N,C]; labels:
// integers [N]. Of equal scores the lower class counts as higher.
class TopKAccuracy : public Metric {
 public:
  // Throws INVALID_ARGUMENT unless k >= 1.
  explicit TopKAccuracy(int64_t k);
  std::string name() const override;
  void Update(const Tensor& predictions, const Tensor& labels) override;

 private:
  int64_t k_;
};

class Accuracy : public TopKAccuracy {
 public:
  Accuracy() : TopKAccuracy(1) {}
  std::string name() const override { return "accuracy"; }
};

// The mean of a loss: Update(losses). Labels are not looked at.
class MeanLoss : public Metric {
 public:
  std::string name() const override { return "loss"; }
  void Update(const Tensor& losses, const Tensor& labels = Tensor()) override;
};

// The mean of |prediction - label|, and of its square.
class MeanAbsoluteError : public Metric {
 public:
  std::string name() const override { return "mae"; }
  void Update(const Tensor& predictions, const Tensor& labels) override;
};
class MeanSquaredError : public Metric {
 public:
  std::string name() const override { return "mse"; }
  void Update(const Tensor& predictions, const Tensor& labels) override;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_METRICS_METRICS_H_
