#include "tandem/benchmarks/peers/workload.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/benchmarks/peers/worker.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/examples/models.h"
#include "tandem/examples/resnet.h"
#include "tandem/examples/transformer.h"
#include "tandem/serialization/native/safetensors.h"

namespace tandem::benchmarks {
namespace {

constexpr double kRoundoff = 0x1p-24;

// Some units of roundoff for each layer, each as often as the root of its longest sum: rounding
// errors of a sum add up like a random walk, and another system sums in another order.
double LayersTolerance(double layers, double longest_sum) {
  return layers * 16 * kRoundoff * std::sqrt(longest_sum);
}

struct Definition {
  const char* net;
  double tolerance;
  bool training;
  std::vector<int64_t> batches;  // of the published table
};

const std::vector<Definition>& Definitions() {
  constexpr int64_t kM = 1 << 20;
  static const auto* const kDefinitions = new std::vector<Definition>{
      {"mlp", LayersTolerance(3, 512), false, {1, 32, 256}},
      {"lenet", LayersTolerance(5, 400), false, {1, 16, 256}},
      {"resnet18", LayersTolerance(18, 4608), false, {1}},
      // Two normalizations, four products, two products of the attention and its softmax.
      {"transformer", LayersTolerance(9, 1024), false, {1, 8}},
      {"cheap", LayersTolerance(10, 1), false, {kM, 16 * kM}},
      {"mixed", LayersTolerance(10, 1), false, {kM, 16 * kM}},
      // Forward and backward, with sums over a batch of 256, in the convolutions over its images.
      {"mlp-train", LayersTolerance(2 * 3, 512), true, {256}},
      {"lenet-train", LayersTolerance(2 * 5, 256 * 576), true, {256}},
  };
  return *kDefinitions;
}

// Each op is one instruction or two, and its result exact or rounded once.
Tensor CheapOps(const Tensor& x) {
  return -Square(Relu(Abs(x * 1.5 + 0.25) * 0.75 - 0.5) * 1.25 + 1.0);
}

// Four ops that take a processor more than one instruction, and six cheap ones.
Tensor MixedOps(const Tensor& x) {
  return -Square(Sigmoid(Exp(Sqrt(Tanh(x * 0.5) + 1.5) * 2.0) - 1.0));
}

class TrainingStep : public HybridBlock {
 public:
  explicit TrainingStep(std::shared_ptr<HybridBlock> net) {
    net_ = Register("net", std::move(net));
    loss_ = Register("loss", SoftmaxCrossEntropyLoss());
  }

 protected:
  TensorList HybridForwardAll(const TensorList& inputs, const Params& p) override {
    const ParameterList parameters = net_->CollectParameters();
    std::vector<Tensor> weights;
    for (const ParameterPtr& parameter : parameters) {
      weights.push_back(Value(ReadVariable(parameter->variable())));
    }
    Tensor losses;
    {
      RecordScope record;
      losses = loss_(net_(inputs[0]), inputs[1]);
    }
    const std::vector<Tensor> gradients = Value(Grad({losses}, {}, weights));
    const double per_example = 1.0 / static_cast<double>(inputs[0].shape()[0]);
    int64_t i = 0;
    for (const ParameterPtr& parameter : parameters) {
      const Tensor gradient = gradients[i] * per_example;
      Check(WriteVariable(parameter->variable(), weights[i] - gradient * kLearningRate));
      ++i;
    }
    return {losses};
  }

 private:
  BlockRef<HybridBlock> net_;
  BlockRef<SoftmaxCrossEntropyLoss> loss_;
};

TensorList MakeInputs(const Workload& workload) {
  const int64_t n = workload.batch;
  TensorList inputs;
  if (workload.net == "mlp" || workload.net == "mlp-train") {
    inputs.push_back(RandomNormal({n, 512}));
  } else if (workload.net == "lenet" || workload.net == "lenet-train") {
    inputs.push_back(RandomNormal({n, 1, 28, 28}));
  } else if (workload.net == "resnet18") {
    inputs.push_back(RandomNormal({n, 3, 224, 224}));
  } else if (workload.net == "transformer") {
    inputs.push_back(RandomNormal({n, 128, 256}));
  } else {
    inputs.push_back(RandomNormal({n}));
  }
  if (workload.training) {
    const int64_t classes = workload.net == "mlp-train" ? 2 : 10;
    std::vector<int64_t> labels(n);
    for (int64_t i = 0; i < n; ++i) labels[i] = i % classes;
    inputs.push_back(Array<int64_t>(labels));
  }
  return inputs;
}

constexpr const char* kInputNames[] = {"x", "labels"};
constexpr char kOutputName[] = "y";

void WriteTensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  AtomicFile file = Value(AtomicFile::Create(path));
  Check(WriteSafetensors(tensors, {}, {}, &file));
  Check(file.Commit());
}

absl::StatusOr<std::vector<NamedTensor>> ReadTensors(const std::string& path) {
  TANDEM_ASSIGN_OR_RETURN(const auto source, FileSource::Open(path));
  TANDEM_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(*source));
  std::vector<NamedTensor> tensors;
  for (const SafetensorsEntry& entry : reader.entries()) {
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor, reader.ReadTensor(entry, DefaultDevice()));
    tensors.push_back({entry.name, std::move(tensor)});
  }
  return tensors;
}

absl::StatusOr<std::vector<float>> ValuesOf(const std::vector<NamedTensor>& tensors,
                                            const std::string& name, const std::string& file) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return tensor.tensor.ToVector<float>();
  }
  return absl::InvalidArgumentError(absl::StrCat(file, " has no '", name, "'"));
}

std::string Join(const std::string& folder, const char* file) {
  return absl::StrCat(folder, "/", file);
}

}  // namespace

std::vector<Workload> PublishedWorkloads() {
  std::vector<Workload> workloads;
  for (const Definition& d : Definitions()) {
    for (int64_t batch : d.batches) workloads.push_back({d.net, batch, d.tolerance, d.training});
  }
  return workloads;
}

absl::StatusOr<Workload> FindWorkload(const std::string& net, int64_t batch) {
  std::vector<absl::string_view> names;
  for (const Definition& d : Definitions()) {
    if (net == d.net && batch > 0) return Workload{d.net, batch, d.tolerance, d.training};
    names.push_back(d.net);
  }
  return absl::InvalidArgumentError(absl::StrCat("'", net, ":", batch,
                                                 "' is no network and positive batch; there are ",
                                                 absl::StrJoin(names, ", ")));
}

std::unique_ptr<HybridBlock> MakeNetwork(const Workload& workload) {
  if (workload.net == "mlp" || workload.net == "mlp-train") {
    return std::make_unique<HybridSequential>(examples::MakeMlp());
  }
  if (workload.net == "lenet" || workload.net == "lenet-train") {
    return std::make_unique<examples::LeNet>();
  }
  if (workload.net == "resnet18") return std::make_unique<examples::ResNet18>();
  if (workload.net == "transformer") return std::make_unique<examples::TransformerBlock>();
  return std::make_unique<nn::HybridLambda>(workload.net == "cheap" ? CheapOps : MixedOps);
}

std::unique_ptr<HybridBlock> MakeTrainingStep(std::shared_ptr<HybridBlock> net) {
  return std::make_unique<TrainingStep>(std::move(net));
}

void WriteWorkload(const Workload& workload, const std::string& folder) {
  random::Seed(1);
  const std::unique_ptr<HybridBlock> net = MakeNetwork(workload);
  net->Initialize(init::Xavier());
  const TensorList inputs = MakeInputs(workload);
  if (workload.net == "resnet18") {
    // So that the running statistics are like those of the images, as after training.
    const TrainingScope training(true);
    for (int i = 0; i < 3; ++i) (*net)(inputs[0]);
  }
  Tensor output = (*net)(inputs[0]);
  net->SaveParameters(Join(folder, kWeightsFile));
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < inputs.size(); ++i) named.push_back({kInputNames[i], inputs[i]});
  WriteTensors(Join(folder, kInputsFile), named);
  if (workload.training) {
    SoftmaxCrossEntropyLoss loss;
    Trainer trainer(net->CollectParameters(),
                    std::make_unique<SGD>(SGDOptions{.learning_rate = kLearningRate}));
    {
      RecordScope record;
      output = loss((*net)(inputs[0]), inputs[1]);
    }
    Backward(output);
    trainer.Step(workload.batch);
    net->SaveParameters(Join(folder, kExpectedFile));
  } else {
    WriteTensors(Join(folder, kExpectedFile), {{kOutputName, output}});
  }
}

TensorList ReadInputs(const std::string& folder) {
  const std::vector<NamedTensor> tensors = Value(ReadTensors(Join(folder, kInputsFile)));
  TensorList inputs;
  for (const char* name : kInputNames) {
    for (const NamedTensor& tensor : tensors) {
      if (tensor.name == name) inputs.push_back(tensor.tensor);
    }
  }
  return inputs;
}

void WriteActual(const Workload& workload, const HybridBlock& net, const Tensor& output,
                 const std::string& folder) {
  if (workload.training) {
    net.SaveParameters(Join(folder, kActualFile));
  } else {
    WriteTensors(Join(folder, kActualFile), {{kOutputName, output}});
  }
}

absl::StatusOr<double> LargestError(const Workload& workload, const std::string& folder) {
  TANDEM_ASSIGN_OR_RETURN(const auto expected, ReadTensors(Join(folder, kExpectedFile)));
  TANDEM_ASSIGN_OR_RETURN(const auto actual, ReadTensors(Join(folder, kActualFile)));
  std::vector<NamedTensor> before;
  if (workload.training) {
    TANDEM_ASSIGN_OR_RETURN(before, ReadTensors(Join(folder, kWeightsFile)));
  }
  double largest_error = 0;
  for (const NamedTensor& tensor : expected) {
    TANDEM_ASSIGN_OR_RETURN(const auto e, tensor.tensor.ToVector<float>());
    TANDEM_ASSIGN_OR_RETURN(const auto a, ValuesOf(actual, tensor.name, kActualFile));
    if (a.size() != e.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", tensor.name, "' has ", a.size(), " elements, expected are ", e.size()));
    }
    std::vector<float> b(e.size(), 0.0f);
    if (workload.training) {
      TANDEM_ASSIGN_OR_RETURN(b, ValuesOf(before, tensor.name, kWeightsFile));
      if (b.size() != e.size()) return absl::InternalError("the weights changed their shape");
    }
    double scale = 0, error = 0;
    for (size_t i = 0; i < e.size(); ++i) {
      const double difference = std::abs(static_cast<double>(a[i]) - e[i]);
      if (!std::isfinite(difference)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", tensor.name, "' has ", a[i], " for ", e[i]));
      }
      // A weight is rounded once more when it is changed; that is no error of the change.
      const double rounding = workload.training ? 2 * kRoundoff * std::abs(e[i]) : 0;
      error = std::max(error, difference - rounding);
      scale = std::max(scale, std::abs(static_cast<double>(e[i]) - b[i]));
    }
    largest_error = std::max(largest_error, scale > 0 ? error / scale : error);
  }
  return largest_error;
}

}  // namespace tandem::benchmarks
