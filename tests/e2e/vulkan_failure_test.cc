// A device that has no memory left, at any moment of a step: an error, no crash, no hang, nothing lost,
// and the next step works.

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/tests/e2e/vulkan_fixture.h"

namespace tandem {
namespace {

struct Mode {
  std::string name;
  HybridizeOptions options;
  friend void PrintTo(const Mode& mode, std::ostream* out) { *out << mode.name; }
};

class VulkanFailureTest : public VulkanTest, public testing::WithParamInterface<Mode> {
 protected:
  // The k-th creation from now fails: once, which the device can make up for by waiting for memory, or
  // all after it too. 0: none.
  static void FailAllocation(int k, bool lasting = false) {
    // Memory that is at hand needs no creation.
    static_cast<vulkan_backend::VulkanDevice&>(gpu()).allocator().Trim();
    Check(BackendRegistry::Global().SetOption("vulkan", "fail_allocation",
                                              absl::StrCat(k, lasting ? "+" : "")));
  }
};

struct Outcome {
  std::vector<float> loss;
  std::vector<std::vector<float>> parameters;
};

// A whole training step on fresh weights: forward, backward, update.
Outcome TrainingStep(const HybridizeOptions& options) {
  const Network& network = Networks()[2];
  random::Seed(8);
  std::unique_ptr<HybridBlock> net = network.make();
  net->Initialize(init::Xavier());
  const Batch batch = MakeBatch(network, 3);
  net->Hybridize(options);
  Trainer trainer(net->CollectParameters(), std::make_unique<Adam>());
  SoftmaxCrossEntropyLoss loss;
  random::Seed(9);
  Tensor l;
  {
    RecordScope record;
    l = loss((*net)(batch.x), batch.labels);
  }
  Backward(l);
  trainer.Step(3);
  return {ToVector(l), OrderedValues(*net)};
}

TEST_P(VulkanFailureTest, TheKthAllocationOfAStepFails) {
  const DeviceScope scope(gpu());
  const Outcome expected = TrainingStep(GetParam().options);
  WaitAll();
  const int64_t in_use = gpu().allocator().stats().bytes_in_use;
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    const int k = i / 2 + 1;
    const bool lasting = i % 2 == 1;
    FailAllocation(k, lasting);
    std::string error;
    absl::StatusCode code = absl::StatusCode::kOk;
    try {
      const Outcome seen = TrainingStep(GetParam().options);
      EXPECT_TRUE(SameBits(seen.loss, expected.loss)) << "with failure " << k;
      EXPECT_TRUE(SameBits(seen.parameters, expected.parameters)) << "with failure " << k;
    } catch (const Error& e) {
      error = e.what();
      code = e.status().code();
    }
    FailAllocation(0);
    if (!error.empty()) {
      ++failed;
      EXPECT_EQ(code, absl::StatusCode::kResourceExhausted) << k << ": " << error;
    }
    // What was queued before the failure may still run, and its errors come with a wait.
    try {
      WaitAll();
    } catch (const Error& e) {
      if (error.empty()) ++failed;
    }
    const Outcome next = TrainingStep(GetParam().options);
    EXPECT_TRUE(SameBits(next.loss, expected.loss)) << "after failure " << k;
    EXPECT_TRUE(SameBits(next.parameters, expected.parameters)) << "after failure " << k;
    WaitAll();
    EXPECT_EQ(gpu().allocator().stats().bytes_in_use, in_use) << "after failure " << k;
  }
  // A device that never fails would pass.
  EXPECT_GT(failed, 10);
  std::cout << GetParam().name << ": " << failed << " of 100 steps failed\n";
}

// The tensors that a compiled network keeps are worth as much as before.
TEST_P(VulkanFailureTest, ANetworkSurvives) {
  const DeviceScope scope(gpu());
  const auto net = Ready(Networks()[0]);
  const Tensor x = MakeBatch(Networks()[0], 2).x;
  net->Hybridize(GetParam().options);
  const std::vector<float> expected = ToVector((*net)(x));
  for (int i = 0; i < 24; ++i) {
    const int k = i / 2 + 1;
    FailAllocation(k, /*lasting=*/i % 2 == 1);
    std::vector<float> seen;
    try {
      seen = ToVector((*net)(x));
    } catch (const Error& e) {
      EXPECT_EQ(e.status().code(), absl::StatusCode::kResourceExhausted) << k << ": " << e.what();
    }
    FailAllocation(0);
    // Work that could not be submitted is told of again, by one wait.
    try {
      WaitAll();
    } catch (const Error& e) {
      EXPECT_EQ(e.status().code(), absl::StatusCode::kResourceExhausted) << k << ": " << e.what();
    }
    if (!seen.empty()) {
      EXPECT_TRUE(SameBits(seen, expected)) << k;
    }
    EXPECT_TRUE(SameBits(ToVector((*net)(x)), expected)) << "after failure " << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, VulkanFailureTest,
                         testing::Values(Mode{"Eager", {.active = false}}, Mode{"Hybridized", {}},
                                         Mode{"Static",
                                              {.static_alloc = true, .static_shape = true}}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
