// Instruction sets: which of the levels compiled by isa_library (bazel/isa.bzl) this CPU can run.
//
// A kernel family is compiled once per level, in the namespaces isa_baseline, isa_avx2 and
// isa_avx512, and one of them is chosen when a kernel is prepared:
//
//   void (*run)(const float*, float*, int64_t) = TANDEM_SELECT_ISA(IsaOf(request.device), Relu);
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_ISA_H_
#define TANDEM_BACKENDS_CPU_ISA_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tandem::cpu_backend {

// In ascending order: a CPU that has a level has those before it.
enum class Isa : uint8_t { kBaseline, kAvx2, kAvx512 };

// The highest level that this CPU (and its operating system) can run. kAvx2 stands for AVX2, FMA
// and F16C; kAvx512 for the F, BW, CD, DQ and VL parts besides.
Isa DetectIsa();

absl::string_view IsaName(Isa isa);  // "baseline", "avx2", "avx512"
// The inverse of IsaName; INVALID_ARGUMENT lists the names.
absl::StatusOr<Isa> ParseIsa(absl::string_view name);

// The function of the wanted level: isa_avx2::fn, for example.
#define TANDEM_SELECT_ISA(isa, fn)                                \
  ((isa) == ::tandem::cpu_backend::Isa::kAvx512 ? &isa_avx512::fn \
   : (isa) == ::tandem::cpu_backend::Isa::kAvx2 ? &isa_avx2::fn   \
                                                : &isa_baseline::fn)

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_ISA_H_
