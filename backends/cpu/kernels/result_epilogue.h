// ResultEpilogue: work on parts of a kernel's result as soon as they are final, while they are in the
// cache that they were computed in. What a product or a convolution takes, and fused_contraction.h
// gives.
//
//   const ResultEpilogue epilogue = {&AddBias, &context};
//   plan.Run(a, b, c, workspace, pool, &epilogue);
//
// Thread rules: `run` is called from any thread of the pool, for each element of the result once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_RESULT_EPILOGUE_H_
#define TANDEM_BACKENDS_CPU_KERNELS_RESULT_EPILOGUE_H_

#include <cstdint>

namespace tandem::cpu_backend {

struct ResultEpilogue {
  // `rows` rows of `cols` elements, `row_stride` apart; `first` is the index of the first one in the
  // whole result, which is contiguous.
  void (*run)(const void* context, int64_t first, int64_t rows, int64_t cols, int64_t row_stride);
  const void* context;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_RESULT_EPILOGUE_H_
