#include "tandem/frontends/cpp/metrics/metrics.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Accuracy, CountsOverBatches) {
  Accuracy accuracy;
  EXPECT_TRUE(std::isnan(accuracy.value()));
  accuracy.Update(Array({0.1f, 0.9f, 0.8f, 0.2f}, {2, 2}), Array<int32_t>({1, 1}));
  EXPECT_EQ(accuracy.value(), 0.5);
  accuracy.Update(Array({1.f, 0.f, 1.f, 0.f}, {2, 2}), Array<int64_t>({0, 0}));
  EXPECT_EQ(accuracy.value(), 0.75);
  accuracy.Reset();
  EXPECT_EQ(accuracy.count(), 0);
}

TEST(Accuracy, TiesNanAndLabelsOutsideAreNoLuck) {
  Accuracy accuracy;
  accuracy.Update(Array({1.f, 1.f, 1.f, 1.f}, {2, 2}), Array<int32_t>({0, 1}));
  EXPECT_EQ(accuracy.value(), 0.5) << "of equal scores the first class wins";
  accuracy.Reset();
  accuracy.Update(Array({kNan, kNan, 0.f, 0.f, 0.f, 0.f}, {3, 2}), Array<int32_t>({0, 2, -1}));
  EXPECT_EQ(accuracy.value(), 0.0);
}

TEST(Accuracy, RefusesWhatDoesNotFit) {
  Accuracy accuracy;
  EXPECT_THROW(accuracy.Update(Array({1.f, 2.f}), Array<int32_t>({0, 1})), Error);
  EXPECT_THROW(accuracy.Update(Array({1.f, 2.f}, {1, 2}), Array({0.f})), Error);
  EXPECT_EQ(accuracy.count(), 0);
}

TEST(TopKAccuracy, LooksAtTheBestK) {
  TopKAccuracy top2(2);
  top2.Update(Array({3.f, 2.f, 1.f, 3.f, 2.f, 1.f}, {2, 3}), Array<int32_t>({1, 2}));
  EXPECT_EQ(top2.value(), 0.5);
  EXPECT_EQ(top2.name(), "top_2_accuracy");
}

TEST(TopKAccuracy, RefusesNoGuesses) {
  EXPECT_THROW(TopKAccuracy(0), Error);
  EXPECT_THROW(TopKAccuracy(-1), Error);
}

TEST(Metrics, EmptyTensorsAreErrors) {
  Accuracy accuracy;
  EXPECT_THROW(accuracy.Update(Tensor(), Array<int32_t>({0})), Error);
  EXPECT_THROW(accuracy.Update(Array({1.f, 2.f}, {1, 2}), Tensor()), Error);
  EXPECT_THROW(MeanLoss().Update(Tensor()), Error);
  EXPECT_THROW(MeanAbsoluteError().Update(Array({1.f}), Tensor()), Error);
  EXPECT_THROW(MeanSquaredError().Update(Tensor(), Array({1.f})), Error);
}

TEST(Means, OfLossesAndErrors) {
  MeanLoss loss;
  loss.Update(Array({1.f, 2.f}));
  loss.Update(Array({6.f}));
  EXPECT_EQ(loss.value(), 3.0);
  MeanAbsoluteError mae;
  mae.Update(Array({1.f, 4.f}), Array({2.f, 2.f}));
  EXPECT_EQ(mae.value(), 1.5);
  MeanSquaredError mse;
  mse.Update(Array({1.f, 4.f}), Array({2.f, 2.f}));
  EXPECT_EQ(mse.value(), 2.5);
  EXPECT_THROW(mse.Update(Array({1.f}), Array({1.f, 2.f})), Error);
}

}  // namespace
}  // namespace tandem
