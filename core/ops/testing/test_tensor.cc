#include "tandem/core/ops/testing/test_tensor.h"

#include <algorithm>
#include <random>
#include <utility>

namespace tandem {

TestTensor MakeTensor(const TensorSpec& spec, std::vector<double> values) {
  return {TensorLayout::Contiguous(spec), std::move(values)};
}

TestTensor RandomTensor(const TensorSpec& spec, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(spec.shape.num_elements());
  for (double& value : values) {
    if (IsFloating(spec.dtype)) {
      value = RoundTo(spec.dtype, normal(generator));
    } else if (spec.dtype == DType::kBool) {
      value = static_cast<double>(generator() % 2);
    } else {
      value =
          spec.dtype == DType::kU8 ? generator() % 10 : static_cast<double>(generator() % 19) - 9;
    }
  }
  return MakeTensor(spec, std::move(values));
}

double RoundTo(DType dtype, double value) {
  return DispatchDType(
      dtype, [&](auto zero) { return static_cast<double>(static_cast<decltype(zero)>(value)); });
}

double StorageRoundoff(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return 0x1p-11;
    case DType::kBF16:
      return 0x1p-8;
    case DType::kF32:
      return 0x1p-24;
    case DType::kF64:
      return 0x1p-53;
    default:
      return 0;
  }
}

double ComputeRoundoff(DType dtype) { return std::min(StorageRoundoff(dtype), 0x1p-24); }

}  // namespace tandem
