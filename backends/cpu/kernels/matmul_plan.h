// A product of two batches of matrices, decided: where operands lie, and how it is cut into gemms.
// For the kernels that contain one: matmul, and what fuses it with other work.
//
//   TANDEM_ASSIGN_OR_RETURN(auto plan, MatmulPlan<float>::Create(a, b, attrs, isa));
//   plan.Multiply(a_data, b_data, c_data, pool);
//
// Thread rules: a value type; Multiply from any thread.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_MATMUL_PLAN_H_
#define TANDEM_BACKENDS_CPU_KERNELS_MATMUL_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/backends/cpu/kernels/result_epilogue.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::cpu_backend {

// T: float, double, uint32_t or uint64_t. Trivially copyable: it travels as the constants of a call.
template <typename T>
struct MatmulPlan {
  // One operand: a batch of matrices. Strides and offset are in elements.
  struct Operand {
    int64_t offset = 0;
    int64_t row = 0;
    int64_t col = 1;
    Strides batch;  // for each dimension of the product's batch; 0 where it is broadcast
  };

  // `attrs`: those of the op matmul. INVALID_ARGUMENT for shapes that do not fit.
  static absl::StatusOr<MatmulPlan> Create(const TensorLayout& a, const TensorLayout& b,
                                           const AttributeMap& attrs, Isa isa);
  // c = a b, contiguous. The pointers are to the starts of the views; the offsets of the layouts are
  // added here. c must not overlap a or b.
  void Multiply(const T* a, const T* b, T* c, CpuThreadPool& pool,
                const ResultEpilogue* epilogue = nullptr) const;
  int64_t num_elements() const { return num_batches * m * n; }
  std::string Describe() const;  // "gemm 14x32"

  const GemmKernels<T>* kernels;
  int64_t m, n, k;
  Shape batch;
  int64_t num_batches;
  Operand a, b;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_MATMUL_PLAN_H_
