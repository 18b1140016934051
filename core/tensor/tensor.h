// Tensor: the value that users and ops handle.
//
// A Tensor is a one-word handle to a shared, immutable description: either *concrete* (elements in
// a buffer of a device, with strides, so views cost nothing) or *symbolic* (a value of a graph that
// is being recorded; it has a spec and no elements). Ops take either kind.
//
//   TANDEM_ASSIGN_OR_RETURN(Tensor x, Tensor::FromVector<float>({1, 2, 3, 4}, {2, 2}, *device));
//   TANDEM_ASSIGN_OR_RETURN(std::vector<float> values, x.ToVector<float>());
//
// `a += b` rebinds a handle to a new tensor; nothing writes through one. That is why it works the
// same way in a trace.
// Thread rules: a handle is a value type. Different handles of one tensor may be used by different
// threads.
#ifndef TANDEM_CORE_TENSOR_TENSOR_H_
#define TANDEM_CORE_TENSOR_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

class Interpreter;

// What makes a tensor symbolic. The graph package derives from it; core only asks it to describe
// itself and who records it.
class Symbol : public RefCounted {
 public:
  // "%12 = relu : f32[16,10]"
  virtual std::string Describe() const = 0;
  // The name of the value in its graph: "%12", "%data".
  virtual std::string name() const = 0;
  // FAILED_PRECONDITION: `what` (such as "Item()") needs values, which a symbol does not have;
  // names the op, block path and line that made it, and the remedy.
  virtual absl::Status ValueError(absl::string_view what) const = 0;
  // Who records ops on this symbol.
  virtual Interpreter* interpreter() const = 0;
};

// What autograd hangs on a tensor (core/autograd derives from it).
class AutogradMeta : public RefCounted {};

// Shared by all handles of a tensor. Constant, but for `autograd`, which is set before a second
// thread can see the tensor, or under the user's own order.
struct TensorImpl : public RefCounted {
  TensorLayout layout;
  Device* device = nullptr;  // null for a symbol whose device is not known yet
  Ref<Buffer> buffer;        // null if symbolic
  Ref<Symbol> symbol;        // null if concrete
  Ref<AutogradMeta> autograd;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: !defined()
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  // A concrete tensor over a buffer. INVALID_ARGUMENT if the layout leaves the buffer.
  static absl::StatusOr<Tensor> FromBuffer(Ref<Buffer> buffer, const TensorLayout& layout,
                                           Device& device);
  // Uninitialised memory of the device.
  static absl::StatusOr<Tensor> Empty(const TensorSpec& spec, Device& device);
  // A copy of `bytes` (row-major, spec.num_bytes() of them).
  static absl::StatusOr<Tensor> FromBytes(absl::Span<const std::byte> bytes, const TensorSpec& spec,
                                          Device& device);
  // A copy of `values`. INVALID_ARGUMENT unless their number is that of `shape`.
  template <typename T>
  static absl::StatusOr<Tensor> FromVector(const std::vector<T>& values, const Shape& shape,
                                           Device& device);
  template <typename T>
  static absl::StatusOr<Tensor> Scalar(T value, Device& device) {
    return FromBytes({reinterpret_cast<const std::byte*>(&value), sizeof(T)},
                     {DTypeOf<T>::value, {}}, device);
  }
  static Tensor Symbolic(const TensorSpec& spec, Device* device, Ref<Symbol> symbol);

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const = delete;  // say defined(), or Item<bool>() for the value

  // The rest needs defined().
  bool is_symbolic() const { return static_cast<bool>(impl_->symbol); }
  const TensorSpec& spec() const { return impl_->layout.spec; }
  const TensorLayout& layout() const { return impl_->layout; }
  DType dtype() const { return spec().dtype; }
  const Shape& shape() const { return spec().shape; }
  int rank() const { return shape().rank(); }
  int64_t num_elements() const { return shape().num_elements(); }
  const Strides& strides() const { return impl_->layout.strides; }
  bool is_contiguous() const { return impl_->layout.is_contiguous(); }
  Device* device() const { return impl_->device; }
  const Ref<Buffer>& buffer() const { return impl_->buffer; }
  const Ref<Symbol>& symbol() const { return impl_->symbol; }
  TensorImpl* impl() const { return impl_.get(); }

  // The whole buffer, as kernels bind it: layout() counts its offset from there. Concrete only.
  BufferView view() const;

  // The same elements with another layout. Concrete tensors only; checked like FromBuffer.
  absl::StatusOr<Tensor> WithLayout(const TensorLayout& layout) const;

  // Copies all elements, row-major, to the host; waits for the work before. FAILED_PRECONDITION
  // for a symbol, INVALID_ARGUMENT for a wrong size.
  absl::Status CopyToHost(absl::Span<std::byte> out) const;
  // INVALID_ARGUMENT if T does not store this tensor's dtype.
  template <typename T>
  absl::StatusOr<std::vector<T>> ToVector() const;
  // The only element; INVALID_ARGUMENT if there are more or none.
  template <typename T>
  absl::StatusOr<T> Item() const;

  // "f32[2,2] cpu:0", or the symbol's description. Never reads values.
  std::string Describe() const;
  // Values as nested rows, shortened for large tensors; a symbol describes itself.
  std::string ToString() const;

 private:
  absl::Status CheckRead(DType wanted, absl::string_view what) const;

  Ref<TensorImpl> impl_;
};

using TensorList = absl::InlinedVector<Tensor, 2>;

// RESOURCE_EXHAUSTED if the host could not hold this many bytes: asked before a copy of a tensor is
// made there, since a broadcast view can be of any size.
absl::Status CheckHostMemory(int64_t bytes);

// A copy of `tensor` in memory of `device`, row-major; waits for the work that makes the elements, but
// not for the device that they go to. The same handle if it is there already and contiguous; if it is
// there in few pieces, they are copied on the device, and nothing waits.
absl::StatusOr<Tensor> CopyToDevice(const Tensor& tensor, Device& device);

// -------------------------------------------------------------------------------------------------

template <typename T>
absl::StatusOr<Tensor> Tensor::FromVector(const std::vector<T>& values, const Shape& shape,
                                          Device& device) {
  if constexpr (std::is_same_v<T, bool>) {
    // std::vector<bool> has no bytes to copy from.
    std::vector<uint8_t> bytes(values.begin(), values.end());
    return FromBytes(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()),
                                         bytes.size()),
                     {DType::kBool, shape}, device);
  } else {
    return FromBytes(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values.data()),
                                         values.size() * sizeof(T)),
                     {DTypeOf<T>::value, shape}, device);
  }
}

template <typename T>
absl::StatusOr<std::vector<T>> Tensor::ToVector() const {
  if (absl::Status status = CheckRead(DTypeOf<T>::value, "ToVector()"); !status.ok()) return status;
  if (absl::Status status = CheckHostMemory(spec().num_bytes()); !status.ok()) return status;
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<uint8_t> bytes(num_elements());
    const absl::Status status = CopyToHost(
        absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size()));
    if (!status.ok()) return status;
    return std::vector<bool>(bytes.begin(), bytes.end());
  } else {
    std::vector<T> values(num_elements());
    const absl::Status status = CopyToHost(
        absl::MakeSpan(reinterpret_cast<std::byte*>(values.data()), values.size() * sizeof(T)));
    if (!status.ok()) return status;
    return values;
  }
}

template <typename T>
absl::StatusOr<T> Tensor::Item() const {
  if (absl::Status status = CheckRead(DTypeOf<T>::value, "Item()"); !status.ok()) return status;
  if (num_elements() != 1) {
    return absl::InvalidArgumentError("Item() needs exactly one element, this is " + Describe());
  }
  T value{};
  const absl::Status status =
      CopyToHost(absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(T)));
  if (!status.ok()) return status;
  return value;
}

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_TENSOR_H_
