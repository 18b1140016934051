#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
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

TEST(Dense, ComputesTheProduct) {
  nn::Dense dense(2, {.in_units = 3});
  dense.Initialize();
  dense.parameters()[0]->SetData(Array({1, 2, 3, 4, 5, 6}, {2, 3}));
  dense.parameters()[1]->SetData(Array({10, 20}));
  EXPECT_THAT(ToVector(dense(Array({1, 0, -1}, {1, 3}))), ElementsAre(8, 18));
}

TEST(Dense, FlattensOrDoesNot) {
  nn::Dense flat(4);
  flat.Initialize();
  EXPECT_EQ(flat(Ones({2, 3, 5})).shape(), Shape({2, 4}));
  EXPECT_EQ(flat.parameters()[0]->shape(), Shape({4, 15}));
  nn::Dense last(4, {.use_bias = false, .flatten = false});
  last.Initialize();
  EXPECT_EQ(last(Ones({2, 3, 5})).shape(), Shape({2, 3, 4}));
  EXPECT_EQ(last.parameters().size(), 1u);
  nn::Dense bad(4);
  bad.Initialize();
  EXPECT_THAT(ErrorOf([&] { bad(Ones({3})); }), HasSubstr("(batch"));
  EXPECT_THAT(ErrorOf([] { nn::Dense(0); }), HasSubstr("positive"));
  EXPECT_THAT(ErrorOf([] { nn::Dense(1, {.activation = "step"}); }), HasSubstr("relu"));
}

class LeNet : public HybridBlock {
 public:
  LeNet() {
    HybridSequential features;
    features.Add(nn::Conv2D(6, 5, {.activation = "relu"}), nn::MaxPool2D(2),
                 nn::Conv2D(16, 5, {.activation = "relu"}), nn::MaxPool2D(2));
    features_ = Register("features", std::move(features));
    fc1_ = Register("fc1", nn::Dense(120));
    fc2_ = Register("fc2", nn::Dense(84));
    DeclareParameter("fc3_weight", {.shape = {10, 84}});
  }
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    Tensor h = Reshape(features_(x), {0, -1});
    h = Relu(fc2_(Relu(fc1_(h))));
    return Dot(h, p["fc3_weight"], {.transpose_b = true});
  }
  BlockRef<HybridSequential> features_;
  BlockRef<nn::Dense> fc1_, fc2_;
};

// R18 R13
TEST(Conv2D, LeNetMapsImagesToClasses) {
  LeNet net;
  net.Initialize(init::Xavier());
  EXPECT_EQ(net(RandomNormal({16, 1, 28, 28})).shape(), Shape({16, 10}));
  EXPECT_EQ(net.fc1_->parameters()[0]->shape(), Shape({120, 256}));
  EXPECT_EQ((*net.features_)[2].parameters()[0]->shape(), Shape({16, 6, 5, 5}));
}

TEST(Conv2D, OptionsReachTheOp) {
  nn::Conv2D conv(4, {3, 1}, {.strides = 2, .padding = {1, 0}, .groups = 2, .use_bias = false});
  conv.Initialize(init::One());
  const Tensor y = conv(Ones({1, 2, 5, 5}));
  EXPECT_EQ(y.shape(), Shape({1, 4, 3, 3}));
  EXPECT_EQ(ToVector(y)[0], 2);  // the window's first row is padding
  EXPECT_EQ(ToVector(y)[3], 3);
  nn::Conv2D odd(4, 3, {.groups = 2});
  odd.Initialize();
  EXPECT_THAT(ErrorOf([&] { odd(Ones({1, 3, 5, 5})); }), HasSubstr("groups"));
  EXPECT_THAT(ErrorOf([] { nn::Conv2D(3, 3, {.groups = 2}); }), HasSubstr("multiples"));
}

TEST(Pool2D, Windows) {
  const Tensor x = Reshape(Arange(16), {1, 1, 4, 4});
  EXPECT_THAT(ToVector(nn::MaxPool2D(2)(x)), ElementsAre(5, 7, 13, 15));
  EXPECT_THAT(ToVector(nn::AvgPool2D(2)(x)), ElementsAre(2.5, 4.5, 10.5, 12.5));
  EXPECT_THAT(ToVector(nn::GlobalAvgPool2D()(x)), ElementsAre(7.5));
  EXPECT_THAT(ToVector(nn::GlobalMaxPool2D()(x)), ElementsAre(15));
  EXPECT_EQ(nn::MaxPool2D(3, {.strides = 1})(x).shape(), Shape({1, 1, 2, 2}));
}

TEST(Activations, ByName) {
  const Tensor x = Array({-1, 0, 2});
  EXPECT_THAT(ToVector(nn::Activation("relu")(x)), ElementsAre(0, 0, 2));
  EXPECT_THAT(ToVector(nn::LeakyReLU(0.5)(x)), ElementsAre(-0.5, 0, 2));
  EXPECT_EQ(ToVector(nn::Activation("sigmoid")(x))[1], 0.5);
  EXPECT_EQ(ToVector(nn::GELU()(x))[1], 0);
  EXPECT_THAT(ErrorOf([] { nn::Activation("no"); }), HasSubstr("'no'"));
}

TEST(Dropout, DropsOnlyInTraining) {
  nn::Dropout dropout(0.25);
  const Tensor x = Ones({4000});
  EXPECT_EQ(ToVector(dropout(x)), ToVector(x));
  TrainingScope training(true);
  random::Seed(6);
  int zeros = 0;
  for (float v : ToVector(dropout(x))) {
    if (v == 0) {
      ++zeros;
    } else {
      EXPECT_EQ(v, 1.0f / 0.75f);
    }
  }
  // 1000 expected; the standard deviation is sqrt(4000 · 0.25 · 0.75) = 27.
  EXPECT_NEAR(zeros, 1000, 5 * 27);
  EXPECT_THAT(ErrorOf([] { nn::Dropout(1.0); }), HasSubstr("[0, 1)"));
}

TEST(BatchNorm, NormalizesTheBatch) {
  nn::BatchNorm norm;
  norm.Initialize();
  random::Seed(7);
  const Tensor x = RandomNormal({64, 2}, 3.0, 2.0);
  {
    TrainingScope training(true);
    const std::vector<float> y = ToVector(Mean(norm(x), {.axes = {0}}));
    // 64 terms, each of size about 1 and computed to a few ulp.
    for (float mean : y) EXPECT_LT(std::fabs(mean), 64 * 1.2e-7);
  }
  const std::vector<float> running = ToVector(norm.parameters()[2]->Data());
  const std::vector<float> batch = ToVector(Mean(x, {.axes = {0}}));
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(running[i], 0.1 * batch[i], 64 * 6e-8 * 3);
}

TEST(LayerNorm, NormalizesEachExample) {
  nn::LayerNorm norm;
  norm.Initialize();
  const std::vector<float> y = ToVector(norm(Array({1, 3, 10, 10}, {2, 2})));
  EXPECT_NEAR(y[0], -1, 1e-5);  // epsilon makes it 1 / sqrt(1 + 1e-5)
  EXPECT_NEAR(y[1], 1, 1e-5);
  EXPECT_EQ(y[2], 0);
}

TEST(Embedding, TakesRows) {
  nn::Embedding words(3, 2);
  words.Initialize();
  words.parameters()[0]->SetData(Array({0, 1, 2, 3, 4, 5}, {3, 2}));
  EXPECT_THAT(ToVector(words(Array<int32_t>({2, 0}))), ElementsAre(4, 5, 0, 1));
}

TEST(Lambda, WrapsAFunction) {
  HybridSequential net;
  net.Add(nn::HybridLambda([](const Tensor& x) { return x * 2; }), nn::Flatten());
  EXPECT_EQ(net(Ones({2, 3, 4})).shape(), Shape({2, 12}));
  EXPECT_THAT(ErrorOf([] {
                HybridSequential hybrid;
                hybrid.Add(nn::Lambda([](const Tensor& x) { return x; }));
              }),
              HasSubstr("Lambda"));
  EXPECT_THAT(ErrorOf([] { nn::Lambda(nullptr); }), HasSubstr("no function"));
}

TEST(Initializers, HaveTheirMoments) {
  random::Seed(8);
  const Shape shape = {200, 300};
  Device& device = DefaultDevice();
  auto moments = [&](const InitializerPtr& init) {
    const Tensor x = init->Create(shape, DType::kF32, device);
    return std::pair<double, double>(Item(Mean(x)), std::sqrt(Item(Mean(Square(x)))));
  };
  const double n = 60000;
  const double xavier = std::sqrt(3.0 / 250) / std::sqrt(3.0);  // of a uniform in ±sqrt(3/250)
  auto [mean, sigma] = moments(init::Xavier());
  EXPECT_NEAR(mean, 0, 5 * xavier / std::sqrt(n));
  EXPECT_NEAR(sigma, xavier, 5 * xavier / std::sqrt(n));
  std::tie(mean, sigma) = moments(init::HeNormal());
  EXPECT_NEAR(sigma, std::sqrt(2.0 / 300), 5 * std::sqrt(2.0 / 300) / std::sqrt(n));
  std::tie(mean, sigma) = moments(init::Normal(0.5));
  EXPECT_NEAR(sigma, 0.5, 5 * 0.5 / std::sqrt(n));
  EXPECT_THAT(ErrorOf([&] { init::Xavier()->Create({5}, DType::kF32, device); }),
              HasSubstr("rank 2"));
}

}  // namespace
}  // namespace tandem
