#include "tandem/frontends/cpp/nn/attention.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

template <typename Fn>
std::string ErrorOf(Fn fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

// y = x · weightᵀ + bias, in double precision.
std::vector<double> Linear(const std::vector<double>& x, const Tensor& weight, const Tensor& bias) {
  const int64_t out = weight.shape()[0], in = weight.shape()[1];
  const std::vector<float> w = ToVector(weight), b = ToVector(bias);
  const int64_t rows = static_cast<int64_t>(x.size()) / in;
  std::vector<double> y(rows * out);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      y[r * out + o] = b[o];
      for (int64_t i = 0; i < in; ++i) y[r * out + o] += x[r * in + i] * w[o * in + i];
    }
  }
  return y;
}

// The definition, position by position, for one sequence.
std::vector<double> Attend(const std::vector<double>& qkv, int64_t sequence, int64_t units,
                           int64_t heads) {
  const int64_t width = units / heads;
  std::vector<double> mixed(sequence * units, 0.0);
  for (int64_t head = 0; head < heads; ++head) {
    const auto at = [&](int64_t part, int64_t position, int64_t i) {
      return qkv[position * 3 * units + part * units + head * width + i];
    };
    for (int64_t q = 0; q < sequence; ++q) {
      std::vector<double> weights(sequence);
      double total = 0;
      for (int64_t k = 0; k < sequence; ++k) {
        double score = 0;
        for (int64_t i = 0; i < width; ++i) score += at(0, q, i) * at(1, k, i);
        total += weights[k] = std::exp(score / std::sqrt(static_cast<double>(width)));
      }
      for (int64_t k = 0; k < sequence; ++k) {
        for (int64_t i = 0; i < width; ++i) {
          mixed[q * units + head * width + i] += weights[k] / total * at(2, k, i);
        }
      }
    }
  }
  return mixed;
}

TEST(MultiHeadAttention, IsItsDefinition) {
  constexpr int64_t kBatch = 2, kSequence = 5, kUnits = 12, kHeads = 3;
  random::Seed(7);
  nn::MultiHeadAttention attention(kUnits, kHeads);
  attention.Initialize(init::Xavier());
  const ParameterList parameters = attention.CollectParameters();
  // in_proj weight and bias, out_proj weight and bias; biases are not zero here.
  std::vector<Tensor> values;
  for (const ParameterPtr& parameter : parameters) {
    if (parameter->shape().rank() == 1) parameter->SetData(RandomNormal({parameter->shape()[0]}));
    values.push_back(parameter->Data());
  }
  ASSERT_EQ(values.size(), 4u);
  EXPECT_EQ(values[0].shape(), Shape({3 * kUnits, kUnits}));
  const Tensor x = RandomNormal({kBatch, kSequence, kUnits});
  const std::vector<float> y = ToVector(attention(x));
  const std::vector<float> all = ToVector(x);
  const size_t per_sequence = kSequence * kUnits;
  ASSERT_EQ(y.size(), kBatch * per_sequence);
  for (int64_t n = 0; n < kBatch; ++n) {
    const std::vector<double> one(all.begin() + n * per_sequence,
                                  all.begin() + (n + 1) * per_sequence);
    const std::vector<double> expected = Linear(
        Attend(Linear(one, values[0], values[1]), kSequence, kUnits, kHeads), values[2], values[3]);
    double largest = 0;
    for (double e : expected) largest = std::max(largest, std::abs(e));
    for (size_t i = 0; i < per_sequence; ++i) {
      // Four sums of at most 12 products, and the exponential of a score: 16 units of roundoff each.
      EXPECT_NEAR(y[n * per_sequence + i], expected[i], 5 * 16 * 0x1p-24 * largest);
    }
  }
}

TEST(MultiHeadAttention, HybridizedItHasTheSameBits) {
  nn::MultiHeadAttention attention(8, 2, {.use_bias = false});
  attention.Initialize(init::Xavier());
  EXPECT_EQ(attention.CollectParameters().size(), 2u);
  const Tensor x = RandomNormal({3, 7, 8});
  const std::vector<float> eager = ToVector(attention(x));
  attention.Hybridize({.static_alloc = true, .static_shape = true});
  EXPECT_EQ(ToVector(attention(x)), eager);
}

TEST(MultiHeadAttention, RefusesWhatDoesNotFit) {
  EXPECT_THAT(ErrorOf([] { nn::MultiHeadAttention(10, 3); }), HasSubstr("multiple of heads"));
  EXPECT_THAT(ErrorOf([] { nn::MultiHeadAttention(8, 0); }), HasSubstr("positive"));
  EXPECT_THAT(ErrorOf([] { nn::MultiHeadAttention(int64_t{1} << 62, 1); }), HasSubstr("overflow"));
  nn::MultiHeadAttention attention(8, 2);
  attention.Initialize();
  EXPECT_THAT(ErrorOf([&] { attention(Ones({3, 8})); }), HasSubstr("(batch, sequence, 8)"));
  EXPECT_THAT(ErrorOf([&] { attention(Ones({1, 3, 9})); }), HasSubstr("(batch, sequence, 8)"));
}

}  // namespace
}  // namespace tandem
