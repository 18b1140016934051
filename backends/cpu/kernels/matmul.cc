#include "tandem/backends/cpu/kernels/matmul.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/matmul_geometry.h"

namespace tandem::cpu_backend {
namespace {

// One operand: a batch of matrices. Strides and offset are in elements.
struct Operand {
  int64_t offset = 0;
  int64_t row = 0;
  int64_t col = 1;
  Strides batch;  // for each dimension of the product's batch; 0 where it is broadcast
};

template <typename T>
struct MatmulParams {
  const GemmKernels<T>* kernels;
  int64_t m, n, k;
  Shape batch;
  int64_t num_batches;
  Operand a, b;
};

Operand OperandOf(const TensorLayout& layout, bool is_vector, bool transpose, bool is_left,
                  int batch_rank) {
  Operand operand;
  operand.offset = layout.offset;
  const Shape& shape = layout.spec.shape;
  const int rank = shape.rank();
  if (is_vector) {
    (is_left ? operand.col : operand.row) = layout.strides[0];
    operand.batch = Dims::Filled(batch_rank, 0);
    return operand;
  }
  operand.row = layout.strides[rank - 2];
  operand.col = layout.strides[rank - 1];
  if (transpose) std::swap(operand.row, operand.col);
  const int own = rank - 2;
  operand.batch = Dims::Filled(batch_rank, 0);
  for (int i = 0; i < own; ++i) {
    if (shape[i] != 1) operand.batch[batch_rank - own + i] = layout.strides[i];
  }
  return operand;
}

// A batch on the left against one matrix on the right is one tall matrix, if its rows follow each
// other.
template <typename T>
void MergeBatch(MatmulParams<T>* p) {
  int64_t expected = p->m * p->a.row;
  for (int i = p->batch.rank() - 1; i >= 0; --i) {
    if (p->batch[i] == 1) continue;
    if (p->b.batch[i] != 0 || p->a.batch[i] != expected) return;
    expected *= p->batch[i];
  }
  p->m *= p->num_batches;
  p->num_batches = 1;
  p->batch = Shape();
}

template <typename T>
absl::StatusOr<MatmulParams<T>> ParamsOf(const KernelRequest& request) {
  const TensorLayout& a = request.inputs[0];
  const TensorLayout& b = request.inputs[1];
  TANDEM_ASSIGN_OR_RETURN(
      const MatmulGeometry g,
      MatmulGeometry::Create(a.spec.shape, b.spec.shape, request.attrs.Bool("transpose_a"),
                             request.attrs.Bool("transpose_b")));
  MatmulParams<T> p;
  p.kernels = &GemmKernelsFor<T>(IsaOf(request.device));
  p.m = g.m;
  p.n = g.n;
  p.k = g.k;
  p.batch = g.batch;
  p.num_batches = g.num_batches;
  p.a = OperandOf(a, g.a_is_vector, g.transpose_a, true, g.batch.rank());
  p.b = OperandOf(b, g.b_is_vector, g.transpose_b, false, g.batch.rank());
  if (p.num_batches > 1) MergeBatch(&p);
  return p;
}

int64_t BatchOffset(const Shape& batch, const Strides& strides, int64_t index) {
  int64_t offset = 0;
  for (int i = batch.rank() - 1; i >= 0; --i) {
    offset += index % batch[i] * strides[i];
    index /= batch[i];
  }
  return offset;
}

template <typename T>
void Multiply(const MatmulParams<T>& p, const T* a, const T* b, T* c, CpuThreadPool& pool) {
  const int64_t work = p.m * p.n * std::min<int64_t>(p.k, 1 << 20) / 8;
  pool.ParallelFor(p.num_batches, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Gemm<T>(*p.kernels,
              {p.m, p.n, p.k, a + p.a.offset + BatchOffset(p.batch, p.a.batch, i), p.a.row, p.a.col,
               b + p.b.offset + BatchOffset(p.batch, p.b.batch, i), p.b.row, p.b.col,
               c + i * p.m * p.n, p.n},
              pool);
    }
  });
}

template <typename T>
std::string Describe(const MatmulParams<T>& p) {
  return absl::StrCat("gemm ", p.kernels->mr, "x", p.kernels->nr);
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareAs(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(MatmulParams<T> params, ParamsOf<T>(request));
  return MakeConvertedCpuKernel<MatmulParams<T>>(
      request, "matmul", params,
      [](const MatmulParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
        Multiply(p, At<const T>(buffers[0]), At<const T>(buffers[1]), At<T>(buffers[2]), pool);
      },
      {.describe = &Describe<T>}, /*integers=*/true);
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  switch (ComputeDType(request.inputs[0].spec.dtype)) {
    case DType::kF64:
      return PrepareAs<double>(request);
    // Signed overflow wraps, as unsigned arithmetic does.
    case DType::kI32:
      return PrepareAs<uint32_t>(request);
    case DType::kI64:
      return PrepareAs<uint64_t>(request);
    default:
      return PrepareAs<float>(request);
  }
}

bool SameDTypes(const KernelRequest& request) {
  const DType dtype = request.inputs[0].spec.dtype;
  return request.inputs[1].spec.dtype == dtype && request.outputs[0].spec.dtype == dtype;
}

}  // namespace

absl::Status RegisterMatmulKernels(KernelRegistry* registry) {
  KernelDef direct = CpuKernelDef("matmul", "matmul",
                                  {DType::kF32, DType::kF64, DType::kI32, DType::kI64}, &Prepare);
  direct.strided_inputs = true;
  direct.supports = &SameDTypes;
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(direct)));
  KernelDef converted =
      CpuKernelDef("matmul", "matmul_converted",
                   {DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16}, &Prepare);
  converted.supports = &SameDTypes;
  return registry->Register(std::move(converted));
}

}  // namespace tandem::cpu_backend
