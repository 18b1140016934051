// ResNet-18 and the transformer block: shapes, and the same bits in both modes.

#include <vector>

#include "gtest/gtest.h"
#include "tandem/examples/resnet.h"
#include "tandem/examples/transformer.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem::examples {
namespace {

int64_t NumberOfParameters(const Block& net) {
  int64_t total = 0;
  for (const ParameterPtr& parameter : net.CollectParameters()) {
    total += parameter->shape().num_elements();
  }
  return total;
}

void ExpectSameBitsHybridized(HybridBlock& net, const Tensor& x) {
  const std::vector<float> eager = ToVector(net(x));
  net.Hybridize();
  EXPECT_EQ(ToVector(net(x)), eager);
  net.Hybridize({.static_alloc = true, .static_shape = true});
  EXPECT_EQ(ToVector(net(x)), eager);
}

TEST(ResNet18, HasTheShapesOfThePaper) {
  ResNet18 net(1000);
  net.Initialize(init::Xavier());
  // 224 / 32 = 7: at 64, the last stage works on 2 × 2.
  EXPECT_EQ(net(RandomNormal({1, 3, 64, 64})).shape(), Shape({1, 1000}));
  // 11,689,512 weights, as everywhere, and the running statistics of 20 normalizations with 4,800
  // channels in all.
  EXPECT_EQ(NumberOfParameters(net), 11'689'512 + 2 * 4'800);
}

TEST(ResNet18, HybridizedItHasTheSameBits) {
  random::Seed(3);
  ResNet18 net(10);
  net.Initialize(init::Xavier());
  const Tensor x = RandomNormal({2, 3, 32, 32});
  {
    // Running statistics that are not those of the first day.
    TrainingScope training(true);
    net(x);
  }
  ExpectSameBitsHybridized(net, x);
}

TEST(TransformerBlock, HybridizedItHasTheSameBits) {
  random::Seed(3);
  TransformerBlock net({.units = 32, .heads = 4, .hidden = 64});
  net.Initialize(init::Xavier());
  const Tensor x = RandomNormal({2, 9, 32});
  EXPECT_EQ(net(x).shape(), Shape({2, 9, 32}));
  // Projections 3 · 32² + 96 and 32² + 32, two normalizations, 32 to 64 and back.
  EXPECT_EQ(NumberOfParameters(net), 3168 + 1056 + 2 * 64 + 2112 + 2080);
  ExpectSameBitsHybridized(net, x);
}

}  // namespace
}  // namespace tandem::examples
