#include "tandem/frontends/cpp/data/dataset.h"

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/data/data_loader.h"
#include "tandem/frontends/cpp/error.h"
#include "tools/cpp/runfiles/runfiles.h"

namespace tandem::data {
namespace {

DatasetPtr Numbers(int64_t n) {
  std::vector<float> values(n);
  std::vector<int32_t> labels(n);
  for (int64_t i = 0; i < n; ++i) values[i] = labels[i] = static_cast<int32_t>(i);
  return std::make_shared<ArrayDataset>(
      std::vector<Tensor>{Array(values, {n, 1}), Array<int32_t>(labels)});
}

// The labels of every batch of one epoch.
std::vector<std::vector<int32_t>> Epoch(DataLoader& loader) {
  std::vector<std::vector<int32_t>> result;
  for (const Batch& batch : loader) result.push_back(ToVector<int32_t>(batch[1]));
  return result;
}

TEST(ArrayDataset, GivesRowsAndBatches) {
  DatasetPtr numbers = Numbers(5);
  EXPECT_EQ(numbers->Get(3)[0].spec().ToString(), "f32[1]");
  EXPECT_EQ(Item<int32_t>(numbers->Get(3)[1]), 3);
  const Sample batch = numbers->GetBatch({4, 0});
  EXPECT_EQ(batch[0].spec().ToString(), "f32[2,1]");
  EXPECT_EQ(ToVector<int32_t>(batch[1]), (std::vector<int32_t>{4, 0}));
  EXPECT_THROW(numbers->Get(5), Error);
  EXPECT_THROW(numbers->Get(-1), Error);
  EXPECT_THROW(ArrayDataset({Array({1, 2}), Array({1, 2, 3})}), Error);
}

TEST(Transform, BySampleAndByBatchAgree) {
  const auto twice = [](Sample s) {
    s[0] = Value(Invoke("add", {s[0], s[0]}))[0];
    return s;
  };
  DatasetPtr by_sample = Transform(Numbers(4), twice);
  DatasetPtr by_batch = Transform(Numbers(4), twice, Apply::kBatch);
  for (const DatasetPtr& dataset : {by_sample, by_batch}) {
    EXPECT_EQ(ToVector(dataset->GetBatch({1, 3})[0]), (std::vector<float>{2, 6}));
    EXPECT_EQ(dataset->Get(2)[0].spec().ToString(), "f32[1]");
    EXPECT_EQ(ToVector(dataset->Get(2)[0]), (std::vector<float>{4}));
  }
}

// Sample i has i + 1 tensors.
class Growing : public Dataset {
 public:
  int64_t size() const override { return 3; }
  Sample Get(int64_t index) const override { return Sample(index + 1, Array({1.f})); }
};

TEST(Dataset, SamplesOfABatchNeedTheSameTensors) {
  Growing growing;
  EXPECT_EQ(growing.GetBatch({1, 1})[1].spec().ToString(), "f32[2,1]");
  EXPECT_THROW(growing.GetBatch({0, 1}), Error);
  EXPECT_THROW(growing.GetBatch({1, 0}), Error);
  EXPECT_THROW(ArrayDataset({Tensor()}), Error);
  EXPECT_THROW(ToTensor(Tensor()), Error);
}

TEST(DataLoader, AnyPrefetchAndManyWorkers) {
  DataLoader loader(Numbers(6), {.batch_size = 2,
                                 .workers = 200,
                                 .prefetch = std::numeric_limits<int64_t>::max()});
  EXPECT_EQ(Epoch(loader).size(), 3u);
  EXPECT_THROW(DataLoader(Numbers(1), {.workers = 257}), Error);
}

TEST(DataLoader, LastBatch) {
  using Batches = std::vector<std::vector<int32_t>>;
  DataLoader keep(Numbers(5), {.batch_size = 2});
  EXPECT_EQ(keep.size(), 3);
  EXPECT_EQ(Epoch(keep), (Batches{{0, 1}, {2, 3}, {4}}));
  DataLoader discard(Numbers(5), {.batch_size = 2, .last_batch = LastBatch::kDiscard});
  EXPECT_EQ(discard.size(), 2);
  EXPECT_EQ(Epoch(discard), (Batches{{0, 1}, {2, 3}}));
  DataLoader roll(Numbers(5), {.batch_size = 2, .last_batch = LastBatch::kRollover});
  EXPECT_EQ(Epoch(roll), (Batches{{0, 1}, {2, 3}}));
  EXPECT_EQ(roll.size(), 3);
  EXPECT_EQ(Epoch(roll), (Batches{{4, 0}, {1, 2}, {3, 4}}));
}

TEST(DataLoader, TheOrderDependsOnTheSeedAndNotOnTheWorkers) {
  const auto epochs = [](uint64_t seed, int workers) {
    DataLoader loader(Numbers(101), {.batch_size = 7,
                                     .shuffle = true,
                                     .seed = seed,
                                     .workers = workers,
                                     .prefetch = 2});
    return std::vector{Epoch(loader), Epoch(loader)};
  };
  const auto expected = epochs(42, 0);
  EXPECT_NE(expected[0], expected[1]) << "epochs differ";
  for (int workers : {1, 3}) EXPECT_EQ(epochs(42, workers), expected);
  EXPECT_NE(epochs(43, 0), expected);
  std::vector<int> seen(101);
  for (const auto& batch : expected[0]) {
    for (int32_t label : batch) ++seen[label];
  }
  EXPECT_EQ(seen, std::vector<int>(101, 1)) << "every sample once";
}

// R20
TEST(DataLoader, RandomSeedMakesItRepeatable) {
  const auto epoch = [] {
    random::Seed(42);
    DataLoader loader(Numbers(50), {.batch_size = 5, .shuffle = true});
    return Epoch(loader);
  };
  EXPECT_EQ(epoch(), epoch());
}

TEST(DataLoader, ErrorsOfWorkersReachTheConsumerInTheirPlace) {
  for (int workers : {0, 1, 3}) {
    DatasetPtr faulty = Transform(Numbers(10), [](Sample s) {
      if (Item<int32_t>(s[1]) == 5) throw std::runtime_error("sample 5 is broken");
      return s;
    });
    DataLoader loader(faulty, {.batch_size = 2, .workers = workers});
    int good = 0;
    try {
      for (const Batch& batch : loader) good += batch.size() == 2;
      FAIL() << "no error";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "sample 5 is broken");
    }
    EXPECT_EQ(good, 2);
  }
}

TEST(DataLoader, AnEpochMayBeLeftEarly) {
  DataLoader loader(Numbers(1000), {.batch_size = 1, .workers = 2});
  for (int i = 0; i < 20; ++i) {
    for (const Batch& batch : loader) {
      EXPECT_EQ(batch.size(), 2);
      break;
    }
  }
}

TEST(DataLoader, RefusesWhatCannotWork) {
  EXPECT_THROW(DataLoader(Numbers(1), {.batch_size = 0}), Error);
  EXPECT_THROW(DataLoader(nullptr, {.batch_size = 1}), Error);
  EXPECT_THROW(DataLoader(Numbers(1), {.workers = -1}), Error);
  DataLoader empty(Numbers(0), {.batch_size = 3});
  EXPECT_TRUE(Epoch(empty).empty());
}

TEST(FashionMnist, IsTheRealThing) {
  using bazel::tools::cpp::runfiles::Runfiles;
  std::string error;
  std::unique_ptr<Runfiles> runfiles(Runfiles::CreateForTest(&error));
  ASSERT_TRUE(runfiles) << error;
  const std::string file = runfiles->Rlocation("fashion_mnist/t10k-labels-idx1-ubyte.gz");
  DatasetPtr test = FashionMnist("test", file.substr(0, file.rfind('/')));
  EXPECT_EQ(test->size(), 10000);
  const Sample first = test->Get(0);
  EXPECT_EQ(first[0].spec().ToString(), "u8[28,28,1]");
  EXPECT_STREQ(FashionMnistClasses()[Item<int32_t>(first[1])], "Ankle boot");
  const Tensor image = ToTensor(test->GetBatch({0, 1, 2})[0]);
  EXPECT_EQ(image.spec().ToString(), "f32[3,1,28,28]");
  float largest = 0;
  for (float v : ToVector(image)) largest = std::max(largest, v);
  EXPECT_EQ(largest, 1.0f);
  EXPECT_THROW(FashionMnist("validation", "."), Error);
  EXPECT_THROW(FashionMnist("test", "/nowhere"), Error);
}

}  // namespace
}  // namespace tandem::data
