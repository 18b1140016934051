#include "tandem/frontends/cpp/array.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/autograd/device_copy.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/random.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem {
namespace {

Device& DeviceOrDefault(Device* device) { return device != nullptr ? *device : DefaultDevice(); }

// A block is four 32-bit words.
RandomState Draw(const IntList& shape, Device& device) {
  const Shape checked = shape.ToShape();
  Check(checked.Validate());
  return Value(NextRandom(device, DivideRoundUp(checked.num_elements(), 4)));
}

// The half-open range that a Python slice takes of a dimension.
std::pair<int64_t, int64_t> Range(int64_t begin, int64_t end, int64_t size) {
  auto clamp = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp(begin);
  return {first, std::max(first, clamp(end))};
}

// Copies rows of `from` (of shape `part`) to the place `begin` of `to` (of shape `whole`).
void CopyRows(const Shape& whole, const Shape& part, const std::vector<int64_t>& begin,
              size_t element_size, const std::byte* from, std::byte* to) {
  const int rank = whole.rank();
  const Strides to_strides = ContiguousStrides(whole);
  const Strides from_strides = ContiguousStrides(part);
  std::function<void(int, int64_t, int64_t)> copy = [&](int axis, int64_t source, int64_t target) {
    if (axis == rank - 1 || rank == 0) {
      const int64_t start = rank == 0 ? 0 : begin[axis];
      const int64_t count = rank == 0 ? 1 : part[axis];
      std::memcpy(to + (target + start) * element_size, from + source * element_size,
                  count * element_size);
      return;
    }
    for (int64_t i = 0; i < part[axis]; ++i) {
      copy(axis + 1, source + i * from_strides[axis],
           target + (begin[axis] + i) * to_strides[axis]);
    }
  };
  if (part.num_elements() > 0) copy(0, 0, 0);
}

std::vector<std::byte> Bytes(const Tensor& x) {
  std::vector<std::byte> bytes(x.spec().num_bytes());
  Check(x.CopyToHost(absl::MakeSpan(bytes)));
  return bytes;
}

}  // namespace

Tensor Zeros(const IntList& shape, DType dtype, Device* device) {
  return Full(shape, 0.0, {.dtype = dtype}, &DeviceOrDefault(device));
}

Tensor Ones(const IntList& shape, DType dtype, Device* device) {
  return Full(shape, 1.0, {.dtype = dtype}, &DeviceOrDefault(device));
}

Tensor ZerosLike(const Tensor& x) {
  CheckDefined("ZerosLike", x);
  return Zeros(x.shape(), x.dtype(), x.device());
}
Tensor OnesLike(const Tensor& x) {
  CheckDefined("OnesLike", x);
  return Ones(x.shape(), x.dtype(), x.device());
}

Tensor RandomUniform(const IntList& shape, double low, double high, DType dtype, Device* device) {
  const RandomState draw = Draw(shape, DeviceOrDefault(device));
  return RandomUniform(draw.state, shape,
                       {.low = low, .high = high, .dtype = dtype, .delta = draw.delta});
}

Tensor RandomNormal(const IntList& shape, double mean, double stddev, DType dtype, Device* device) {
  const RandomState draw = Draw(shape, DeviceOrDefault(device));
  return RandomNormal(draw.state, shape,
                      {.mean = mean, .stddev = stddev, .dtype = dtype, .delta = draw.delta});
}

Tensor RandomBernoulli(const IntList& shape, double p, DType dtype, Device* device) {
  const RandomState draw = Draw(shape, DeviceOrDefault(device));
  return RandomBernoulli(draw.state, shape, {.p = p, .dtype = dtype, .delta = draw.delta});
}

namespace random {
void Seed(uint64_t seed) { SeedRandom(seed); }
}  // namespace random

Tensor To(const Tensor& x, Device& device, SourceLocation loc) {
  CheckDefined("To", x);
  absl::StatusOr<Tensor> moved = MoveTo(x, device);
  if (!moved.ok()) {
    throw Error(absl::Status(moved.status().code(), absl::StrCat("To: ", moved.status().message(),
                                                                 " [at ", ToString(loc), "]")));
  }
  return *std::move(moved);
}

Tensor To(const Tensor& x, absl::string_view device, SourceLocation loc) {
  return To(x, OpenDevice(device), loc);
}

double ItemAsDouble(const Tensor& x) {
  CheckDefined("ItemAsDouble", x);
  return DispatchDType(
      x.dtype(), [&](auto zero) { return static_cast<double>(Value(x.Item<decltype(zero)>())); });
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  return out << (x.defined() ? x.ToString() : "(empty tensor)");
}

void WriteInto(Tensor& x, const IntList& begin, const IntList& end, const Tensor& value,
               SourceLocation loc) {
  CheckDefined("WriteInto", x);
  CheckDefined("WriteInto", value);
  if (x.is_symbolic() || value.is_symbolic()) {
    throw Error(absl::FailedPreconditionError(absl::StrCat(
        "WriteInto: ", (x.is_symbolic() ? x : value).Describe(),
        " is being traced, and a graph's values never change [at ", ToString(loc),
        "]. Rewrite `WriteInto(x, begin, end, value)` as an expression, such as "
        "`x = Where(mask, value, x)`, or `x = Concat({before, value, after}, {.axis = …})`")));
  }
  // The values are copied on the host, where no gradient can flow.
  if (IsRecording() && (RequiresGrad(x) || RequiresGrad(value))) {
    throw Error(absl::FailedPreconditionError(absl::StrCat(
        "WriteInto: ", (RequiresGrad(x) ? x : value).Describe(),
        " has a gradient that is being recorded, and writing would cut it off [at ", ToString(loc),
        "]. Rewrite `WriteInto(x, begin, end, value)` as an expression, such as "
        "`x = Where(mask, value, x)`, or `x = Concat({before, value, after}, {.axis = …})`; or "
        "Detach both, or write in a PauseScope, if no gradient is wanted")));
  }
  const int rank = x.rank();
  if (begin.size() != end.size() || begin.size() > rank) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        "WriteInto(", x.Describe(), "): begin has ", begin.size(), " numbers, end has ", end.size(),
        "; both need the same, at most ", rank, " [at ", ToString(loc), "]")));
  }
  std::vector<int64_t> start(rank, 0);
  Shape part;
  for (int i = 0; i < rank; ++i) {
    const auto [first, last] = i < begin.size()
                                   ? Range(begin.values()[i], end.values()[i], x.shape()[i])
                                   : std::pair<int64_t, int64_t>(0, x.shape()[i]);
    start[i] = first;
    part.push_back(last - first);
  }
  const Tensor source = BroadcastTo(Cast(value, x.dtype()), part, loc);
  std::vector<std::byte> bytes = Bytes(x);
  CopyRows(x.shape(), part, start, DTypeSize(x.dtype()), Bytes(source).data(), bytes.data());
  x = Value(Tensor::FromBytes(bytes, x.spec(), *x.device()));
}

}  // namespace tandem
