// The functions behind tile_vm.h, once per level of isa_library.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_TILE_VM_ISA_H_
#define TANDEM_BACKENDS_CPU_TILE_VM_ISA_H_

#include <cstdint>

#include "tandem/backends/cpu/tile_vm.h"

namespace tandem::cpu_backend {

#define TANDEM_DECLARE_TILE_VM(isa)                                   \
  namespace isa {                                                     \
  /* Operations of any type, but for the transcendental functions. */ \
  TileFn FindArithmetic(TileOp op, ScalarType type, int uniform);     \
  TileFn FindMath(TileOp op, ScalarType type);                        \
  TileFn FindCast(ScalarType from, ScalarType to);                    \
  TileFn FindLoad(DType dtype);                                       \
  TileFn FindStore(DType dtype);                                      \
  TileFn FindCopy(int64_t element_size, bool uniform);                \
  }
TANDEM_DECLARE_TILE_VM(isa_baseline)
TANDEM_DECLARE_TILE_VM(isa_avx2)
TANDEM_DECLARE_TILE_VM(isa_avx512)
#undef TANDEM_DECLARE_TILE_VM

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_TILE_VM_ISA_H_
