// How control flow runs: on the host, which reads predicates and decides what runs next. Everything
// that is computed is computed by bodies.

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/control_flow.h"
#include "tandem/core/ops/control_flow.h"

namespace tandem {
namespace {

absl::StatusOr<int64_t> ReadCount(const Tensor& tensor) {
  return DispatchDType(tensor.dtype(), [&](auto zero) -> absl::StatusOr<int64_t> {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      TANDEM_ASSIGN_OR_RETURN(const T value, tensor.Item<T>());
      return static_cast<int64_t>(value);
    }
    return absl::InternalError(absl::StrCat("no count: ", tensor.Describe()));
  });
}

// Element `index` along the first axis of a contiguous tensor.
absl::StatusOr<Tensor> Slice(const Tensor& tensor, int64_t index) {
  TensorSpec spec = tensor.spec();
  spec.shape.erase(0);
  TensorLayout layout = TensorLayout::Contiguous(spec);
  layout.offset = tensor.layout().offset + index * spec.shape.num_elements();
  return tensor.WithLayout(layout);
}

// Where output `i` goes: memory that was given, or memory of its own.
absl::StatusOr<Tensor> Destination(const ControlContext& c, size_t i, Device& device) {
  if (i < c.into.size() && c.into[i].defined()) return c.into[i];
  return Tensor::Empty(c.outputs[i], device);
}

absl::Status FillWithZeros(const Tensor& tensor) {
  const int64_t bytes = tensor.spec().num_bytes();
  if (bytes == 0) return absl::OkStatus();
  const int64_t start = tensor.layout().offset * DTypeSize(tensor.dtype());
  const BufferView place = BufferView::Of(*tensor.buffer(), start, bytes);
  Stream& stream = tensor.device()->default_stream();
  if (start % 4 == 0 && bytes % 4 == 0) return stream.Fill(place, 0);
  const std::vector<std::byte> zeros(static_cast<size_t>(bytes));
  TANDEM_ASSIGN_OR_RETURN(const Tensor source,
                          Tensor::FromBytes(zeros, tensor.spec(), *tensor.device()));
  return stream.Copy(BufferView::Of(*source.buffer(), 0, bytes), place);
}

// The state a loop starts with.
absl::StatusOr<std::vector<Tensor>> FirstState(const ControlContext& c, int64_t first,
                                               int64_t count) {
  std::vector<Tensor> state;
  for (int64_t i = first; i < first + count; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Tensor value, MakeContiguous(c.inputs[i], c.runner.invoker()));
    state.push_back(std::move(value));
  }
  return state;
}

}  // namespace

absl::StatusOr<TensorList> ExecuteCond(ControlContext& c) {
  TANDEM_ASSIGN_OR_RETURN(const bool holds, ReadPredicate(c.inputs[0]));
  return c.runner.Run(holds ? 0 : 1, c.inputs.subspan(1), c.into);
}

absl::StatusOr<TensorList> ExecuteScan(ControlContext& c) {
  const size_t first = c.attrs.Bool("counted") ? 1 : 0;
  const auto num_carry = static_cast<size_t>(c.attrs.Int("num_carry"));
  const auto num_scanned = static_cast<size_t>(c.attrs.Int("num_scanned"));
  const bool reverse = c.attrs.Bool("reverse");
  Invoker& invoker = c.runner.invoker();
  Device& device = *c.inputs[0].device();
  const int64_t length =
      num_scanned > 0 ? c.inputs[first + num_carry].shape()[0] : c.attrs.Int("length");
  int64_t steps = length;
  if (first == 1) {
    TANDEM_ASSIGN_OR_RETURN(steps, ReadCount(c.inputs[0]));
    if (steps < 0 || steps > length) {
      return absl::OutOfRangeError(
          absl::StrCat("scan: ", steps, " steps along an axis of ", length));
    }
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> carry,
                          FirstState(c, static_cast<int64_t>(first), num_carry));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> scanned,
                          FirstState(c, static_cast<int64_t>(first + num_carry), num_scanned));
  const absl::Span<const Tensor> captured = c.inputs.subspan(first + num_carry + num_scanned);
  std::vector<Tensor> stacked;
  // Functions of the host tell what they give when they have run once.
  bool known = !c.outputs.empty();
  for (size_t i = num_carry; i < c.outputs.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Tensor output, Destination(c, i, device));
    if (steps < length) TANDEM_RETURN_IF_ERROR(FillWithZeros(output));
    stacked.push_back(std::move(output));
  }
  std::vector<Tensor> arguments;
  std::vector<Tensor> into;
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t index = reverse ? steps - 1 - step : step;
    arguments = std::move(carry);
    for (const Tensor& tensor : scanned) {
      TANDEM_ASSIGN_OR_RETURN(Tensor slice, Slice(tensor, index));
      arguments.push_back(std::move(slice));
    }
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    into.assign(num_carry, Tensor());
    for (const Tensor& output : stacked) {
      TANDEM_ASSIGN_OR_RETURN(Tensor place, Slice(output, index));
      into.push_back(std::move(place));
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList results, c.runner.Run(0, arguments, into));
    for (size_t i = num_carry; !known && i < results.size(); ++i) {
      TensorSpec spec = results[i].spec();
      spec.shape.insert(0, length);
      TANDEM_RETURN_IF_ERROR(spec.shape.Validate());
      TANDEM_ASSIGN_OR_RETURN(Tensor output, Tensor::Empty(spec, device));
      TANDEM_ASSIGN_OR_RETURN(const Tensor place, Slice(output, index));
      TANDEM_RETURN_IF_ERROR(CopyInto(results[i], place, invoker));
      stacked.push_back(std::move(output));
    }
    known = true;
    carry.assign(results.begin(), results.begin() + num_carry);
  }
  TensorList outputs(carry.begin(), carry.end());
  TANDEM_RETURN_IF_ERROR(PlaceInto(&outputs, c.into, invoker));
  outputs.insert(outputs.end(), stacked.begin(), stacked.end());
  return outputs;
}

absl::StatusOr<TensorList> ExecuteWhileLoop(ControlContext& c) {
  const auto num_state = static_cast<size_t>(c.attrs.Int("num_state"));
  const int64_t most = c.attrs.Int("max_iterations");
  Invoker& invoker = c.runner.invoker();
  Device& device = *c.inputs[0].device();
  TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> state, FirstState(c, 0, num_state));
  const absl::Span<const Tensor> captured = c.inputs.subspan(num_state);
  const bool keeps = c.attrs.Bool("keep_states");
  std::vector<Tensor> kept;
  for (size_t i = 0; keeps && i < num_state; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Tensor output, Destination(c, num_state + i, device));
    TANDEM_RETURN_IF_ERROR(FillWithZeros(output));
    kept.push_back(std::move(output));
  }
  int64_t step = 0;
  std::vector<Tensor> arguments;
  for (; most < 0 || step < most; ++step) {
    arguments = state;
    arguments.insert(arguments.end(), captured.begin(), captured.end());
    TANDEM_ASSIGN_OR_RETURN(const TensorList goes_on, c.runner.Run(0, arguments, {}));
    TANDEM_ASSIGN_OR_RETURN(const bool holds, ReadPredicate(goes_on[0]));
    if (!holds) break;
    for (size_t i = 0; i < kept.size(); ++i) {
      TANDEM_ASSIGN_OR_RETURN(const Tensor place, Slice(kept[i], step));
      TANDEM_RETURN_IF_ERROR(CopyInto(state[i], place, invoker));
    }
    // Let go of before the step, so that its memory serves the next one.
    state.clear();
    TANDEM_ASSIGN_OR_RETURN(TensorList results, c.runner.Run(1, arguments, {}));
    state.assign(results.begin(), results.end());
  }
  TensorList outputs(state.begin(), state.end());
  if (keeps) {
    outputs.insert(outputs.end(), kept.begin(), kept.end());
    TANDEM_ASSIGN_OR_RETURN(Tensor count, Tensor::Scalar<int64_t>(step, device));
    outputs.push_back(std::move(count));
  }
  TANDEM_RETURN_IF_ERROR(PlaceInto(&outputs, c.into, invoker));
  return outputs;
}

}  // namespace tandem
