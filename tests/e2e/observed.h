// One training step with all that can be seen of it, and how two of them are compared.
//
//   const Observed eager = Step(*net, batch, /*training=*/true);
//   net->Hybridize();
//   SameBits(Step(*net, batch, true), eager);
//
// Knows no network: a program that has only files can use it, too.
#ifndef TANDEM_TESTS_E2E_OBSERVED_H_
#define TANDEM_TESTS_E2E_OBSERVED_H_

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tandem/frontends/cpp/tandem.h"

namespace tandem {

struct Batch {
  Tensor x;
  Tensor labels;
};

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

}  // namespace tandem

#endif  // TANDEM_TESTS_E2E_OBSERVED_H_
