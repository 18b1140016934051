// MemoryPlan: where intermediate values live, decided once.
//
// Every block of memory that a program needs for a while has a size and a live range (first and
// last step that touches it). Blocks whose ranges do not overlap may share addresses. All live in
// one arena; a block that is dead before an output of the program is written may also live in that
// output's buffer.
//
// Placement is greedy by size, best fit (Pisarchyk and Lee, "Efficient memory management for deep
// neural net inference", 2020): large blocks first, each in the smallest gap that holds it; of
// many outputs that could hold it, the eight best fitting ones are looked at.
//
//   MemoryPlanner planner(64);
//   int a = planner.Add({.bytes = 4096, .first = 0, .last = 2, .name = "%3"});
//   TANDEM_ASSIGN_OR_RETURN(MemoryPlan plan, planner.Plan());
//   plan.blocks[a].offset;
//
// Thread rules: value types.
#ifndef TANDEM_GRAPH_EXEC_MEMORY_PLAN_H_
#define TANDEM_GRAPH_EXEC_MEMORY_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tandem {

// The pool that grows as needed; others are the buffers of outputs.
inline constexpr int kArenaPool = -1;

struct MemoryBlock {
  int64_t bytes = 0;
  int first = 0;  // the step that writes it
  int last = 0;   // the last step that touches it, >= first
  std::string name;

  // Decided by the planner.
  int pool = kArenaPool;
  int64_t offset = 0;  // bytes from the start of the pool, aligned
};

// A buffer that exists for the whole run but is written only at step `first`.
struct MemoryPool {
  int64_t bytes = 0;
  int first = 0;
};

struct MemoryPlan {
  int64_t alignment = 64;
  int64_t arena_bytes = 0;
  // The largest sum of aligned sizes that live at one step: no plan without pools can do better.
  int64_t lower_bound_bytes = 0;
  std::vector<MemoryBlock> blocks;  // in the order of Add
  std::vector<MemoryPool> pools;

  // INTERNAL if two blocks overlap in time and address, leave their pool, or are not aligned.
  absl::Status Check() const;
  // A table: offset, size, live range and name of each block, in the order of addresses.
  std::string ToString() const;
};

class MemoryPlanner {
 public:
  // `alignment`: a power of two, bytes.
  explicit MemoryPlanner(int64_t alignment) : alignment_(alignment) {}
  // Returns the block's index in the plan.
  int Add(MemoryBlock block);
  // Returns the pool's number.
  int AddPool(MemoryPool pool);
  // RESOURCE_EXHAUSTED if the sizes leave int64_t, INVALID_ARGUMENT for impossible blocks.
  absl::StatusOr<MemoryPlan> Plan() const;

 private:
  int64_t alignment_;
  std::vector<MemoryBlock> blocks_;
  std::vector<MemoryPool> pools_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_MEMORY_PLAN_H_
