// What the peer benchmark runs: networks and chains of ops, with their weights, inputs and results.
//
//   const Workload workload = Value(FindWorkload("mlp", 32));
//   WriteWorkload(workload, folder);      // weights, inputs, what Tandem gives eagerly
//   … a worker writes <folder>/actual.safetensors …
//   double error = Value(LargestError(workload, folder));   // to be at most workload.tolerance
//
//   mlp          512-256-128-2, relu                             (examples/models.h)
//   lenet        28 × 28, with a last layer made by hand         (examples/models.h)
//   resnet18     224 × 224, inference                            (examples/resnet.h)
//   transformer  encoder block, d 256, 4 heads, sequence 128, ffn 1024  (examples/transformer.h)
//   cheap        ten elementwise ops that cost an instruction or two; batch is the number of floats
//   mixed        ten of them with tanh, sqrt, exp and sigmoid; the same
//   mlp-train    a step: forward, cross-entropy, backward, SGD; its results are the new weights
//   lenet-train  the same
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_PEERS_WORKLOAD_H_
#define TANDEM_BENCHMARKS_PEERS_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem::benchmarks {

// Of SGD, in every system.
inline constexpr double kLearningRate = 0.1;

struct Workload {
  std::string net;
  int64_t batch = 0;
  // The largest error of a right result: relative to the largest element, and for the weights after
  // a step of training to the largest change.
  double tolerance = 0;
  bool training = false;
};

// Those of the published table.
std::vector<Workload> PublishedWorkloads();
// INVALID_ARGUMENT lists the networks.
absl::StatusOr<Workload> FindWorkload(const std::string& net, int64_t batch);

// The network that is trained or run, not initialized.
std::unique_ptr<HybridBlock> MakeNetwork(const Workload& workload);
// One step of training, as a block of (x, labels) that writes the network's new weights; its output
// is the losses. The whole step is one graph if it is hybridized.
std::unique_ptr<HybridBlock> MakeTrainingStep(std::shared_ptr<HybridBlock> net);

// Writes the files of worker.h but the last. Throws tandem::Error.
void WriteWorkload(const Workload& workload, const std::string& folder);
TensorList ReadInputs(const std::string& folder);
// The tensors of kActualFile: the network's output, or its weights after a step.
void WriteActual(const Workload& workload, const HybridBlock& net, const Tensor& output,
                 const std::string& folder);
// Between the files of expected and actual results. INVALID_ARGUMENT if they do not have the same
// tensors and shapes, or there is a value that is not finite.
absl::StatusOr<double> LargestError(const Workload& workload, const std::string& folder);

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_WORKLOAD_H_
