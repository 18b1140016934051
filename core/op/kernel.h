// Kernels: how a device computes an op. Two phases, so that everything that can be decided before a
// run is decided once.
//
//   Prepare(specs, attributes) picks a variant, compiles or prepacks, and tells its workspace size.
//   Record(recorder, buffers)  only records work; a compiled graph calls it once and replays.
//
//   registry->Register({.name = "softmax_rows", .op = "softmax", .device = cpu,
//                       .dtypes = {DType::kF32}, .prepare = PrepareSoftmax});
//
// Several kernels may serve one op on one device: the highest priority whose dtypes and `supports`
// fit wins, so a plugin overrides one op without touching others. A kernel of op "*" serves
// whatever ops its `supports` accepts, after the kernels of the op itself. Thread rules: register
// before use; Find from any thread; a PreparedKernel is immutable.
#ifndef TANDEM_CORE_OP_KERNEL_H_
#define TANDEM_CORE_OP_KERNEL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

class KernelRegistry;
class OpBody;

// What is asked for: one op on tensors of these layouts. Output layouts are contiguous from element
// 0; input layouts are so too, unless the kernel takes strided inputs.
struct KernelRequest {
  const OpDef& op;
  const AttributeMap& attrs;
  absl::Span<const TensorLayout> inputs;
  absl::Span<const TensorLayout> outputs;
  Device& device;
};

class PreparedKernel : public RefCounted {
 public:
  // Bytes of scratch memory that Record needs, aligned like any buffer.
  virtual int64_t workspace_bytes() const { return 0; }
  // The variant, for explain(): "gemm avx512 6x64, packed rhs".
  virtual std::string description() const { return ""; }
  // Records the work. A tensor's first element is at its view's start plus the offset of the layout
  // in the request. Output buffers may hold anything before.
  virtual absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                              absl::Span<const BufferView> outputs,
                              const BufferView& workspace) const = 0;
};

struct KernelDef {
  std::string name;
  // The op's name, or "*": any op that has no kernel of its own that fits. What such a kernel can
  // do, `supports` says, by looking at the op's definition (its scalar expression, for example).
  std::string op;
  DeviceType device;
  // Dtypes of the first input (of the first output, if there is no input). Empty: any.
  std::vector<DType> dtypes;
  int priority = 0;
  // True: inputs may have any strides and offsets. False: whoever calls makes them contiguous.
  bool strided_inputs = false;
  // Null: always.
  std::function<bool(const KernelRequest&)> supports;
  // For a kernel that runs a body (OpDef::runs_body): the kernels, as "op:name", whose bits it gives
  // when it stands for them. A kernel stands for itself always.
  std::vector<std::string> stands_for;
  std::function<absl::StatusOr<Ref<const PreparedKernel>>(const KernelRequest&)> prepare;
};

// Whether `fused` on `body`'s inputs would run as one kernel of the device with the bits of the
// kernels that would run the steps one by one: what decides whether a pass may fuse them.
bool FusesExactly(const KernelRegistry& kernels, const OpDef& fused, const OpBody& body,
                  Device& device);

class KernelRegistry {
 public:
  static KernelRegistry& Global();

  // ALREADY_EXISTS if the op has a kernel of this name on this device.
  absl::Status Register(KernelDef def);
  // The kernel that serves the request, or null. The pointer stays valid.
  const KernelDef* Find(const KernelRequest& request) const;
  // All kernels of one op on one device type, best first; those for every op stand at the end, if
  // `op` is not "*", whether they support it or not.
  std::vector<const KernelDef*> KernelsOf(absl::string_view op, DeviceType device) const;
  // How often kernels were registered: caches of decisions compare it.
  int64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  // The first of `op`'s own kernels that fits.
  const KernelDef* FindIn(absl::string_view op, const KernelRequest& request) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<KernelDef>> defs_ ABSL_GUARDED_BY(mutex_);
  // Best first. By the name of the op: kernels may be registered before the op itself.
  absl::flat_hash_map<std::string, std::vector<const KernelDef*>> by_op_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> generation_{0};
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_KERNEL_H_
