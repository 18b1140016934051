// What the CPU executes: a host function, called with addresses.
//
// A kernel rarely needs more than MakeCpuKernel (cpu_kernel.h). A program of its own is for code
// that is compiled at run time, such as a fused elementwise expression: derive from CpuProgram, and
// let the function find the derived object in its call.
//
// Thread rules: programs are immutable; a function may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_PROGRAM_H_
#define TANDEM_BACKENDS_CPU_PROGRAM_H_

#include <cstddef>

#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/device/command.h"

namespace tandem::cpu_backend {

class CpuProgram;

struct CpuCall {
  const CpuProgram* program;
  std::byte* const* buffers;  // the first byte of each binding's view
  const void* constants;      // those of the dispatch, aligned for any type
  CpuThreadPool* pool;
};

class CpuProgram : public Program {
 public:
  // Runs to completion, and cannot fail: whatever can go wrong is checked when a kernel is
  // prepared.
  using Function = void (*)(const CpuCall&);

  // `name` is static text.
  CpuProgram(const char* name, Function function) : name_(name), function_(function) {}
  const char* name() const override { return name_; }
  Function function() const { return function_; }

 private:
  const char* name_;
  Function function_;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_PROGRAM_H_
