// What the end-to-end tests share: the networks of R10 and R18, one with everything that depends on
// the mode, and one training step with all that can be seen of it.
//
//   for (const Network& network : Networks()) {
//     std::unique_ptr<HybridBlock> net = network.make();
//     const Observed eager = Step(*net, network.Batch(7), /*training=*/true);
#ifndef TANDEM_TESTS_E2E_NETWORKS_H_
#define TANDEM_TESTS_E2E_NETWORKS_H_

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/examples/models.h"
#include "tandem/frontends/cpp/tandem.h"

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

struct Batch {
  Tensor x;
  Tensor labels;
};

// The same numbers for the same arguments.
inline Batch MakeBatch(const Network& network, int64_t size, uint64_t seed = 100) {
  random::Seed(seed + static_cast<uint64_t>(size));
  std::vector<int64_t> shape = {size};
  shape.insert(shape.end(), network.example.begin(), network.example.end());
  std::vector<int64_t> labels(size);
  for (int64_t i = 0; i < size; ++i) labels[i] = (i * 7 + 3) % network.classes;
  return {RandomNormal(IntList(shape)), Array<int64_t>(labels)};
}

// Bytes, not numbers: 0 is not -0, and a NaN is itself.
inline bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

using Values = std::map<std::string, std::vector<float>>;

inline bool SameBits(const Values& a, const Values& b) {
  if (a.size() != b.size()) return false;
  for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
    if (i->first != j->first || !SameBits(i->second, j->second)) return false;
  }
  return true;
}

// Values of all parameters, running statistics among them.
inline Values ValuesOf(const Block& net) {
  Values values;
  for (const ParameterPtr& p : net.CollectParameters()) values[p->name()] = ToVector(p->Data());
  return values;
}

inline void SetValues(const Block& net, const Values& values) {
  for (const ParameterPtr& p : net.CollectParameters()) {
    const Shape shape = p->shape();
    p->SetData(Array<float>(values.at(p->name()), IntList(shape)));
  }
}

// All that one step shows.
struct Observed {
  std::vector<float> output;
  Values gradients;
  std::vector<float> input_gradient;
  Values parameters;  // after the step: running statistics move in training
};

// Forward and backward; the parameters are put back as they were.
inline Observed Step(Block& net, const Batch& batch, bool training) {
  const Values before = ValuesOf(net);
  Tensor x = Detach(batch.x);
  RequireGrad(x);
  SoftmaxCrossEntropyLoss loss;
  random::Seed(77);
  Observed seen;
  Tensor l;
  {
    RecordScope record(training);
    const Tensor y = net(x);
    seen.output = ToVector(y);
    l = loss(y, batch.labels);
  }
  Backward(l);
  seen.input_gradient = ToVector(GradOf(x));
  for (const ParameterPtr& p : net.CollectParameters()) {
    if (p->grad_req() != GradRequest::kNone) seen.gradients[p->name()] = ToVector(p->Grad());
  }
  seen.parameters = ValuesOf(net);
  SetValues(net, before);
  return seen;
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
