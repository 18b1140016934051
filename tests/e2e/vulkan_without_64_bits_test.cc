// A device without 64-bit integers and floating point: networks of 32-bit dtypes run and learn, labels
// may be i64, and what needs 64 bits is an error that names the op, the dtypes and the device.

#include "tandem/tests/e2e/vulkan_fixture.h"

namespace tandem {
namespace {

// The environment is set up before the first test opens the device.
class Without64Bits : public testing::Environment {
 public:
  void SetUp() override {
    const absl::Status status =
        BackendRegistry::Global().SetOption("vulkan", "disable", "float64,int64");
    ASSERT_TRUE(status.ok()) << status;
  }
};
[[maybe_unused]] const testing::Environment* const kWithout64Bits =
    testing::AddGlobalTestEnvironment(new Without64Bits);

class VulkanWithout64BitsTest : public VulkanTest {
 protected:
  // What `call` says that the device lacks a kernel for.
  template <typename Fn>
  static std::string Unimplemented(Fn&& call) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.status().code(), absl::StatusCode::kUnimplemented) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "there was no error";
    return "";
  }
};

TEST_F(VulkanWithout64BitsTest, ErrorsNameOpDTypesAndDevice) {
  const DeviceScope scope(gpu());
  const Tensor x = RandomNormal({5});
  const Tensor labels = Array<int64_t>({1, 0, 2, 1, 4});
  EXPECT_THAT(Unimplemented([&] { Cast(labels, DType::kF32); }),
              testing::AllOf(testing::HasSubstr("cast(i64[5] vulkan:0) to f32[5]"),
                             testing::HasSubstr("no kernel on vulkan:0")));
  EXPECT_THAT(Unimplemented([&] { Pow(x, x); }),
              testing::HasSubstr("pow(f32[5] vulkan:0, f32[5] vulkan:0)"));
}

// The loss has a kernel, its gradient compares labels as i64. The step fails as a whole, and changes
// nothing.
TEST_F(VulkanWithout64BitsTest, TheGradientOfCrossEntropyIsAnError) {
  const DeviceScope scope(gpu());
  const auto net = Ready(Networks()[0]);
  const Batch batch = MakeBatch(Networks()[0], 3);
  const std::vector<std::vector<float>> before = OrderedValues(*net);
  for (const bool hybrid : {false, true}) {
    net->Hybridize({.active = hybrid});
    Trainer trainer(net->CollectParameters(), std::make_unique<Adam>());
    SoftmaxCrossEntropyLoss loss;
    EXPECT_THAT(Unimplemented([&] {
                  Tensor l;
                  {
                    RecordScope record;
                    l = loss((*net)(batch.x), batch.labels);
                  }
                  Backward(l);
                  trainer.Step(3);
                }),
                testing::AllOf(testing::HasSubstr("gradient of cross_entropy"),
                               testing::HasSubstr("i64"), testing::HasSubstr("vulkan:0")));
    EXPECT_TRUE(SameBits(OrderedValues(*net), before));
  }
}

TEST_F(VulkanWithout64BitsTest, OtherLossesLearn) {
  const DeviceScope scope(gpu());
  const auto net = Ready(Networks()[0]);
  net->Hybridize({.static_alloc = true, .static_shape = true});
  const Tensor x = MakeBatch(Networks()[0], 3).x;
  const Tensor target = RandomNormal({3, Networks()[0].classes});
  Trainer trainer(net->CollectParameters(), std::make_unique<Adam>());
  L2Loss loss;
  std::vector<float> sums;
  for (int i = 0; i < 8; ++i) {
    Tensor l;
    {
      RecordScope record;
      l = loss((*net)(x), target);
    }
    Backward(l);
    trainer.Step(3);
    float& sum = sums.emplace_back(0);
    for (float value : ToVector(l)) sum += value;
  }
  EXPECT_LT(sums.back(), 0.5 * sums.front());
}

}  // namespace
}  // namespace tandem
