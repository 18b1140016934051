#include "tandem/backends/cpu/tile_vm.h"

#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "tandem/backends/cpu/tile_vm_isa.h"

namespace tandem::cpu_backend {

TileFn FindTileFn(Isa isa, TileOp op, ScalarType type, int uniform) {
  if (TileFn fn = TANDEM_SELECT_ISA(isa, FindArithmetic)(op, type, uniform)) return fn;
  return uniform == 0 ? TANDEM_SELECT_ISA(isa, FindMath)(op, type) : nullptr;
}

TileFn FindCast(Isa isa, ScalarType from, ScalarType to) {
  return TANDEM_SELECT_ISA(isa, FindCast)(from, to);
}
TileFn FindLoad(Isa isa, DType dtype) { return TANDEM_SELECT_ISA(isa, FindLoad)(dtype); }
TileFn FindStore(Isa isa, DType dtype) { return TANDEM_SELECT_ISA(isa, FindStore)(dtype); }
TileFn FindCopy(Isa isa, int64_t element_size, bool uniform) {
  return TANDEM_SELECT_ISA(isa, FindCopy)(element_size, uniform);
}

void StreamCopy(const void* from, void* to, int64_t bytes) {
  int64_t done = 0;
#if defined(__x86_64__)
  const auto* source = static_cast<const __m128i*>(from);
  auto* target = static_cast<__m128i*>(to);
  for (; done + 64 <= bytes; done += 64) {
    const __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
    source += 4;
    target += 4;
  }
#endif
  std::memcpy(static_cast<std::byte*>(to) + done, static_cast<const std::byte*>(from) + done,
              bytes - done);
}

void StreamFence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace tandem::cpu_backend
