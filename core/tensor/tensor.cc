#include "tandem/core/tensor/tensor.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/tensor/transfer.h"

namespace tandem {
namespace {

// The first and one past the last element that `layout` touches, relative to the buffer.
absl::StatusOr<std::pair<int64_t, int64_t>> ElementRange(const TensorLayout& layout) {
  TANDEM_RETURN_IF_ERROR(layout.spec.shape.Validate());
  const Shape& shape = layout.spec.shape;
  if (shape.num_elements() == 0) return std::pair<int64_t, int64_t>{0, 0};
  int64_t low = layout.offset;
  int64_t high = layout.offset;
  for (int i = 0; i < shape.rank(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(const int64_t reach, CheckedMul(shape[i] - 1, layout.strides[i]));
    TANDEM_ASSIGN_OR_RETURN(low, CheckedAdd(low, std::min<int64_t>(reach, 0)));
    TANDEM_ASSIGN_OR_RETURN(high, CheckedAdd(high, std::max<int64_t>(reach, 0)));
  }
  TANDEM_ASSIGN_OR_RETURN(high, CheckedAdd(high, 1));
  return std::pair<int64_t, int64_t>{low, high};
}

absl::Status CheckLayout(const TensorLayout& layout, int64_t buffer_bytes) {
  if (layout.strides.rank() != layout.spec.shape.rank()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "strides ", layout.strides.ToString(), " do not fit shape ", layout.spec.shape.ToString()));
  }
  TANDEM_ASSIGN_OR_RETURN(const auto range, ElementRange(layout));
  TANDEM_ASSIGN_OR_RETURN(const int64_t end_bytes,
                          CheckedMul(range.second, DTypeSize(layout.spec.dtype)));
  if (range.first < 0 || end_bytes > buffer_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a tensor ", layout.spec.ToString(), " at element ", layout.offset, " with strides ",
        layout.strides.ToString(), " leaves its buffer of ", buffer_bytes, " bytes"));
  }
  return absl::OkStatus();
}

// Copies elements of `size` bytes with `strides` from `base` into row-major `out`.
void GatherStrided(const std::byte* base, const TensorLayout& layout, std::byte* out) {
  const Shape& shape = layout.spec.shape;
  const int64_t size = DTypeSize(layout.spec.dtype);
  const int64_t count = shape.num_elements();
  Dims index = Dims::Filled(shape.rank(), 0);
  int64_t element = layout.offset;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out + i * size, base + element * size, size);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      element += layout.strides[axis];
      if (++index[axis] < shape[axis]) break;
      element -= layout.strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

// As many copies on a device cost about what a way through the host does, which waits for the device.
constexpr int64_t kMaxRuns = 256;

// Copies the elements to `to`, row-major, on the tensor's own device: one copy for each run of elements
// that lie together. False, and nothing is done, if there are more than kMaxRuns. Not for no elements.
absl::StatusOr<bool> CopyRuns(const Tensor& tensor, Buffer& to) {
  const TensorLayout& layout = tensor.layout();
  const Shape& shape = layout.spec.shape;
  int64_t run = 1;  // elements
  int axis = shape.rank();
  for (; axis > 0 && (shape[axis - 1] == 1 || layout.strides[axis - 1] == run); --axis) {
    run *= shape[axis - 1];
  }
  const int64_t runs = shape.num_elements() / run;
  if (runs > kMaxRuns) return false;
  const int64_t bytes = run * DTypeSize(layout.spec.dtype);
  for (int64_t i = 0; i < runs; ++i) {
    int64_t element = layout.offset;
    int64_t rest = i;
    for (int outer = axis - 1; outer >= 0; --outer) {
      element += rest % shape[outer] * layout.strides[outer];
      rest /= shape[outer];
    }
    TANDEM_RETURN_IF_ERROR(tensor.device()->default_stream().Copy(
        BufferView::Of(*tensor.buffer(), element * DTypeSize(layout.spec.dtype), bytes),
        BufferView::Of(to, i * bytes, bytes)));
  }
  return true;
}

// The elements of a tensor where the host can read them, after the work that makes them.
class HostElements {
 public:
  static absl::StatusOr<HostElements> Of(const Tensor& tensor) {
    HostElements elements(tensor.layout());
    const Ref<Buffer>& buffer = tensor.buffer();
    Device& device = *tensor.device();
    if (buffer->host_visible()) {
      Stream& stream = device.default_stream();
      TANDEM_RETURN_IF_ERROR(stream.Synchronize(stream.Now()));
      TANDEM_ASSIGN_OR_RETURN(elements.base_, buffer->Map());
      elements.mapped_ = buffer;
      return elements;
    }
    // The part of the buffer that the tensor touches.
    TANDEM_ASSIGN_OR_RETURN(const auto range, ElementRange(tensor.layout()));
    const int64_t size = DTypeSize(tensor.dtype());
    const int64_t bytes = (range.second - range.first) * size;
    TANDEM_RETURN_IF_ERROR(CheckHostMemory(bytes));
    elements.copied_.resize(bytes);
    TANDEM_RETURN_IF_ERROR(Download(BufferView::Of(*buffer, range.first * size, bytes),
                                    absl::MakeSpan(elements.copied_), device));
    elements.layout_.offset -= range.first;
    elements.base_ = elements.copied_.data();
    return elements;
  }
  HostElements(HostElements&&) = default;
  HostElements& operator=(HostElements&&) = default;
  ~HostElements() {
    if (mapped_ != nullptr) (void)mapped_->Unmap();
  }

  // Where element 0 of `layout` would be.
  const std::byte* base() const { return base_; }
  const TensorLayout& layout() const { return layout_; }

 private:
  explicit HostElements(const TensorLayout& layout) : layout_(layout) {}

  TensorLayout layout_;
  Ref<Buffer> mapped_;
  std::vector<std::byte> copied_;
  const std::byte* base_ = nullptr;
};

void AppendElement(std::string* out, DType dtype, const std::byte* data) {
  DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    T value;
    std::memcpy(&value, data, sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      absl::StrAppend(out, value ? "true" : "false");
    } else if constexpr (sizeof(T) == 1) {
      absl::StrAppend(out, static_cast<int>(value));
    } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      absl::StrAppend(out, static_cast<float>(value));
    } else {
      absl::StrAppend(out, value);
    }
  });
}

// Rows beyond this many are shortened to the first and last three.
constexpr int64_t kPrintedPerAxis = 8;

// Reads only what it prints: a broadcast view may have more elements than memory could hold.
void AppendValues(std::string* out, const TensorLayout& layout, const std::byte* base,
                  int64_t element, int axis) {
  const Shape& shape = layout.spec.shape;
  if (axis == shape.rank()) {
    AppendElement(out, layout.spec.dtype, base + element * DTypeSize(layout.spec.dtype));
    return;
  }
  const int64_t n = shape[axis];
  *out += "[";
  for (int64_t i = 0; i < n; ++i) {
    if (i > 0) *out += ", ";
    if (n > kPrintedPerAxis && i == 3) {
      *out += "...";
      i = n - 4;
      continue;
    }
    AppendValues(out, layout, base, element + i * layout.strides[axis], axis + 1);
  }
  *out += "]";
}

}  // namespace

absl::StatusOr<Tensor> Tensor::FromBuffer(Ref<Buffer> buffer, const TensorLayout& layout,
                                          Device& device) {
  TANDEM_RETURN_IF_ERROR(CheckLayout(layout, buffer->size()));
  auto impl = MakeRef<TensorImpl>();
  impl->layout = layout;
  impl->device = &device;
  impl->buffer = std::move(buffer);
  return Tensor(std::move(impl));
}

absl::StatusOr<Tensor> Tensor::Empty(const TensorSpec& spec, Device& device) {
  TANDEM_RETURN_IF_ERROR(spec.shape.Validate());
  auto buffer = device.allocator().Allocate(spec.num_bytes());
  if (!buffer.ok()) {
    return Annotate(buffer.status(),
                    absl::StrCat("allocating ", spec.ToString(), " on ", device.id().ToString()));
  }
  auto impl = MakeRef<TensorImpl>();
  impl->layout = TensorLayout::Contiguous(spec);
  impl->device = &device;
  impl->buffer = *std::move(buffer);
  return Tensor(std::move(impl));
}

absl::StatusOr<Tensor> Tensor::FromBytes(absl::Span<const std::byte> bytes, const TensorSpec& spec,
                                         Device& device) {
  TANDEM_RETURN_IF_ERROR(spec.shape.Validate());
  if (static_cast<int64_t>(bytes.size()) != spec.num_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(bytes.size() / DTypeSize(spec.dtype),
                                                   " values given for ", spec.ToString(),
                                                   ", which has ", spec.shape.num_elements()));
  }
  TANDEM_ASSIGN_OR_RETURN(Tensor tensor, Empty(spec, device));
  if (bytes.empty()) return tensor;
  TANDEM_RETURN_IF_ERROR(Upload(bytes, BufferView::Of(*tensor.buffer(), 0, bytes.size()), device));
  return tensor;
}

Tensor Tensor::Symbolic(const TensorSpec& spec, Device* device, Ref<Symbol> symbol) {
  auto impl = MakeRef<TensorImpl>();
  impl->layout = TensorLayout::Contiguous(spec);
  impl->device = device;
  impl->symbol = std::move(symbol);
  return Tensor(std::move(impl));
}

BufferView Tensor::view() const { return BufferView::Of(*impl_->buffer); }

absl::StatusOr<Tensor> Tensor::WithLayout(const TensorLayout& layout) const {
  return FromBuffer(impl_->buffer, layout, *impl_->device);
}

absl::Status Tensor::CheckRead(DType wanted, absl::string_view what) const {
  if (!defined()) {
    return absl::FailedPreconditionError(absl::StrCat(what, " of an undefined tensor"));
  }
  if (is_symbolic()) return impl_->symbol->ValueError(what);
  if (dtype() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(what, " as ", DTypeName(wanted), " of ",
                                                   Describe(), "; cast it first, or read it as ",
                                                   DTypeName(dtype())));
  }
  return absl::OkStatus();
}

absl::Status Tensor::CopyToHost(absl::Span<std::byte> out) const {
  TANDEM_RETURN_IF_ERROR(CheckRead(defined() ? dtype() : DType::kF32, "reading values"));
  if (static_cast<int64_t>(out.size()) != spec().num_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("a destination of ", out.size(), " bytes for ",
                                                   Describe(), ", which has ", spec().num_bytes()));
  }
  if (out.empty()) return absl::OkStatus();
  if (is_contiguous()) {
    return Download(
        BufferView::Of(*buffer(), layout().offset * DTypeSize(dtype()), spec().num_bytes()), out,
        *device());
  }
  TANDEM_ASSIGN_OR_RETURN(const HostElements elements, HostElements::Of(*this));
  GatherStrided(elements.base(), elements.layout(), out.data());
  return absl::OkStatus();
}

std::string Tensor::Describe() const {
  if (!defined()) return "undefined tensor";
  if (is_symbolic()) return impl_->symbol->Describe();
  return absl::StrCat(spec().ToString(), " ", device()->id().ToString());
}

std::string Tensor::ToString() const {
  if (!defined() || is_symbolic()) return Describe();
  std::string text = absl::StrCat(Describe(), " ");
  if (num_elements() == 0) {
    AppendValues(&text, layout(), nullptr, 0, 0);
    return text;
  }
  const absl::StatusOr<HostElements> elements = HostElements::Of(*this);
  if (!elements.ok()) return absl::StrCat(text, "<", elements.status().ToString(), ">");
  AppendValues(&text, elements->layout(), elements->base(), elements->layout().offset, 0);
  return text;
}

absl::Status CheckHostMemory(int64_t bytes) {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0 || bytes / page < pages) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the host has no room for ", bytes, " bytes; reduce or slice the tensor first"));
}

absl::StatusOr<Tensor> CopyToDevice(const Tensor& tensor, Device& device) {
  if (!tensor.defined()) return absl::InvalidArgumentError("copying an undefined tensor");
  if (tensor.is_symbolic()) return tensor.symbol()->ValueError("copying to another device");
  if (tensor.device() == &device && tensor.is_contiguous()) return tensor;
  const int64_t bytes = tensor.spec().num_bytes();
  TANDEM_ASSIGN_OR_RETURN(Tensor copy, Tensor::Empty(tensor.spec(), device));
  if (bytes == 0) return copy;
  if (tensor.device() == &device) {
    TANDEM_ASSIGN_OR_RETURN(const bool copied, CopyRuns(tensor, *copy.buffer()));
    if (copied) return copy;
  }
  TANDEM_RETURN_IF_ERROR(CheckHostMemory(bytes));
  const BufferView to = BufferView::Of(*copy.buffer(), 0, bytes);
  if (copy.buffer()->host_visible()) {
    TANDEM_ASSIGN_OR_RETURN(std::byte* const host, copy.buffer()->Map());
    const absl::Status status = tensor.CopyToHost(absl::MakeSpan(host, bytes));
    TANDEM_RETURN_IF_ERROR(copy.buffer()->Unmap());
    TANDEM_RETURN_IF_ERROR(status);
    return copy;
  }
  if (tensor.is_contiguous() && tensor.buffer()->host_visible()) {
    TANDEM_ASSIGN_OR_RETURN(const HostElements elements, HostElements::Of(tensor));
    const std::byte* const first =
        elements.base() + elements.layout().offset * DTypeSize(tensor.dtype());
    TANDEM_RETURN_IF_ERROR(Upload(absl::MakeConstSpan(first, bytes), to, device));
    return copy;
  }
  std::vector<std::byte> host(bytes);
  TANDEM_RETURN_IF_ERROR(tensor.CopyToHost(absl::MakeSpan(host)));
  TANDEM_RETURN_IF_ERROR(Upload(host, to, device));
  return copy;
}

}  // namespace tandem
