#include "tandem/backends/cpu/kernels/matmul_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/matmul_geometry.h"

namespace tandem::cpu_backend {
namespace {

template <typename T>
using Operand = typename MatmulPlan<T>::Operand;

template <typename T>
Operand<T> OperandOf(const TensorLayout& layout, bool is_vector, bool transpose, bool is_left,
                     int batch_rank) {
  Operand<T> operand;
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
void MergeBatch(MatmulPlan<T>* p) {
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

int64_t BatchOffset(const Shape& batch, const Strides& strides, int64_t index) {
  int64_t offset = 0;
  for (int i = batch.rank() - 1; i >= 0; --i) {
    offset += index % batch[i] * strides[i];
    index /= batch[i];
  }
  return offset;
}

// The epilogue of one matrix of the batch.
struct MatrixEpilogue {
  const ResultEpilogue* whole;
  int64_t first;  // of the matrix's elements
  int64_t n;
  static void Run(const void* context, int64_t row, int64_t rows, int64_t col, int64_t cols) {
    const auto& e = *static_cast<const MatrixEpilogue*>(context);
    e.whole->run(e.whole->context, e.first + row * e.n + col, rows, cols, e.n);
  }
};

}  // namespace

template <typename T>
absl::StatusOr<MatmulPlan<T>> MatmulPlan<T>::Create(const TensorLayout& a, const TensorLayout& b,
                                                    const AttributeMap& attrs, Isa isa) {
  TANDEM_ASSIGN_OR_RETURN(
      const MatmulGeometry g,
      MatmulGeometry::Create(a.spec.shape, b.spec.shape, attrs.Bool("transpose_a"),
                             attrs.Bool("transpose_b")));
  MatmulPlan<T> p;
  p.kernels = &GemmKernelsFor<T>(isa);
  p.m = g.m;
  p.n = g.n;
  p.k = g.k;
  p.batch = g.batch;
  p.num_batches = g.num_batches;
  p.a = OperandOf<T>(a, g.a_is_vector, g.transpose_a, true, g.batch.rank());
  p.b = OperandOf<T>(b, g.b_is_vector, g.transpose_b, false, g.batch.rank());
  if (p.num_batches > 1) MergeBatch(&p);
  return p;
}

template <typename T>
void MatmulPlan<T>::Multiply(const T* a_data, const T* b_data, T* c, CpuThreadPool& pool,
                             const ResultEpilogue* epilogue) const {
  const int64_t work = m * n * std::min<int64_t>(k, 1 << 20) / 8;
  pool.ParallelFor(num_batches, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const MatrixEpilogue matrix = {epilogue, i * m * n, n};
      const GemmEpilogue gemm_epilogue = {&MatrixEpilogue::Run, &matrix};
      Gemm<T>(*kernels,
              {m, n, k, a_data + a.offset + BatchOffset(batch, a.batch, i), a.row, a.col,
               b_data + b.offset + BatchOffset(batch, b.batch, i), b.row, b.col, c + i * m * n, n,
               epilogue == nullptr ? nullptr : &gemm_epilogue},
              pool);
    }
  });
}

template <typename T>
std::string MatmulPlan<T>::Describe() const {
  return absl::StrCat("gemm ", kernels->mr, "x", kernels->nr);
}

template struct MatmulPlan<float>;
template struct MatmulPlan<double>;
template struct MatmulPlan<uint32_t>;
template struct MatmulPlan<uint64_t>;

}  // namespace tandem::cpu_backend
