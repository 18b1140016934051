// Training on a Vulkan device: the CPU's random numbers to the bit, the CPU's losses within rounding,
// and the same bits in every mode.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tandem/tests/e2e/vulkan_fixture.h"

namespace tandem {
namespace {

const HybridizeOptions kImperative{.active = false};
const HybridizeOptions kStatic{.static_alloc = true, .static_shape = true};

struct TrainOptions {
  HybridizeOptions hybridize = kImperative;
  int steps = 6;
  int64_t batch_size = 8;
  uint32_t perturbation = 0;  // 0: none
};

struct Trained {
  std::vector<float> losses;
  std::vector<std::vector<float>> parameters;
};

Trained Train(const Network& network, Device& device, const TrainOptions& options) {
  const DeviceScope scope(device);
  const auto net = Ready(network);
  if (options.perturbation != 0) Perturb(*net, options.perturbation);
  net->Hybridize(options.hybridize);
  SoftmaxCrossEntropyLoss loss;
  Trainer trainer(net->CollectParameters(),
                  std::make_unique<SGD>(SGDOptions{.learning_rate = 0.02}));
  random::Seed(31);
  Trained result;
  for (int step = 0; step < options.steps; ++step) {
    const Batch batch = MakeBatch(network, options.batch_size, /*seed=*/100 + 17 * step);
    random::Seed(1000 + step);
    Tensor l;
    {
      RecordScope record;
      l = loss((*net)(batch.x), batch.labels);
    }
    Backward(l);
    trainer.Step(options.batch_size);
    for (const float value : ToVector(l)) result.losses.push_back(value);
  }
  result.parameters = OrderedValues(*net);
  return result;
}

class VulkanTrainingTest : public VulkanTest, public testing::WithParamInterface<Network> {};

TEST_P(VulkanTrainingTest, FirstWeightsAndBatchesAreTheCpus) {
  std::vector<std::vector<float>> parameters[2];
  std::vector<float> batch[2];
  for (Device* device : {&cpu(), &gpu()}) {
    const DeviceScope scope(*device);
    random::Seed(5);
    const auto net = GetParam().make();
    net->Initialize(init::Xavier());
    (*net)(MakeBatch(GetParam(), 2).x);
    parameters[device == &gpu()] = OrderedValues(*net);
    batch[device == &gpu()] = ToVector(MakeBatch(GetParam(), 3).x);
    EXPECT_EQ(net->CollectParameters()[0]->Data().device(), device);
  }
  EXPECT_TRUE(SameBits(parameters[0], parameters[1]));
  EXPECT_TRUE(SameBits(batch[0], batch[1]));
}

TEST_P(VulkanTrainingTest, LossesFollowTheCpus) {
  const Trained expected = Train(GetParam(), cpu(), {});
  const Trained actual = Train(GetParam(), gpu(), {});
  ASSERT_EQ(actual.losses.size(), expected.losses.size());
  // How far rounding may have carried the losses by each step: steps only add to it. It grows by
  // orders of magnitude at once where a max-pooling or a relu decides otherwise.
  std::vector<double> reach(expected.losses.size(), 0.0);
  for (uint32_t trial = 1; trial <= kPerturbationTrials; ++trial) {
    const Trained changed = Train(GetParam(), cpu(), {.perturbation = trial});
    for (size_t i = 0; i < reach.size(); ++i) {
      reach[i] = std::max<double>(reach[i], std::abs(changed.losses[i] - expected.losses[i]));
    }
  }
  double bound = 0;
  double first_bound = 0;
  double largest = 0;
  for (size_t i = 0; i < reach.size(); ++i) {
    bound = std::max(bound, kPerturbationFactor * reach[i]);
    if (i < static_cast<size_t>(TrainOptions().batch_size)) first_bound = bound;
    const double difference = std::abs(actual.losses[i] - expected.losses[i]);
    EXPECT_LE(difference, bound) << "loss " << i << " is " << actual.losses[i] << ", the CPU's "
                                 << expected.losses[i];
    largest = std::max(largest, difference);
  }
  std::cout << GetParam().name << ": largest difference of a loss " << largest << ", bound "
            << first_bound << " in the first step, " << bound << " in the last\n";
}

TEST_P(VulkanTrainingTest, EveryModeGivesTheSameBits) {
  const Trained eager = Train(GetParam(), gpu(), {.steps = 3});
  const auto expect_same = [&](const Trained& other, const char* mode) {
    EXPECT_TRUE(SameBits(other.losses, eager.losses)) << mode;
    EXPECT_TRUE(SameBits(other.parameters, eager.parameters)) << mode;
  };
  expect_same(Train(GetParam(), gpu(), {.steps = 3}), "imperative again");
  expect_same(Train(GetParam(), gpu(), {.hybridize = {}, .steps = 3}), "hybridized");
  expect_same(Train(GetParam(), gpu(), {.hybridize = kStatic, .steps = 3}), "static");
}

TEST_P(VulkanTrainingTest, CompiledStepsAreEagerOnesBitForBit) {
  const DeviceScope scope(gpu());
  const auto net = Ready(GetParam());
  for (const int64_t size : {1, 7}) {
    const Batch batch = MakeBatch(GetParam(), size);
    for (const bool training : {false, true}) {
      net->Hybridize(false);
      const Observed eager = Step(*net, batch, training);
      EXPECT_FALSE(eager.gradients.empty());
      for (const bool is_static : {false, true}) {
        net->Hybridize({.static_alloc = is_static, .static_shape = is_static});
        for (int call = 0; call < 2; ++call) {
          const Observed compiled = Step(*net, batch, training);
          const std::string what = absl::StrCat("batch ", size, training ? ", training" : "",
                                                is_static ? ", static" : "", ", call ", call);
          EXPECT_TRUE(SameBits(compiled.output, eager.output)) << what;
          EXPECT_TRUE(SameBits(compiled.input_gradient, eager.input_gradient)) << what;
          EXPECT_TRUE(SameBits(compiled.gradients, eager.gradients)) << what;
          EXPECT_TRUE(SameBits(compiled.parameters, eager.parameters)) << what;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, VulkanTrainingTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

class VulkanRandomTest : public VulkanTest {};

// R20
TEST_F(VulkanRandomTest, DropoutMasksAreTheCpus) {
  for (const int64_t size : {1, 3, 64, 1000, 4099}) {
    for (const bool compiled : {false, true}) {
      std::vector<float> masks[2];
      for (Device* device : {&cpu(), &gpu()}) {
        const DeviceScope scope(*device);
        nn::Dropout dropout(0.3);
        if (compiled) dropout.Hybridize(kStatic);
        random::Seed(9);
        const Tensor x = Ones({size});
        const RecordScope record;
        for (int call = 0; call < 3; ++call) {
          for (const float value : ToVector(dropout(x))) {
            masks[device == &gpu()].push_back(value);
          }
        }
      }
      EXPECT_TRUE(SameBits(masks[0], masks[1])) << size << (compiled ? ", compiled" : "");
    }
  }
}

TEST_F(VulkanRandomTest, DrawsAreTheCpus) {
  std::vector<float> draws[2];
  for (Device* device : {&cpu(), &gpu()}) {
    const DeviceScope scope(*device);
    random::Seed(12345);
    for (const Tensor& x : {RandomUniform({1001}, -3, 5), RandomNormal({1001}, 1, 2),
                            RandomBernoulli({1001}, 0.25), RandomUniform({7})}) {
      for (const float value : ToVector(x)) draws[device == &gpu()].push_back(value);
    }
  }
  EXPECT_TRUE(SameBits(draws[0], draws[1]));
}

}  // namespace
}  // namespace tandem
