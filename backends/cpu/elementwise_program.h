// A scalar program (core/op/scalar_expr.h) compiled for the CPU: instructions on tiles, registers,
// constants. It depends on dtypes, not on shapes.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const ElementwiseProgram> program,
//                           ElementwiseProgram::Compile(expr, /*uniform_inputs=*/0, isa));
//
// An input that needs no conversion is read where it lies, and a result that needs none is written
// where it belongs; a program of one instruction has no registers at all and runs over any length
// at once. Otherwise it runs tile by tile, with as many elements a tile as let the registers stay
// in the L1 cache. What depends only on constants and on inputs of one element is calculated once.
//
// Thread rules: immutable.
#ifndef TANDEM_BACKENDS_CPU_ELEMENTWISE_PROGRAM_H_
#define TANDEM_BACKENDS_CPU_ELEMENTWISE_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/program.h"
#include "tandem/backends/cpu/strided.h"
#include "tandem/backends/cpu/tile_vm.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/scalar_expr.h"

namespace tandem::cpu_backend {

// The constants of a dispatch: this, then an ElementwiseInput for each input, then the geometries
// of those inputs that are neither contiguous nor of one element.
struct ElementwiseExtent {
  int64_t n = 0;        // elements of each output
  int64_t tile = 0;     // elements at a time
  int64_t streams = 0;  // 1: large outputs, to be written past the caches
};
struct ElementwiseInput {
  int64_t offset = 0;     // bytes from the start of the view
  int64_t geometry = -1;  // index; -1: contiguous, or one element
};

class ElementwiseProgram final : public CpuProgram {
 public:
  // Bit i of `uniform_inputs`: input i is one element, repeated; inputs from 64 on never are.
  // UNIMPLEMENTED for a program with too many values alive at once (hundreds).
  static absl::StatusOr<Ref<const ElementwiseProgram>> Compile(const ScalarExpr& expr,
                                                               uint64_t uniform_inputs, Isa isa);

  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  // Bytes that each element of a tile needs in registers.
  int64_t register_bytes() const { return register_bytes_; }
  int64_t output_bytes() const;  // of one element of all outputs
  int64_t input_bytes(int i) const { return inputs_[i].bytes; }
  // How many elements at a time, with `gathered_bytes` for each element of the inputs that have to
  // be brought together first.
  int64_t TileFor(int64_t gathered_bytes, bool streams) const;
  std::string Describe() const;

 private:
  struct Instruction {
    TileFn fn;
    // Slots: indices into the array of addresses that a run sets up.
    uint16_t a, b, c, out;
  };
  struct Input {
    int64_t bytes;  // of an element
    bool uniform;
  };
  struct Output {
    int64_t bytes;
  };
  class Compiler;
  class Run;
  friend class ElementwiseRange;

  ElementwiseProgram() : CpuProgram("elementwise", &Execute) {}
  static void Execute(const CpuCall& call);

  // Registers, gathered inputs and streamed outputs of a tile stay within this many bytes, below
  // the 32 kB or more of an L1 cache.
  static constexpr int64_t kScratchBytes = 24 << 10;
  static constexpr int64_t kTileUnit = 64;  // elements; lets every register start a cache line
  static constexpr int64_t kMaxTile = 1024;
  static constexpr int kMaxUniforms = 512;
  static constexpr int kMaxSlots = 1024;

  // The slots, in this order.
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::vector<uint64_t> constants_;  // each in the representation of its type
  int num_uniforms_ = 0;             // values of one element
  std::vector<int64_t> registers_;   // bytes of an element, largest first
  int64_t register_bytes_ = 0;

  std::vector<Instruction> once_;  // on one element, before the first tile
  std::vector<Instruction> body_;
  bool is_copy_ = false;  // one input to one output, as it is
  int64_t cost_ = 1;      // of an element, in cheap operations
  Isa isa_ = Isa::kBaseline;
};

// Runs a program over parts of its elements, in one thread: what a kernel does that has just computed
// an input and wants the rest done while that is in the cache. To set it up costs some ten
// nanoseconds, so use one for all parts that belong together. It is about 40 kB: for the stack.
//
//   ElementwiseRange range(*program, constants, buffers);
//   for (int64_t row = 0; row < rows; ++row) range.Run(row * n, row * n + cols);
class ElementwiseRange {
 public:
  // `constants`: those of a dispatch. `buffers`: the first bytes of inputs and outputs. Outputs are
  // written past the caches only if the constants say so and `streams` allows it.
  ElementwiseRange(const ElementwiseProgram& program, const void* constants,
                   std::byte* const* buffers, bool streams = false);
  // The elements [begin, end). An output may lie exactly on an input of its dtype and shape.
  void Run(int64_t begin, int64_t end);

 private:
  void PrefetchInputs(int64_t start, int64_t n) const;

  const ElementwiseProgram& program_;
  std::byte* const* buffers_;
  const ElementwiseExtent& extent_;
  const ElementwiseInput* inputs_;
  const StridedGeometry* geometries_;
  const bool streams_;
  void* slots_[ElementwiseProgram::kMaxSlots];
  uint64_t uniforms_[ElementwiseProgram::kMaxUniforms];
  alignas(64) std::byte scratch_[ElementwiseProgram::kScratchBytes];
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_ELEMENTWISE_PROGRAM_H_
