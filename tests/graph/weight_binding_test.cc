// Weights are bound to a compiled function until one of them changes.

#include <atomic>
#include <thread>

#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

class CountingObserver final : public VariableObserver {
 public:
  Ref<const RefCounted> OnChange() override {
    ++changes;
    return nullptr;
  }
  int changes = 0;
};

TEST(VariableObserverTest, IsToldOnce) {
  const auto first = MakeRef<Variable>("first");
  const auto second = MakeRef<Variable>("second");
  const auto observer = MakeRef<CountingObserver>();
  const auto other = MakeRef<CountingObserver>();
  first->Observe(*observer);
  first->Observe(*observer);
  second->Observe(*observer);
  first->Observe(*other);
  EXPECT_TRUE(first->Set(Tensor()).ok());
  EXPECT_TRUE(first->Set(Tensor()).ok());
  EXPECT_EQ(observer->changes, 1);
  EXPECT_EQ(other->changes, 1);
  second->Forget(*other);
  second->Forget(*observer);
  second->Forget(*observer);
  EXPECT_TRUE(observer->unique());
  EXPECT_TRUE(second->Set(Tensor()).ok());
  EXPECT_EQ(observer->changes, 1);
}

class WeightBindingTest : public HybridFixture {
 protected:
  // y = x * w
  Ref<HybridFunction> Scale(const Ref<Variable>& w, const HybridOptions& options) {
    auto function = HybridFunction::Create(
        "scale",
        [this, w](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
          TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
          TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], value}));
          return TensorList{y};
        },
        options);
    EXPECT_TRUE(function.ok()) << function.status();
    return *function;
  }
  float First(const absl::StatusOr<TensorList>& outputs) {
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    return outputs.ok() ? Values((*outputs)[0])[0] : -1;
  }

  const std::vector<HybridOptions> modes_ = {
      {}, {.static_alloc = true}, {.static_alloc = true, .static_shape = true}};
};

TEST_F(WeightBindingTest, TheNextCallSeesAChange) {
  for (const HybridOptions& options : modes_) {
    const auto w = MakeVariable("w", Array({2, 2}, {2}));
    const auto scale = Scale(w, options);
    const Tensor x = Array({3, 3}, {2});
    for (int call = 0; call < 3; ++call) EXPECT_EQ(First(Call(*scale, {&x, 1})), 6);
    ASSERT_TRUE(w->Set(Array({5, 5}, {2})).ok());
    for (int call = 0; call < 3; ++call) EXPECT_EQ(First(Call(*scale, {&x, 1})), 15);
    EXPECT_EQ(scale->stats().traces, 1);
    // Of another shape, and without a value.
    ASSERT_TRUE(w->Set(Array({7}, {1})).ok());
    EXPECT_EQ(First(Call(*scale, {&x, 1})), 21);
    EXPECT_EQ(scale->stats().traces, 2);
    ASSERT_TRUE(w->Set(Tensor()).ok());
    EXPECT_THAT(Call(*scale, {&x, 1}).status().ToString(), testing::HasSubstr("'w' has no value"));
    ASSERT_TRUE(w->Set(Array({8}, {1})).ok());
    EXPECT_EQ(First(Call(*scale, {&x, 1})), 24);
  }
}

TEST_F(WeightBindingTest, KeepsNoValueThatTheVariableGaveUp) {
  const auto w = MakeVariable("w", Random({1000}), /*grad=*/false);
  const Tensor x = Random({1000});
  Allocator& allocator = device_->allocator();
  // One function for each mode, all of them bound to the same weight.
  std::vector<Ref<HybridFunction>> functions;
  for (const HybridOptions& options : modes_) functions.push_back(Scale(w, options));
  for (const auto& function : functions) ASSERT_TRUE(Call(*function, {&x, 1}).ok());
  const int64_t before = allocator.stats().bytes_in_use;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(w->Set(Random({1000})).ok());
    EXPECT_EQ(allocator.stats().bytes_in_use, before);
    for (const auto& function : functions) ASSERT_TRUE(Call(*function, {&x, 1}).ok());
    EXPECT_EQ(allocator.stats().bytes_in_use, before);
  }
  // Functions that are gone, and entries that were forgotten, hold nothing either.
  functions[0]->Clear();
  functions.resize(1);
  const int64_t without = allocator.stats().bytes_in_use;
  ASSERT_TRUE(w->Set(Tensor()).ok());
  EXPECT_LE(allocator.stats().bytes_in_use, without - 4000);
}

TEST_F(WeightBindingTest, ArgumentsInAnyOrderAndRandomState) {
  const auto w = MakeVariable("w", Array({10, 20}, {2}), /*grad=*/false);
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("sub", {in[2], in[0]}));
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    TANDEM_ASSIGN_OR_RETURN(y, Op("mul", {y, value}));
    if (!IsTraining()) return TensorList{y};
    TANDEM_ASSIGN_OR_RETURN(RandomState state, NextRandom(*device_, 1));
    TANDEM_ASSIGN_OR_RETURN(
        y, Op("dropout", {y, state.state}, {{"rate", 0.5}, {"delta", state.delta}}));
    return TensorList{y};
  };
  const std::vector<Tensor> x = {Array({1, 2}, {2}), Array({0, 0}, {2}), Array({4, 6}, {2})};
  for (const HybridOptions& options : modes_) {
    auto function = *HybridFunction::Create("mixed", body, options);
    for (int call = 0; call < 3; ++call) {
      EXPECT_EQ(Values((*Call(*function, x))[0]), (std::vector<float>{30, 80}));
    }
    const TrainingScope training(true);
    SeedRandom(3);
    std::vector<std::vector<float>> expected;
    for (int call = 0; call < 4; ++call) expected.push_back(Values((*body(x))[0]));
    SeedRandom(3);
    for (int call = 0; call < 4; ++call) {
      EXPECT_EQ(Values((*Call(*function, x))[0]), expected[call]) << call;
    }
  }
}

TEST_F(WeightBindingTest, ThreadsRunWhileAWeightChanges) {
  const auto w = MakeVariable("w", Array(std::vector<float>(64, 1.f), {64}), /*grad=*/false);
  const Tensor x = Array(std::vector<float>(64, 3.f), {64});
  for (const HybridOptions& options : modes_) {
    const auto scale = Scale(w, options);
    std::atomic<int> wrong{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        while (!done) {
          const auto y = Call(*scale, {&x, 1});
          const std::vector<float> values = y.ok() ? Values((*y)[0]) : std::vector<float>();
          // All of one weight, whichever.
          const bool whole = values.size() == 64 && (values == std::vector<float>(64, 3.f) ||
                                                     values == std::vector<float>(64, 6.f));
          if (!whole) ++wrong;
        }
      });
    }
    for (int i = 1; i <= 300; ++i) {
      const float value = 1.f + i % 2;
      if (!w->Set(Array(std::vector<float>(64, value), {64})).ok()) ++wrong;
      // What was set before a call is what the call sees.
      if (First(Call(*scale, {&x, 1})) != 3 * value) ++wrong;
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

// Whoever has set a weight sees that one at his next call, or a later one of somebody else's.
TEST_F(WeightBindingTest, WritersSeeWhatTheyWrote) {
  constexpr int kWriters = 3, kWrites = 400;
  for (const HybridOptions& options : modes_) {
    const auto w = MakeVariable("w", Array({0, 0}, {2}), /*grad=*/false);
    const auto scale = Scale(w, options);
    const Tensor one = Array({1, 1}, {2});
    EXPECT_EQ(First(Call(*scale, {&one, 1})), 0);
    std::atomic<int> finished[kWriters] = {};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([&, writer] {
        for (int i = 1; i <= kWrites; ++i) {
          int before[kWriters];
          for (int other = 0; other < kWriters; ++other) before[other] = finished[other];
          const float value = static_cast<float>(writer * kWrites + i);
          if (!w->Set(Array({value, value}, {2})).ok()) ++wrong;
          const int seen = static_cast<int>(First(Call(*scale, {&one, 1})));
          const int from = (seen - 1) / kWrites, number = (seen - 1) % kWrites + 1;
          if (seen < 1 || (from == writer ? number != i : number < before[from])) ++wrong;
          finished[writer] = i;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace tandem
