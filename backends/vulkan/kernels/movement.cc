#include "tandem/backends/vulkan/kernels/movement.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace tandem::vulkan_backend {
namespace {

// The type of 32 bits that holds every value of a narrower one.
DType Widened(DType dtype) { return IsFloating(dtype) ? DType::kF32 : DType::kI32; }

template <typename Int>
Int Saturate(double value) {
  using Limits = std::numeric_limits<Int>;
  if (std::isnan(value)) return 0;
  if (value >= -static_cast<double>(Limits::min())) return Limits::max();
  if (value <= static_cast<double>(Limits::min())) return Limits::min();
  return static_cast<Int>(value);
}

template <typename T>
T CastElement(double value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return Saturate<int64_t>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(Saturate<int32_t>(value));
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace

bool CanAddress(const Capabilities& capabilities, int64_t bytes) {
  if (bytes == 1) return capabilities.storage8;
  if (bytes == 2) return capabilities.storage16;
  return true;
}

Movement Movement::OfRuns(const Capabilities& capabilities, DType dtype,
                          absl::Span<const int64_t> runs) {
  int64_t common = 0;
  for (int64_t run : runs) common = std::gcd(common, run);
  const auto widest = [common](DType type) {
    const int64_t bytes = common * DTypeSize(type);
    return static_cast<int>(bytes == 0 ? 16 : std::min<int64_t>(bytes & -bytes, 16));
  };
  const int unit = widest(dtype);
  if (CanAddress(capabilities, unit)) return {dtype, unit};
  return {Widened(dtype), widest(Widened(dtype))};
}

Movement Movement::OfElements(const Capabilities& capabilities, DType dtype) {
  const int size = static_cast<int>(DTypeSize(dtype));
  if (CanAddress(capabilities, size)) return {dtype, size};
  return {Widened(dtype), 4};
}

uint32_t GroupSize(const Capabilities& capabilities) {
  return std::min<uint32_t>(256, capabilities.max_workgroup_invocations);
}

std::array<uint32_t, 2> UnitPattern(const Movement& move, DType dtype, double value) {
  uint64_t bits = 0;
  // First rounded to the dtype itself, so that a detour through a wider one changes nothing.
  DispatchDType(dtype, [&](auto zero) {
    const auto element = CastElement<decltype(zero)>(value);
    if (move.dtype == dtype) {
      std::memcpy(&bits, &element, sizeof(element));
    } else if (move.dtype == DType::kF32) {
      const auto wide = static_cast<float>(element);
      std::memcpy(&bits, &wide, sizeof(wide));
    } else {
      const auto wide = static_cast<int32_t>(element);
      std::memcpy(&bits, &wide, sizeof(wide));
    }
  });
  for (int64_t filled = DTypeSize(move.dtype); filled < 8; filled *= 2) {
    bits |= bits << (8 * filled);
  }
  return {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)};
}

absl::Status CheckUnits(const KernelRequest& request, const Movement& move) {
  const auto check = [&](const TensorLayout& layout) {
    if (move.Units(layout.spec.shape.num_elements()) <= std::numeric_limits<int32_t>::max()) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(request.op.name, ": ", layout.spec.ToString(),
                     " has more elements than the 32-bit indices of a shader reach; split it"));
  };
  for (const TensorLayout& layout : request.inputs) {
    if (const absl::Status status = check(layout); !status.ok()) return status;
  }
  for (const TensorLayout& layout : request.outputs) {
    if (const absl::Status status = check(layout); !status.ok()) return status;
  }
  return absl::OkStatus();
}

IndexOperand IndicesOf(KernelBuilder& builder, const KernelRequest& request, int input) {
  if (request.inputs[input].spec.dtype == DType::kI64) return {builder.Input(input), 2};
  return {builder.InputAs(input, DType::kI32), 1};
}

bool HasIntegerIndices(const KernelRequest& request) {
  return IsInteger(request.inputs[request.inputs.size() - 1].spec.dtype);
}

}  // namespace tandem::vulkan_backend
