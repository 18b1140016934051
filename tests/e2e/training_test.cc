// Training is repeatable: by seed, by number of threads, compiled or not; and it learns.

#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"
#include "tandem/tests/e2e/networks.h"

namespace tandem {
namespace {

struct Trained {
  Values parameters;
  std::vector<float> losses;
};

bool SameTraining(const Trained& a, const Trained& b) {
  return SameBits(a.parameters, b.parameters) && SameBits(a.losses, b.losses);
}

Trained Train(const Network& network, const HybridizeOptions& options, int steps,
              int64_t batch_size = 8) {
  const auto net = Ready(network);
  net->Hybridize(options);
  SoftmaxCrossEntropyLoss loss;
  Trainer trainer(net->CollectParameters(),
                  std::make_unique<Adam>(AdamOptions{.learning_rate = 0.01}));
  const Batch batch = MakeBatch(network, batch_size);
  random::Seed(31);
  Trained result;
  for (int step = 0; step < steps; ++step) {
    Tensor l;
    {
      RecordScope record;
      l = loss((*net)(batch.x), batch.labels);
    }
    Backward(l);
    trainer.Step(batch_size);
    result.losses.push_back(Item(Mean(l)));
  }
  // Names count blocks that were made: those of the second run differ in their numbers.
  int index = 0;
  for (const ParameterPtr& p : net->CollectParameters()) {
    result.parameters[absl::StrCat(index++)] = ToVector(p->Data());
  }
  return result;
}

float Average(const std::vector<float>& values, int begin, int end) {
  return std::accumulate(values.begin() + begin, values.begin() + end, 0.0f) /
         static_cast<float>(end - begin);
}

const HybridizeOptions kImperative{.active = false};
const HybridizeOptions kStatic{.static_alloc = true, .static_shape = true};

class TrainingTest : public testing::TestWithParam<Network> {};

// R20 R26 R71
TEST_P(TrainingTest, TheSameSeedGivesTheSameBitsInEveryMode) {
  const Trained eager = Train(GetParam(), kImperative, 5);
  EXPECT_TRUE(SameTraining(Train(GetParam(), kImperative, 5), eager));
  EXPECT_TRUE(SameTraining(Train(GetParam(), {}, 5), eager));
  EXPECT_TRUE(SameTraining(Train(GetParam(), kStatic, 5), eager));
}

TEST_P(TrainingTest, TheNumberOfThreadsDoesNotMatter) {
  BackendRegistry& backends = BackendRegistry::Global();
  ASSERT_TRUE(backends.Open("cpu:0").ok());
  std::vector<Trained> results;
  for (const char* threads : {"1", "2", "5"}) {
    ASSERT_TRUE(backends.SetOption("cpu", "threads", threads).ok());
    results.push_back(Train(GetParam(), kImperative, 2, 33));
    results.push_back(Train(GetParam(), kStatic, 2, 33));
  }
  for (size_t i = 1; i < results.size(); ++i)
    EXPECT_TRUE(SameTraining(results[i], results[0])) << i;
}

TEST_P(TrainingTest, TheLossFalls) {
  const Trained trained = Train(GetParam(), {}, 80);
  // Dropout makes single steps uneven.
  const float first = Average(trained.losses, 0, 5), last = Average(trained.losses, 75, 80);
  EXPECT_LT(last, first / 2) << "from " << first;
}

// One compiled program, many threads.
TEST_P(TrainingTest, EightThreadsCallOneCompiledNetwork) {
  const auto net = Ready(GetParam());
  net->Hybridize(kStatic);
  const Batch batch = MakeBatch(GetParam(), 4);
  const std::vector<float> expected = ToVector((*net)(batch.x));
  std::vector<int> wrong(8, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int call = 0; call < 20; ++call) {
        wrong[t] += !SameBits(ToVector((*net)(batch.x)), expected);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8, 0));
  EXPECT_EQ(net->function()->stats().traces, 1);
}

INSTANTIATE_TEST_SUITE_P(Networks, TrainingTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
