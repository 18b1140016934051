// CompileKey: what a compiled entry was made for. Equal keys run the same program.
//
//   CompileKey key = CompileKey::Of(inputs, /*gradient=*/false);
//   key.ToString();  // "f32[16,10] cpu:0, inference"
//
// Thread rules: a value type.
#ifndef TANDEM_GRAPH_COMPILE_COMPILE_KEY_H_
#define TANDEM_GRAPH_COMPILE_COMPILE_KEY_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

struct CompileKey {
  struct Argument {
    TensorSpec spec;
    Device* device = nullptr;
    bool requires_grad = false;  // false unless `gradient`
    // How it lies if it is not contiguous: kernels choose by strides. Else empty and 0.
    Strides strides = {};
    int64_t offset = 0;
    friend bool operator==(const Argument&, const Argument&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Argument& a) {
      return H::combine(std::move(h), a.spec, a.device, a.requires_grad, a.strides, a.offset);
    }
  };

  absl::InlinedVector<Argument, 4> arguments;
  bool training = false;
  bool gradient = false;  // with what a backward pass needs
  // Of the kernel registry: a kernel that was registered later may be better.
  int64_t kernel_generation = 0;

  // Of a call on this thread, now. All inputs are defined and concrete.
  static CompileKey Of(absl::Span<const Tensor> inputs, bool gradient);
  // Whether Of(inputs, gradient) would be equal; does not allocate.
  bool Matches(absl::Span<const Tensor> inputs, bool gradient) const;

  std::string ToString() const;
  // What is new, compared with an older key: "argument 0: new shape [32,10], was [16,10]".
  std::string Difference(const CompileKey& older) const;

  friend bool operator==(const CompileKey&, const CompileKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const CompileKey& k) {
    return H::combine(std::move(h), k.arguments, k.training, k.gradient, k.kernel_generation);
  }
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_COMPILE_KEY_H_
