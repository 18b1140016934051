// The instructions of the elementwise evaluator: loops over a tile of elements in cache.
//
// A scalar program (core/op/scalar_expr.h) is evaluated instruction by instruction, each for some
// hundred elements at a time, so that the intermediate values stay in the L1 cache and the cost of
// choosing the instruction is spread over the tile. Each instruction is one function of this file,
// compiled for every level of isa_library with the same results to the bit.
//
//   TileFn add = FindBinary(Isa::kAvx2, TileOp::kAdd, ScalarType::kF32, 0);
//   add(x, y, nullptr, z, 1024);
//
// In a tile a bool is a byte, 0 or 1. An operand is a tile, or, where its bit in `uniform` is set,
// one element that stands for a whole tile. The result may lie exactly on an operand of the same
// width, not otherwise overlap.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_TILE_VM_H_
#define TANDEM_BACKENDS_CPU_TILE_VM_H_

#include <cstdint>

#include "tandem/backends/cpu/isa.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::cpu_backend {

// The operations that are no conversions; those of ScalarOp, and some that are composed there.
enum class TileOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kRem,
  kFma,
  kNeg,
  kAbs,
  kSqrt,
  kFloor,
  kCeil,
  kTrunc,
  kRint,
  kExp,
  kExpm1,
  kLog,
  kLog1p,
  kSin,
  kCos,
  kTanh,
  kAnd,
  kOr,
  kXor,
  kShl,
  kShr,
  kNot,
  kLt,
  kLe,
  kEq,
  kNe,
  kSelect,
  kMax,
  kMin,  // a > b || a is NaN ? a : b; a < b || a is NaN ? a : b
};

// c[i] of the operands that an operation does not have is not read.
using TileFn = void (*)(const void* a, const void* b, const void* c, void* out, int64_t n);

// The function for operands of type `type` (for kSelect, of the values selected). Bit 0, 1, 2 of
// `uniform`: a, b, c is one element. Null where an operation does not exist for the type, or not
// with these uniform operands: operations of one operand, and kFma, take tiles only.
TileFn FindTileFn(Isa isa, TileOp op, ScalarType type, int uniform);
// Converts between compute types, as ScalarOp::kCast says.
TileFn FindCast(Isa isa, ScalarType from, ScalarType to);
// Converts a storage dtype to its compute type; null if that is the same representation.
TileFn FindLoad(Isa isa, DType dtype);
// Converts a compute type to the storage dtype, rounding or wrapping; null as above.
TileFn FindStore(Isa isa, DType dtype);
// Copies `bytes` bytes past the caches, to an address that is a multiple of 64. Other threads may
// read them after a StreamFence of this one.
void StreamCopy(const void* from, void* to, int64_t bytes);
void StreamFence();
// Copies elements of 1, 2, 4 or 8 bytes; with `uniform`, fills with one.
TileFn FindCopy(Isa isa, int64_t element_size, bool uniform);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_TILE_VM_H_
