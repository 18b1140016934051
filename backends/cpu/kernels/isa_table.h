// One table of functions per instruction set, filled once, chosen when a kernel is prepared.
//
//   // In x_isa.h, for each level: void FillXKernels(XKernels<float>*);
//   const XKernels<float>& kernels = TANDEM_ISA_TABLE(XKernels<float>, FillXKernels, isa);
//
// Thread rules: pure.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_ISA_TABLE_H_
#define TANDEM_BACKENDS_CPU_KERNELS_ISA_TABLE_H_

#include <array>

#include "tandem/backends/cpu/isa.h"

namespace tandem::cpu_backend {

template <typename Kernels, void (*kBaseline)(Kernels*), void (*kAvx2)(Kernels*),
          void (*kAvx512)(Kernels*)>
const Kernels& IsaTable(Isa isa) {
  static const std::array<Kernels, 3> kTables = [] {
    std::array<Kernels, 3> tables;
    kBaseline(&tables[static_cast<int>(Isa::kBaseline)]);
    kAvx2(&tables[static_cast<int>(Isa::kAvx2)]);
    kAvx512(&tables[static_cast<int>(Isa::kAvx512)]);
    return tables;
  }();
  return kTables[static_cast<int>(isa)];
}

#define TANDEM_ISA_TABLE(Kernels, fill, isa)                                      \
  (::tandem::cpu_backend::IsaTable<Kernels, &isa_baseline::fill, &isa_avx2::fill, \
                                   &isa_avx512::fill>(isa))

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_ISA_TABLE_H_
