// A device that is lost at any moment of a training step: an error that says so, now and ever after,
// no hang, and the process goes on with the CPU. A lost device stays lost, so every loss happens in a
// process of its own.

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <functional>

#include "tandem/tests/e2e/vulkan_fixture.h"

namespace tandem {
namespace {

constexpr unsigned kHangSeconds = 120;

// What of a step comes next when the device is lost.
enum class Before { kForward, kBackward, kUpdate, kRead };

struct Loss {
  std::string name;
  HybridizeOptions options;
  Before before;
  friend void PrintTo(const Loss& loss, std::ostream* out) { *out << loss.name; }
};

absl::StatusCode CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.status().code();
  }
  return absl::StatusCode::kOk;
}

// A network in training, and a step of it that can be interrupted.
class Training {
 public:
  explicit Training(const HybridizeOptions& options)
      : batch_(MakeBatch(Networks()[0], 3)),
        net_(Ready(Networks()[0])),
        trainer_(net_->CollectParameters(), std::make_unique<Adam>()) {
    net_->Hybridize(options);
  }

  // The loss; `interrupt` is called before each part.
  float Step(const std::function<void(Before)>& interrupt) {
    interrupt(Before::kForward);
    Tensor l;
    {
      RecordScope record;
      l = loss_((*net_)(batch_.x), batch_.labels);
    }
    interrupt(Before::kBackward);
    Backward(l);
    interrupt(Before::kUpdate);
    trainer_.Step(3);
    interrupt(Before::kRead);
    float sum = 0;
    for (float value : ToVector(l)) sum += value;
    return sum;
  }
  HybridBlock& net() { return *net_; }
  const Tensor& x() const { return batch_.x; }

 private:
  Batch batch_;
  std::unique_ptr<HybridBlock> net_;
  Trainer trainer_;
  SoftmaxCrossEntropyLoss loss_;
};

// Ends the process with 0 if all is as it should be.
[[noreturn]] void LoseTheDevice(const Loss& loss) {
  alarm(kHangSeconds);
  {
    const DeviceScope scope(OpenDevice("vulkan:0"));
    Training training(loss.options);
    // Traced, and run again.
    for (int i = 0; i < 2; ++i) training.Step([](Before) {});
    const absl::StatusCode code = CodeOf([&] {
      training.Step([&](Before next) {
        if (next != loss.before) return;
        Check(BackendRegistry::Global().SetOption("vulkan", "lose_device", "1"));
      });
    });
    EXPECT_EQ(code, absl::StatusCode::kUnavailable) << "in the step";
    const std::pair<const char*, std::function<void()>> calls[] = {
        {"the next step", [&] { training.Step([](Before) {}); }},
        {"inference", [&] { ToVector(training.net()(training.x())); }},
        {"reading a parameter", [&] { ToVector(training.net().CollectParameters()[0]->Data()); }},
        {"a new tensor", [] { ToVector(RandomNormal({64})); }},
    };
    for (const auto& [what, call] : calls) {
      EXPECT_EQ(CodeOf(call), absl::StatusCode::kUnavailable) << what;
    }
    CodeOf([] { WaitAll(); });  // may tell of it, and must return
  }
  EXPECT_THAT(vulkan_backend::ValidationLog::Global().Take(), testing::IsEmpty());
  const DeviceScope scope(OpenDevice("cpu:0"));
  Training training(loss.options);
  const float first = training.Step([](Before) {});
  float last = first;
  for (int i = 0; i < 10; ++i) last = training.Step([](Before) {});
  EXPECT_TRUE(std::isfinite(first));
  EXPECT_LT(last, first) << "the CPU does not learn";
  std::exit(testing::Test::HasFailure() ? EXIT_FAILURE : EXIT_SUCCESS);
}

class VulkanDeviceLossTest : public VulkanTest, public testing::WithParamInterface<Loss> {};

TEST_P(VulkanDeviceLossTest, TheProcessGoesOn) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(LoseTheDevice(GetParam()), testing::ExitedWithCode(EXIT_SUCCESS), "");
}

std::vector<Loss> Losses() {
  std::vector<Loss> losses;
  for (const auto& [mode, options] :
       {std::pair<std::string, HybridizeOptions>{"Eager", {.active = false}},
        {"Hybridized", {}},
        {"Static", {.static_alloc = true, .static_shape = true}}}) {
    losses.push_back({mode + "Forward", options, Before::kForward});
    losses.push_back({mode + "Backward", options, Before::kBackward});
    losses.push_back({mode + "Update", options, Before::kUpdate});
    losses.push_back({mode + "Read", options, Before::kRead});
  }
  return losses;
}

INSTANTIATE_TEST_SUITE_P(Moments, VulkanDeviceLossTest, testing::ValuesIn(Losses()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
