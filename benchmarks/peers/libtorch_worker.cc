// LibTorch as a worker of the peer benchmark: the networks of workload.h, imperatively, from C++.
//
//   ./bazelw run --repo_env=TANDEM_LIBTORCH=<folder> //benchmarks:compare
//
// The folder is what third_party/libtorch/libtorch.bzl says. Worker's protocol: worker.h.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "tandem/benchmarks/peers/worker.h"
#include "torch/torch.h"

namespace tandem::benchmarks {
namespace {

using at::Tensor;
using Tensors = std::map<std::string, Tensor>;

constexpr double kLearningRate = 0.1;  // as in workload.h

// --- the safetensors layout (docs/format.md); a file that is cut off throws ----------------------

Tensors ReadTensors(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes.at(i));
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  Tensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto shape = entry["shape"].get<std::vector<int64_t>>();
    const auto begin = entry["data_offsets"][0].get<size_t>();
    const auto end = entry["data_offsets"][1].get<size_t>();
    Tensor tensor = at::empty(shape, entry["dtype"] == "I64" ? at::kLong : at::kFloat);
    const std::string data = bytes.substr(8 + length + begin, end - begin);
    if (data.size() != tensor.nbytes()) throw std::runtime_error("a tensor is cut off: " + name);
    std::copy(data.begin(), data.end(), static_cast<char*>(tensor.data_ptr()));
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

void WriteTensors(const std::string& path, const Tensors& tensors) {
  nlohmann::ordered_json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const Tensor whole = tensor.detach().contiguous();
    const size_t begin = data.size();
    data.append(static_cast<const char*>(whole.data_ptr()), whole.nbytes());
    header[name] = {
        {"dtype", "F32"}, {"shape", whole.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i) length.push_back(static_cast<char>(text.size() >> (8 * i)));
  std::ofstream(path, std::ios::binary) << length << text << data;
}

// --- the networks --------------------------------------------------------------------------------

// The weights of one network. What a call needs is looked up once, when the network is made.
struct Layer {
  Tensor weight, bias;
};

Layer Find(const Tensors& weights, const std::string& name) {
  const auto bias = weights.find(name + ".bias");
  return {weights.at(name + ".weight"), bias == weights.end() ? Tensor() : bias->second};
}

using Forward = std::function<Tensor(const Tensor&)>;

Forward Mlp(const Tensors& w) {
  const Layer a = Find(w, "dense0"), b = Find(w, "dense1"), c = Find(w, "dense2");
  return [=](const Tensor& x) {
    const Tensor h = at::relu(at::linear(x, a.weight, a.bias));
    return at::linear(at::relu(at::linear(h, b.weight, b.bias)), c.weight, c.bias);
  };
}

Forward LeNet(const Tensors& w) {
  const Layer conv0 = Find(w, "features.conv2d0"), conv1 = Find(w, "features.conv2d1");
  const Layer fc1 = Find(w, "fc1"), fc2 = Find(w, "fc2");
  const Tensor fc3 = w.at("fc3_weight");
  return [=](const Tensor& x) {
    Tensor h = at::max_pool2d(at::relu(at::conv2d(x, conv0.weight, conv0.bias)), 2);
    h = at::max_pool2d(at::relu(at::conv2d(h, conv1.weight, conv1.bias)), 2).flatten(1);
    h = at::relu(at::linear(h, fc1.weight, fc1.bias));
    return at::linear(at::relu(at::linear(h, fc2.weight, fc2.bias)), fc3);
  };
}

// A convolution, and the normalization behind it.
Forward ConvNorm(const Tensors& w, const std::string& conv, const std::string& norm, int64_t stride,
                 int64_t padding) {
  const Tensor weight = w.at(conv + ".weight").contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor gamma = w.at(norm + ".gamma"), beta = w.at(norm + ".beta");
  const Tensor mean = w.at(norm + ".running_mean"), variance = w.at(norm + ".running_var");
  return [=](const Tensor& x) {
    const Tensor h = at::conv2d(x, weight, {}, stride, padding);
    return at::batch_norm(h, gamma, beta, mean, variance, false, 0.1, 1e-5, false);
  };
}

Forward BasicBlock(const Tensors& w, const std::string& name, int64_t stride) {
  const Forward first = ConvNorm(w, name + ".conv1", name + ".bn1", stride, 1);
  const Forward second = ConvNorm(w, name + ".conv2", name + ".bn2", 1, 1);
  const std::string around = name + ".around.";
  Forward way = [](const Tensor& x) { return x; };
  if (w.count(around + "conv.weight") > 0) {
    way = ConvNorm(w, around + "conv", around + "bn", stride, 0);
  }
  return [=](const Tensor& x) {
    Tensor h = second(first(x).relu_());
    return h.add_(way(x)).relu_();
  };
}

Forward ResNet18(const Tensors& w) {
  const Forward stem = ConvNorm(w, "conv1", "bn1", 2, 3);
  std::vector<Forward> blocks;
  for (const int64_t channels : {64, 128, 256, 512}) {
    for (const char* part : {"a", "b"}) {
      blocks.push_back(BasicBlock(w, absl::StrCat("stages.stage", channels, part),
                                  *part == 'a' && channels > 64 ? 2 : 1));
    }
  }
  const Layer fc = Find(w, "fc");
  return [=](const Tensor& x) {
    Tensor h = at::max_pool2d(stem(x).relu_(), 3, 2, 1);
    for (const Forward& block : blocks) h = block(h);
    return at::linear(at::adaptive_avg_pool2d(h, {1, 1}).flatten(1), fc.weight, fc.bias);
  };
}

Forward TransformerBlock(const Tensors& w) {
  constexpr int64_t kHeads = 4;
  const Layer in = Find(w, "attention.in_proj"), out = Find(w, "attention.out_proj");
  const Layer ffn1 = Find(w, "ffn1"), ffn2 = Find(w, "ffn2");
  const Tensor gamma1 = w.at("norm1.gamma"), beta1 = w.at("norm1.beta");
  const Tensor gamma2 = w.at("norm2.gamma"), beta2 = w.at("norm2.beta");
  return [=](const Tensor& x) {
    const int64_t batch = x.size(0), sequence = x.size(1), units = x.size(2);
    Tensor h = at::layer_norm(x, {units}, gamma1, beta1, 1e-5);
    std::vector<Tensor> qkv = at::linear(h, in.weight, in.bias).chunk(3, 2);
    for (Tensor& part : qkv) {
      part = part.view({batch, sequence, kHeads, units / kHeads}).transpose(1, 2);
    }
    h = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
    h = h.transpose(1, 2).reshape({batch, sequence, units});
    const Tensor y = x + at::linear(h, out.weight, out.bias);
    h = at::layer_norm(y, {units}, gamma2, beta2, 1e-5);
    h = at::gelu(at::linear(h, ffn1.weight, ffn1.bias));
    return y + at::linear(h, ffn2.weight, ffn2.bias);
  };
}

// The chains of workload.cc, in one buffer.
Forward CheapOps(const Tensors&) {
  return [](const Tensor& x) {
    Tensor y = x * 1.5;
    y.add_(0.25).abs_().mul_(0.75).sub_(0.5);
    return y.relu_().mul_(1.25).add_(1.0).square_().neg_();
  };
}

Forward MixedOps(const Tensors&) {
  return [](const Tensor& x) {
    Tensor y = x * 0.5;
    y.tanh_().add_(1.5).sqrt_().mul_(2.0);
    return y.exp_().sub_(1.0).sigmoid_().square_().neg_();
  };
}

absl::StatusOr<Forward> MakeForward(absl::string_view net, const Tensors& weights) {
  static const auto* const kNetworks = new std::map<std::string, Forward (*)(const Tensors&)>{
      {"mlp", Mlp},           {"lenet", LeNet},
      {"resnet18", ResNet18}, {"transformer", TransformerBlock},
      {"cheap", CheapOps},    {"mixed", MixedOps},
  };
  const auto it = kNetworks->find(std::string(net));
  if (it == kNetworks->end()) return absl::UnimplementedError(absl::StrCat("no network ", net));
  return it->second(weights);
}

Call TrainingStep(const Tensors& weights, const Forward& forward, const Tensors& inputs) {
  std::vector<Tensor> parameters;
  for (const auto& [name, weight] : weights) parameters.push_back(weight);
  auto optimizer =
      std::make_shared<torch::optim::SGD>(parameters, torch::optim::SGDOptions(kLearningRate));
  return [=, x = inputs.at("x"), labels = inputs.at("labels")] {
    const Tensor loss = at::cross_entropy_loss(forward(x), labels);
    optimizer->zero_grad();
    loss.backward();
    optimizer->step();
  };
}

absl::StatusOr<Call> Load(const LoadRequest& request) {
  at::set_num_threads(request.threads);
  absl::string_view net = request.net;
  const bool training = absl::ConsumeSuffix(&net, "-train");
  Tensors weights = ReadTensors(request.Path(kWeightsFile));
  for (auto& [name, weight] : weights) weight.requires_grad_(training);
  const Tensors inputs = ReadTensors(request.Path(kInputsFile));
  absl::StatusOr<Forward> forward = MakeForward(net, weights);
  if (!forward.ok()) return forward.status();
  if (training) {
    const Call step = TrainingStep(weights, *forward, inputs);
    step();
    WriteTensors(request.Path(kActualFile), weights);
    return step;
  }
  Tensor x = inputs.at("x");
  // The layout that its convolutions are fastest in.
  if (net == "resnet18") x = x.contiguous(at::MemoryFormat::ChannelsLast);
  const Call call = [x, forward = *forward] {
    const c10::InferenceMode mode;
    forward(x);
  };
  const c10::InferenceMode mode;
  WriteTensors(request.Path(kActualFile), {{"y", (*forward)(x)}});
  return call;
}

}  // namespace
}  // namespace tandem::benchmarks

int main() {
  at::set_num_interop_threads(1);
  return tandem::benchmarks::ServeWorker(TORCH_VERSION, tandem::benchmarks::Load, std::cin,
                                         std::cout);
}
