#include "tandem/backends/vulkan/kernels/contraction/fused_matmul.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "tandem/backends/vulkan/kernels/contraction/matmul.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"

namespace tandem::vulkan_backend {
namespace {

using Activation = Epilogue::Activation;

std::optional<Activation> ActivationOf(const OpBody::Step& step) {
  // Those that were seen to give the ops' own bits.
  constexpr std::array<std::pair<const char*, Activation>, 3> kActivations = {
      {{"relu", Activation::kRelu},
       {"sigmoid", Activation::kSigmoid},
       {"tanh", Activation::kTanh}}};
  for (const auto& [name, activation] : kActivations) {
    if (step.op->name == name) return activation;
  }
  return std::nullopt;
}

// What follows the product, if the body is a product of the inputs 0 and 1, perhaps with the bias 2.
std::optional<Epilogue> EpilogueOf(const OpBody& body) {
  const auto& steps = body.steps();
  if (steps.size() < 2 || steps[0].op->name != "matmul" || steps[0].inputs[0] != 0 ||
      steps[0].inputs[1] != 1) {
    return std::nullopt;
  }
  Epilogue epilogue;
  size_t next = 1;
  int32_t value = steps[0].first_output;
  const TensorSpec product = body.spec(value);
  const auto& sum = steps[1].inputs;
  if (steps[1].op->name == "add" && body.num_inputs() == 3 &&
      ((sum[0] == value && sum[1] == 2) || (sum[0] == 2 && sum[1] == value))) {
    // An element for each column, along the last axis, which a product with a vector does not have.
    const Shape& bias = body.spec(2).shape;
    if (body.spec(1).shape.rank() < 2 || bias.rank() == 0 ||
        bias.num_elements() != product.shape.back() || bias.back() != product.shape.back()) {
      return std::nullopt;
    }
    epilogue.bias = Epilogue::Bias::kColumn;
    value = steps[next++].first_output;
  } else if (body.num_inputs() != 2) {
    return std::nullopt;
  }
  if (next < steps.size()) {
    const std::optional<Activation> activation = ActivationOf(steps[next]);
    if (!activation || steps[next].inputs[0] != value) return std::nullopt;
    epilogue.activation = *activation;
    value = steps[next++].first_output;
  }
  const bool is_all = next == steps.size() && body.outputs().size() == 1 &&
                      body.outputs()[0] == value && body.spec(value) == product;
  return is_all ? std::optional(epilogue) : std::nullopt;
}

struct DenseLayer {
  Ref<const OpBody> body;
  Epilogue epilogue;
};

std::optional<DenseLayer> DenseLayerOf(const KernelRequest& request) {
  const OpBody* declared = BodyOf(request.op, request.attrs);
  if (declared == nullptr || request.outputs.size() != 1) return std::nullopt;
  std::vector<TensorSpec> specs;
  for (const TensorLayout& input : request.inputs) specs.push_back(input.spec);
  absl::StatusOr<Ref<const OpBody>> body = declared->WithInputs(specs);
  if (!body.ok()) return std::nullopt;
  const std::optional<Epilogue> epilogue = EpilogueOf(**body);
  if (!epilogue) return std::nullopt;
  return DenseLayer{*std::move(body), *epilogue};
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  const std::optional<DenseLayer> layer = DenseLayerOf(request);
  if (!layer) return absl::InternalError("fused_matmul: the body is not a dense layer");
  const OpBody::Step& product = layer->body->steps()[0];
  MatmulOptions options;
  options.epilogue = layer->epilogue;
  return PrepareMatmul(
      {*product.op, product.attrs, request.inputs, request.outputs, request.device}, options);
}

}  // namespace

absl::Status RegisterFusedMatmulKernels(KernelRegistry* registry) {
  KernelDef def = VulkanKernelDef("fused", "fused_matmul",
                                  {DType::kF32, DType::kF64, DType::kI32, DType::kI64}, &Prepare);
  def.strided_inputs = true;
  def.stands_for = {"matmul:matmul", "*:elementwise"};
  def.supports = [computes = std::move(def.supports)](const KernelRequest& request) {
    if (computes && !computes(request)) return false;
    const std::optional<DenseLayer> layer = DenseLayerOf(request);
    if (!layer) return false;
    const DType dtype = request.outputs[0].spec.dtype;
    for (const TensorLayout& input : request.inputs) {
      if (input.spec.dtype != dtype) return false;
    }
    return CheckEpilogue("fused", layer->epilogue, dtype).ok();
  };
  return registry->Register(std::move(def));
}

}  // namespace tandem::vulkan_backend
