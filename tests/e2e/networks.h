// What the end-to-end tests share: the networks of R10 and R18, and one with everything that depends
// on the mode.
//
//   for (const Network& network : Networks()) {
//     std::unique_ptr<HybridBlock> net = Ready(network);
//     const Observed eager = Step(*net, MakeBatch(network, 7), /*training=*/true);
//   }
#ifndef TANDEM_TESTS_E2E_NETWORKS_H_
#define TANDEM_TESTS_E2E_NETWORKS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tandem/examples/models.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tandem/tests/e2e/observed.h"

namespace tandem {

struct Network {
  std::string name;
  std::function<std::unique_ptr<HybridBlock>()> make;
  std::vector<int64_t> example;  // shape of one
  int classes;
  bool draws;  // has dropout
};

// Convolution, batch normalization, dropout, layer normalization, average pooling.
inline std::unique_ptr<HybridBlock> MakeModal() {
  auto net = std::make_unique<HybridSequential>();
  net->Add(nn::Conv2D(4, 3), nn::BatchNorm(), nn::Activation("relu"), nn::AvgPool2D(2),
           nn::Dropout(0.25), nn::Flatten(), nn::Dense(19, {.activation = "tanh"}), nn::LayerNorm(),
           nn::Dropout(0.5), nn::Dense(5));
  return net;
}

inline const std::vector<Network>& Networks() {
  static const auto& networks = *new std::vector<Network>{
      {"Mlp",
       [] { return std::make_unique<HybridSequential>(examples::MakeMlp()); },
       {512},
       2,
       false},
      {"LeNet", [] { return std::make_unique<examples::LeNet>(); }, {1, 28, 28}, 10, false},
      {"Modal", MakeModal, {2, 9, 9}, 5, true},
  };
  return networks;
}

// The same numbers for the same arguments.
inline Batch MakeBatch(const Network& network, int64_t size, uint64_t seed = 100) {
  random::Seed(seed + static_cast<uint64_t>(size));
  std::vector<int64_t> shape = {size};
  shape.insert(shape.end(), network.example.begin(), network.example.end());
  std::vector<int64_t> labels(size);
  for (int64_t i = 0; i < size; ++i) labels[i] = (i * 7 + 3) % network.classes;
  return {RandomNormal(IntList(shape)), Array<int64_t>(labels)};
}

// A network with values, that has seen one batch.
inline std::unique_ptr<HybridBlock> Ready(const Network& network, uint64_t seed = 5) {
  random::Seed(seed);
  std::unique_ptr<HybridBlock> net = network.make();
  net->Initialize(init::Xavier());
  (*net)(MakeBatch(network, 2).x);
  return net;
}

}  // namespace tandem

#endif  // TANDEM_TESTS_E2E_NETWORKS_H_
