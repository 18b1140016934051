// Hybrid functions forward: the same bits as eager, and when user code runs.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class HybridForwardTest : public HybridFixture {
 protected:
  // relu(x·w1ᵀ + b1)·w2ᵀ + b2, with a softmax at the end.
  HybridFunction::Body Mlp() {
    w1_ = MakeVariable("w1", Random({17, 13}));
    b1_ = MakeVariable("b1", Random({17}));
    w2_ = MakeVariable("w2", Random({5, 17}));
    b2_ = MakeVariable("b2", Random({5}));
    return [this](absl::Span<const Tensor> inputs) -> absl::StatusOr<TensorList> {
      ++runs_;
      TANDEM_ASSIGN_OR_RETURN(Tensor w1, ReadVariable(*w1_));
      TANDEM_ASSIGN_OR_RETURN(Tensor b1, ReadVariable(*b1_));
      TANDEM_ASSIGN_OR_RETURN(Tensor w2, ReadVariable(*w2_));
      TANDEM_ASSIGN_OR_RETURN(Tensor b2, ReadVariable(*b2_));
      TANDEM_ASSIGN_OR_RETURN(Tensor h, Op("matmul", {inputs[0], w1}, {{"transpose_b", true}}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("add", {h, b1}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("relu", {h}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("matmul", {h, w2}, {{"transpose_b", true}}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("add", {h, b2}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("softmax", {h}));
      return TensorList{h};
    };
  }

  Ref<Variable> w1_, b1_, w2_, b2_;
  std::atomic<int> runs_{0};
};

// R26 R27 R28 R29
TEST_F(HybridForwardTest, SameBitsAsEagerAndTheBodyRunsOnce) {
  const HybridFunction::Body body = Mlp();
  for (const HybridOptions& options :
       {HybridOptions(), HybridOptions{.static_alloc = true}, StaticOptions()}) {
    Ref<HybridFunction> net = Hybrid(body, options);
    for (int call = 0; call < 3; ++call) {
      const Tensor x = Random({7, 13});
      runs_ = 0;
      const auto expected = body({&x, 1});
      ASSERT_TRUE(expected.ok()) << expected.status();
      EXPECT_EQ(runs_, 1);
      const auto actual = Call(*net, {&x, 1});
      ASSERT_TRUE(actual.ok()) << actual.status();
      EXPECT_EQ(runs_, call == 0 ? 2 : 1);
      ExpectSameBits((*actual)[0], (*expected)[0]);
      // Variables are read at each run.
      ASSERT_TRUE(w1_->Set(Random({17, 13})).ok());
    }
    EXPECT_EQ(net->stats().traces, 1);
    EXPECT_EQ(net->stats().hits, 2);
  }
}

// R35
TEST_F(HybridForwardTest, ANewShapeDTypeOrModeTracesOnce) {
  Ref<HybridFunction> net =
      Hybrid([this](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
        ++runs_;
        TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], in[0]}));
        return TensorList{y};
      });
  const Tensor a = Random({2, 3}), b = Random({4, 3});
  const Tensor c = *Op("cast", {a}, {{"dtype", DType::kF64}});
  for (int round = 0; round < 2; ++round) {
    for (const Tensor& x : {a, b, c}) ASSERT_TRUE(Call(*net, {&x, 1}).ok());
    TrainingScope training(true);
    ASSERT_TRUE(Call(*net, {&a, 1}).ok());
    EXPECT_EQ(runs_, 4);
  }
  const Explanation explanation = net->Explain();
  ASSERT_EQ(explanation.entries.size(), 4);
  EXPECT_EQ(explanation.entries[0].reason, "first call");
  EXPECT_THAT(explanation.entries[1].reason, HasSubstr("new shape [4,3], was [2,3]"));
  EXPECT_THAT(explanation.entries[2].reason, HasSubstr("new dtype f64, was f32"));
  EXPECT_THAT(explanation.entries[3].reason, HasSubstr("training mode, was inference"));
  EXPECT_THAT(explanation.ToText(), AllOf(HasSubstr("mul"), HasSubstr("arena")));
}

// R34
TEST_F(HybridForwardTest, StaticShapeAloneIsRefused) {
  const auto function = HybridFunction::Create("net", Mlp(), {.static_shape = true});
  EXPECT_EQ(function.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(function.status().ToString(), HasSubstr("static_shape needs static_alloc"));
}

TEST_F(HybridForwardTest, OutputsBelongToTheCaller) {
  for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
    Ref<HybridFunction> net = Hybrid(
        [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
          TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("relu", {in[0]}));
          TANDEM_ASSIGN_OR_RETURN(Tensor t, Op("transpose", {in[0]}));
          TANDEM_ASSIGN_OR_RETURN(Tensor r, Op("reshape", {y}, {{"shape", Dims{-1}}}));
          return TensorList{y, in[0], t, r, y};
        },
        options);
    const Tensor a = Array({1, -2, 3, -4, 5, -6}, {2, 3}), b = Array({9, 9, 9, 9, 9, 9}, {2, 3});
    const auto first = Call(*net, {&a, 1});
    ASSERT_TRUE(first.ok()) << first.status();
    const std::vector<float> relu = {1, 0, 3, 0, 5, 0};
    ASSERT_TRUE(Call(*net, {&b, 1}).ok());
    EXPECT_EQ(Values((*first)[0]), relu);
    EXPECT_EQ(Values((*first)[1]), Values(a));
    EXPECT_EQ(Values((*first)[2]), (std::vector<float>{1, -4, -2, 5, 3, -6}));
    EXPECT_EQ(Values((*first)[3]), relu);
    EXPECT_EQ(Values((*first)[4]), relu);
    // An output never is the memory of an input or of another output.
    for (size_t i = 0; i < first->size(); ++i) {
      EXPECT_NE((*first)[i].buffer(), a.buffer());
      for (size_t k = 0; k < i; ++k) EXPECT_NE((*first)[i].buffer(), (*first)[k].buffer());
    }
  }
}

TEST_F(HybridForwardTest, StridedInputs) {
  const HybridFunction::Body body = Mlp();
  Ref<HybridFunction> net = Hybrid(body, StaticOptions());
  const Tensor wide = Random({13, 9});
  const Tensor x = *Op("slice", {*Op("transpose", {wide})}, {{"begin", Dims{1}}, {"end", Dims{8}}});
  ASSERT_EQ(x.shape(), Shape({7, 13}));
  const auto expected = body({&x, 1});
  const auto actual = Call(*net, {&x, 1});
  ASSERT_TRUE(actual.ok()) << actual.status();
  ExpectSameBits((*actual)[0], (*expected)[0]);
}

// One element that stands for many is a constant to the CPU's programs, of which there is room for
// some hundred only: a chain that has more of them gets contiguous elements.
TEST_F(HybridForwardTest, AChainThatNoKernelTakesAsItsInputsLie) {
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(const Tensor x, Op("broadcast_to", {in[0]}, {{"shape", Dims{64}}}));
    Tensor y = x;
    for (int i = 0; i < 46; ++i) {
      TANDEM_ASSIGN_OR_RETURN(
          y, Op(i % 2 == 0 ? "pow" : "gelu", i % 2 == 0 ? std::vector{y, x} : std::vector{y}));
    }
    return TensorList{y};
  };
  const Tensor x = Array({1.5f}, {1});
  Ref<HybridFunction> net = Hybrid(body, StaticOptions());
  const auto y = Call(*net, {&x, 1});
  ASSERT_TRUE(y.ok()) << y.status();
  ExpectSameBits((*y)[0], (*body({&x, 1}))[0]);
  EXPECT_THAT(net->Explain().ToText(), HasSubstr("made contiguous"));
}

// An identity makes a strided value contiguous, which a kernel may notice.
TEST_F(HybridForwardTest, IdentitiesOfViewsKeepTheirBits) {
  const Tensor w = Random({5, 301});
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor t, Op("transpose", {in[0]}));
    TANDEM_ASSIGN_OR_RETURN(t, Op("identity", {t}));
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("matmul", {t, w}, {{"transpose_b", true}}));
    return TensorList{y};
  };
  for (const int64_t rows : {1, 2, 4, 9}) {
    const Tensor x = Random({301, rows});
    Ref<HybridFunction> net = Hybrid(body);
    const auto y = Call(*net, {&x, 1});
    ASSERT_TRUE(y.ok()) << y.status();
    ExpectSameBits((*y)[0], (*body({&x, 1}))[0], absl::StrCat(rows, " rows"));
  }
}

TEST_F(HybridForwardTest, EightThreadsRunOneFunction) {
  for (const HybridOptions& options :
       {HybridOptions(), HybridOptions{.static_alloc = true}, StaticOptions()}) {
    const HybridFunction::Body body = Mlp();
    Ref<HybridFunction> net = Hybrid(body, options);
    std::vector<Tensor> inputs, expected;
    for (int i = 0; i < 8; ++i) {
      inputs.push_back(Random({7, 13}));
      expected.push_back((*body({&inputs[i], 1}))[0]);
    }
    runs_ = 0;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        for (int call = 0; call < 50; ++call) {
          auto y = Call(*net, {&inputs[i], 1});
          if (!y.ok() || Bytes((*y)[0]) != Bytes(expected[i])) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    // Concurrent first calls: one traces, the others wait.
    EXPECT_EQ(runs_, 1);
  }
}

// R36
TEST_F(HybridForwardTest, RandomDrawsAreThoseOfEager) {
  const HybridFunction::Body body =
      [this](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    Tensor y = in[0];
    if (!IsTraining()) return TensorList{y};
    for (int layer = 0; layer < 2; ++layer) {
      const int64_t blocks = (y.num_elements() + 3) / 4;
      TANDEM_ASSIGN_OR_RETURN(RandomState state, NextRandom(*device_, blocks));
      TANDEM_ASSIGN_OR_RETURN(
          y, Op("dropout", {y, state.state}, {{"rate", 0.5}, {"delta", state.delta}}));
    }
    return TensorList{y};
  };
  const Tensor x = Array(std::vector<float>(63, 1.f), {7, 9});
  TrainingScope training(true);
  SeedRandom(42);
  std::vector<Tensor> expected;
  for (int i = 0; i < 3; ++i) expected.push_back((*body({&x, 1}))[0]);
  EXPECT_NE(Bytes(expected[0]), Bytes(expected[1]));
  Ref<HybridFunction> net = Hybrid(body, StaticOptions());
  SeedRandom(42);
  for (int i = 0; i < 3; ++i) {
    const auto y = Call(*net, {&x, 1});
    ASSERT_TRUE(y.ok()) << y.status();
    ExpectSameBits((*y)[0], expected[i]);
  }
  TrainingScope inference(false);
  ExpectSameBits((*Call(*net, {&x, 1}))[0], x);
}

// R36
TEST_F(HybridForwardTest, StateIsWrittenBack) {
  auto mean = MakeVariable("mean", Array({0, 0}, {2}), /*grad=*/false);
  const HybridFunction::Body body = [&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor old, ReadVariable(*mean));
    TANDEM_ASSIGN_OR_RETURN(Tensor now, Op("add", {old, in[0]}));
    TANDEM_RETURN_IF_ERROR(WriteVariable(*mean, now));
    TANDEM_ASSIGN_OR_RETURN(Tensor again, ReadVariable(*mean));
    TANDEM_ASSIGN_OR_RETURN(Tensor twice, Op("add", {again, again}));
    TANDEM_RETURN_IF_ERROR(WriteVariable(*mean, twice));
    return TensorList{again};
  };
  Ref<HybridFunction> net = Hybrid(body, StaticOptions());
  const Tensor x = Array({1, 2}, {2});
  const auto first = Call(*net, {&x, 1});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Values((*first)[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(Values(mean->Get()), (std::vector<float>{2, 4}));
  EXPECT_EQ(Values((*Call(*net, {&x, 1}))[0]), (std::vector<float>{3, 6}));
  EXPECT_EQ(Values(mean->Get()), (std::vector<float>{6, 12}));
  // Tensors never change, only what the variable holds.
  EXPECT_EQ(Values((*first)[0]), (std::vector<float>{1, 2}));
}

TEST_F(HybridForwardTest, AVariableOfAnotherShapeTracesAgain) {
  auto w = MakeVariable("w", Array({1, 2}, {2}));
  Ref<HybridFunction> net = Hybrid([&](absl::Span<const Tensor>) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, ReadVariable(*w));
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("add", {value, value}));
    return TensorList{y};
  });
  ASSERT_TRUE(Call(*net, {}).ok());
  ASSERT_TRUE(w->Set(Array({1, 2, 3}, {3})).ok());
  const auto y = Call(*net, {});
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{2, 4, 6}));
  EXPECT_THAT(net->Explain().entries.back().reason, HasSubstr("'w' is f32[3]"));
}

// R5
TEST_F(HybridForwardTest, NeedsNoMoreMemoryThanEager) {
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    Tensor h = in[0];
    for (int i = 0; i < 6; ++i) {
      TANDEM_ASSIGN_OR_RETURN(h, Op("exp", {h}));
      TANDEM_ASSIGN_OR_RETURN(h, Op("neg", {h}));
      TANDEM_ASSIGN_OR_RETURN(Tensor dead, Op("mul", {h, h}));
    }
    TANDEM_ASSIGN_OR_RETURN(h, Op("sum", {h}));
    return TensorList{h};
  };
  const Tensor x = Random({256, 256});
  for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
    Ref<HybridFunction> net = Hybrid(body, options);
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
    Allocator& allocator = device_->allocator();
    allocator.ResetPeak();
    ASSERT_TRUE(body({&x, 1}).ok());
    const int64_t eager = allocator.stats().peak_bytes;
    allocator.ResetPeak();
    ASSERT_TRUE(Call(*net, {&x, 1}).ok());
    EXPECT_LE(allocator.stats().peak_bytes, eager);
  }
}

TEST_F(HybridForwardTest, VerifyAgreesAndFindsABodyThatChanges) {
  Ref<HybridFunction> net = Hybrid(Mlp());
  const Tensor x = Random({7, 13});
  EXPECT_TRUE(net->Verify({&x, 1}).ok()) << net->Verify({&x, 1});
  bool minus = false;
  Ref<HybridFunction> moody =
      Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
        TANDEM_ASSIGN_OR_RETURN(Tensor y, Op(minus ? "neg" : "relu", {in[0]}));
        return TensorList{y};
      });
  ASSERT_TRUE(moody->Verify({&x, 1}).ok());
  minus = true;
  EXPECT_THAT(moody->Verify({&x, 1}).ToString(),
              AllOf(HasSubstr("neg"), HasSubstr("hybrid_forward_test.cc:"), HasSubstr("relu")));
}

TEST_F(HybridForwardTest, VerifyComparesWhatIsWrittenToVariables) {
  const Ref<Variable> first = MakeVariable("first", Array({1, 2}, {2}), false);
  const Ref<Variable> second = MakeVariable("second", Array({1, 2}, {2}), false);
  bool to_first = true, to_second = false, of_sum = false;
  Ref<HybridFunction> net = Hybrid([&](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    // The same ops whatever is written.
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("relu", {in[0]}));
    TANDEM_ASSIGN_OR_RETURN(Tensor sum, Op("add", {y, in[0]}));
    if (to_first) TANDEM_RETURN_IF_ERROR(WriteVariable(*first, of_sum ? sum : y));
    if (to_second) TANDEM_RETURN_IF_ERROR(WriteVariable(*second, y));
    return TensorList{y, sum};
  });
  const Tensor x = Array({1, 2}, {2});
  EXPECT_TRUE(net->Verify({&x, 1}).ok()) << net->Verify({&x, 1});
  of_sum = true;
  EXPECT_THAT(net->Verify({&x, 1}).ToString(),
              AllOf(HasSubstr("'first'"), HasSubstr("differs in 2 of 2")));
  of_sum = false;
  to_second = true;
  EXPECT_THAT(net->Verify({&x, 1}).ToString(), HasSubstr("wrote the variable 'second'"));
  to_first = to_second = false;
  EXPECT_THAT(net->Verify({&x, 1}).ToString(), HasSubstr("did not write the variable 'first'"));
  EXPECT_EQ(Values(first->Get()), (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace tandem
