// A network that goes between the CPU and a Vulkan device: exported, saved, moved, and both in one
// program.

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tandem/tests/e2e/vulkan_fixture.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class VulkanExchangeTest : public VulkanTest, public testing::WithParamInterface<Network> {
 protected:
  void SetUp() override {
    VulkanTest::SetUp();
    folder_ = absl::StrCat(testing::TempDir(), "/vulkan_exchange_", GetParam().name, "/");
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    VulkanTest::TearDown();
    std::filesystem::remove_all(folder_);
  }

  // How far rounding may carry the outputs of `net` for `x`, both of one device.
  static double Reach(Block& net, const Tensor& x) {
    const ParameterList parameters = net.CollectParameters();
    const std::vector<std::vector<float>> before = OrderedValues(net);
    const std::vector<float> expected = ToVector(net(x));
    double reach = 0;
    for (uint32_t trial = 1; trial <= kPerturbationTrials; ++trial) {
      Perturb(net, trial);
      reach = std::max(reach, LargestDifference(ToVector(net(x)), expected));
      for (size_t i = 0; i < before.size(); ++i) {
        const Shape shape = parameters[i]->shape();
        parameters[i]->SetData(
            Array<float>(before[i], IntList(shape), parameters[i]->Data().device()));
      }
    }
    return kPerturbationFactor * reach;
  }

  std::string folder_;
};

std::vector<float> PredictOn(Device& device, Block& net, const Tensor& x) {
  const DeviceScope scope(device);
  return ToVector(net(To(x, device)));
}

TEST_P(VulkanExchangeTest, AnExportMadeOnOneDevicePredictsOnTheOther) {
  for (Device* from : {&cpu(), &gpu()}) {
    Device* const to = from == &cpu() ? &gpu() : &cpu();
    const DeviceScope scope(*from);
    const auto net = Ready(GetParam());
    const std::string prefix = folder_ + (from == &cpu() ? "cpu" : "gpu");
    net->Export(prefix);
    const auto there =
        SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params", to);
    const auto here =
        SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params", from);
    for (const int64_t size : {1, 7, 16}) {
      const Tensor x = MakeBatch(GetParam(), size).x;
      const std::vector<float> expected = ToVector((*net)(x));
      EXPECT_TRUE(SameBits(ToVector(here(x)), expected)) << "the same device";
      const double bound = Reach(*net, x);
      EXPECT_GT(bound, 0);
      for (const bool hybridized : {false, true}) {
        there->Hybridize(hybridized);
        const double difference = LargestDifference(PredictOn(*to, *there.ptr(), x), expected);
        EXPECT_LE(difference, bound) << "batch " << size << " to " << to->id().ToString();
      }
    }
  }
}

TEST_P(VulkanExchangeTest, ParametersAndTrainersAreSavedOnOneAndLoadedOnTheOther) {
  const auto step = [](Block& net, Trainer& trainer, const Batch& batch) {
    SoftmaxCrossEntropyLoss loss;
    random::Seed(3);
    Tensor l;
    {
      RecordScope record;
      l = loss(net(batch.x), batch.labels);
    }
    Backward(l);
    trainer.Step(batch.x.shape()[0]);
  };
  const auto trainer_of = [](const Block& net) {
    return std::make_unique<Trainer>(net.CollectParameters(), std::make_unique<Adam>());
  };
  for (Device* from : {&cpu(), &gpu()}) {
    Device* const to = from == &cpu() ? &gpu() : &cpu();
    std::vector<std::vector<float>> saved;
    std::string names;
    {
      const DeviceScope scope(*from);
      const auto net = Ready(GetParam());
      net->SetName("net");
      const auto trainer = trainer_of(*net);
      step(*net, *trainer, MakeBatch(GetParam(), 4));
      net->SaveParameters(folder_ + "p");
      trainer->SaveStates(folder_ + "t");
      saved = OrderedValues(*net);
    }
    const DeviceScope scope(*to);
    const auto net = Ready(GetParam(), /*seed=*/6);
    EXPECT_FALSE(SameBits(OrderedValues(*net), saved));
    net->LoadParameters(folder_ + "p");
    EXPECT_TRUE(SameBits(OrderedValues(*net), saved));
    for (const ParameterPtr& p : net->CollectParameters()) EXPECT_EQ(p->Data().device(), to);
    // Saved again, the bytes are the same.
    net->SaveParameters(folder_ + "p2");
    const auto again = Ready(GetParam(), /*seed=*/7);
    again->LoadParameters(folder_ + "p2");
    EXPECT_TRUE(SameBits(OrderedValues(*again), saved));
  }
}

TEST_P(VulkanExchangeTest, ANetworkMovesAndTrainsOn) {
  random::Seed(5);
  const auto net = Ready(GetParam());  // on the CPU
  Trainer trainer(net->CollectParameters(), std::make_unique<Adam>());
  SoftmaxCrossEntropyLoss loss;
  const Batch batch = MakeBatch(GetParam(), 4);
  net->Hybridize();
  const auto step = [&](Device& device) {
    const DeviceScope scope(device);
    Tensor l;
    {
      RecordScope record;
      l = loss((*net)(To(batch.x, device)), To(batch.labels, device));
    }
    Backward(l);
    trainer.Step(4);
    return Item(Mean(l));
  };
  const float first = step(cpu());
  const std::vector<std::vector<float>> before = OrderedValues(*net);
  net->MoveTo(gpu());
  EXPECT_TRUE(SameBits(OrderedValues(*net), before));
  for (const ParameterPtr& p : net->CollectParameters()) EXPECT_EQ(p->Data().device(), &gpu());
  std::string error = "(none)";
  try {
    (*net)(batch.x);
  } catch (const Error& e) {
    error = e.what();
  }
  EXPECT_THAT(error, AllOf(HasSubstr("cpu:0"), HasSubstr("vulkan:0"), HasSubstr("copy")));
  for (int i = 0; i < 20; ++i) step(gpu());
  net->MoveTo("cpu:0");
  EXPECT_LT(step(cpu()), first);
}

INSTANTIATE_TEST_SUITE_P(Networks, VulkanExchangeTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

class VulkanTensorTest : public VulkanTest {};

TEST_F(VulkanTensorTest, ValuesComeBackAsTheyWere) {
  const DeviceScope scope(gpu());
  std::vector<float> special = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, 3.4e38f};
  EXPECT_TRUE(SameBits(ToVector(Array(special)), special));
  EXPECT_EQ(ToVector<bool>(Array<bool>({true, false, true})),
            (std::vector<bool>{true, false, true}));
  EXPECT_EQ(ToVector<int64_t>(Array<int64_t>({INT64_MIN, -1, INT64_MAX})),
            (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX}));
  EXPECT_EQ(ToVector<uint8_t>(Array<uint8_t>({1, 2, 255})), (std::vector<uint8_t>{1, 2, 255}));
  EXPECT_EQ(Zeros({0, 3}).shape(), Shape({0, 3}));
  // More than two staging buffers hold.
  std::vector<float> many(10 << 20);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i);
  EXPECT_TRUE(SameBits(ToVector(Array(many)), many));
}

TEST_F(VulkanTensorTest, GradientsCrossDevices) {
  const Tensor x = Array({1, 2, 3});
  const Tensor w = Array({4, 5, 6}, {3}, &gpu());
  RequireGrad(x);
  RequireGrad(w);
  Tensor y;
  {
    RecordScope record;
    y = To(To(x, gpu()) * w, "cpu:0") * x;
  }
  EXPECT_EQ(y.device(), &cpu());
  Backward(y);
  EXPECT_EQ(ToVector(GradOf(x)), (std::vector<float>{8, 20, 36}));
  EXPECT_EQ(GradOf(w).device(), &gpu());
  EXPECT_EQ(ToVector(GradOf(w)), (std::vector<float>{1, 4, 9}));
}

TEST_F(VulkanTensorTest, InputsOnTwoDevicesAreAnErrorWithTheRemedy) {
  std::string error = "(none)";
  try {
    Array({1, 2}) + Array({1, 2}, {2}, &gpu());
  } catch (const Error& e) {
    error = e.what();
  }
  EXPECT_THAT(error, AllOf(HasSubstr("cpu:0"), HasSubstr("vulkan:0"), HasSubstr("To(x")));
}

// R60
TEST_F(VulkanTensorTest, TheHostDoesNotWaitForTheDevice) {
  const Tensor x = To(Full({256, 256}, 0.001f), gpu());
  Stream& stream = gpu().default_stream();
  // A host that was kept from its processor for long may find all done: then once more.
  bool was_ahead = false;
  for (int attempt = 0; attempt < 20 && !was_ahead; ++attempt) {
    Tensor y = x;
    for (int i = 0; i < 20; ++i) y = MatMul(y, x);
    const TimelinePoint done = stream.Now();
    // The CPU's turn, while the other device has its own.
    const Tensor on_cpu = Array({1, 2, 3, 4}) * 2;
    EXPECT_EQ(ToVector(on_cpu), (std::vector<float>{2, 4, 6, 8}));
    was_ahead = !stream.Reached(done);
    WaitAll();
    EXPECT_TRUE(stream.Reached(done));
  }
  EXPECT_TRUE(was_ahead);
}

// R60
TEST_F(VulkanTensorTest, TwoDevicesWorkForOneThread) {
  // Turn by turn, the CPU and the other device; each result is needed by the next step of both.
  Tensor on_cpu = Array({1, 2, 3, 4});
  Tensor on_gpu = To(on_cpu, gpu());
  for (int i = 0; i < 50; ++i) {
    const Tensor c = on_cpu * 2 - 1;
    const Tensor g = on_gpu + 3;
    on_cpu = c * 0.5f + To(g, cpu()) * 0.25f;
    on_gpu = To(c, gpu()) * 0.5f + g * 0.25f;
  }
  // Products by powers of two and few sums: exact, so equal.
  EXPECT_EQ(ToVector(on_cpu), ToVector(on_gpu));
}

}  // namespace
}  // namespace tandem
