// How a product of matrices is cut into work groups: the plan that matmul and the convolutions share.
//
// Every product here is out[row, column] = sum over k of left[row, k] * right[k, column]. Three ways
// to sum (contraction_*.glsl), whose sizes are specialization constants:
//
//   tile     both operands staged in shared memory, a register tile a thread; for large products
//   columns  a thread for each column and a few rows; for few rows, and on drivers that run on a CPU
//   dot      threads along k; for few elements whose operands both lie along k
//
// and for f16 on devices with VK_NV_cooperative_matrix the matrix units (matmul only). That shader is
// compiled and validated as SPIR-V with the project, but no machine that tests it has such units: it
// has not run yet, and Capabilities::cooperative_matrix can be disabled. The plan's numbers for GPUs
// (which tile, when to split) are estimates likewise; those for CPUs are measured
// (contraction_benchmark.cc).
//
// A long sum with too few work groups is split into parts, which SumParts adds in a fixed order.
//
//   const ContractionPlan plan = PlanContraction(b.capabilities(), shape);
//   b.DispatchBytes(shader, SpecializationOf(plan, shape, epilogue), accesses, BytesOf(constants),
//                   LinearGrid(WorkGroups(plan, shape)));
//
// Thread rules: value types, pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

// What follows the sum, in the same pass. The numbers are those of epilogue.glsl.
struct Epilogue {
  enum class Bias : uint32_t { kNone = 0, kColumn = 1, kRow = 2 };
  // As the ops of these names; kGeluTanh is gelu with approximate="tanh".
  enum class Activation : uint32_t {
    kNone = 0,
    kRelu = 1,
    kSigmoid = 2,
    kTanh = 3,
    kSilu = 4,
    kGelu = 5,
    kGeluTanh = 6,
  };
  Bias bias = Bias::kNone;
  Activation activation = Activation::kNone;
};

// A number of products of one shape.
struct ContractionShape {
  int64_t products = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
  DType dtype = DType::kF32;  // computed in
  // Neighbours along k lie next to each other, rather than neighbours along rows (columns).
  bool left_along_k = true;
  bool right_along_k = false;
  // They can be read four at a time.
  bool left_by_four = false;
  bool right_by_four = false;
  // Two neighbours of the right operand along k can be read as one word of 64 bits: f32 only.
  bool right_by_pairs = false;
  // The matrix units can read both operands and write the result: f16, multiples of 16.
  bool matrix_units = false;
};

struct ContractionPlan {
  enum class Method : uint8_t { kTile, kColumns, kDot, kMatrixUnits };
  Method method = Method::kTile;
  // Rows and columns of a work group's block, and steps of k that it stages (tile) or reads at a time.
  uint32_t block_rows = 32;
  uint32_t block_columns = 32;
  uint32_t block_depth = 16;
  // Sums of one thread (of all threads: dot; fragments of a subgroup: matrix units).
  uint32_t thread_rows = 4;
  uint32_t thread_columns = 4;
  uint32_t threads = 64;
  uint32_t slices = 1;     // threads that share a column (columns only)
  bool pairs = false;      // of the right operand are read (columns only)
  bool subgroups = false;  // sums over threads by subgroup instructions (dot only)
  // Four elements a fetch (tile only).
  bool left_by_four = false;
  bool right_by_four = false;
  // Some block reaches beyond the product (tile only).
  bool checked = true;
  // Of the sum. depth_of_part is a multiple of block_depth.
  int64_t parts = 1;
  int64_t depth_of_part = 1;

  // "tile 64x64x16, 4 parts".
  std::string ToString() const;
};

// The plan that should be fastest. On a device that is a CPU: columns.
ContractionPlan PlanContraction(const Capabilities& capabilities, const ContractionShape& shape);
// RESOURCE_EXHAUSTED if the sums of a part are longer than the loops of the device's shaders.
absl::Status CheckSums(const Capabilities& capabilities, absl::string_view op,
                       const ContractionPlan& plan);

// A plan of every method and size that the device can run, each with one part and, if the sum is
// long enough, with three: what the tests force.
std::vector<ContractionPlan> AllContractionPlans(const Capabilities& capabilities,
                                                 const ContractionShape& shape);

// Work groups of the plan.
int64_t WorkGroups(const ContractionPlan& plan, const ContractionShape& shape);

// Constants 0 … 14 of the contraction shaders.
using ContractionSpecialization = std::array<uint32_t, 15>;

// `transposed` is conv2d.comp's own.
ContractionSpecialization SpecializationOf(const ContractionPlan& plan,
                                           const ContractionShape& shape, const Epilogue& epilogue,
                                           bool transposed = false);

// OK if shaders compute the activation in this dtype; UNIMPLEMENTED says which dtypes there are.
absl::Status CheckEpilogue(absl::string_view op, const Epilogue& epilogue, DType compute_dtype);

// Which element of the bias belongs to element i of the result:
// offset + step * (i / repeats % elements).
struct BiasIndex {
  int64_t repeats = 1;
  int64_t elements = 1;
  int64_t offset = 0;
  int64_t step = 1;
};

// Adds a step that sums `parts` arrays of `elements` elements each, in order, and finishes them.
// `stored` is the dtype of `to` and `bias`: the compute dtype, or f16 or bf16 for f32.
void SumParts(KernelBuilder& b, DType compute, DType stored, const Operand& parts, int64_t count,
              int64_t elements, const Epilogue& epilogue, const Operand& bias, BiasIndex bias_index,
              const Operand& to);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONTRACTION_H_
