#include "tandem/graph/exec/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

// A block looks for room in this many outputs. A program with thousands of outputs must not take
// minutes to plan, and the best fitting ones hold almost all that any would.
constexpr int kMaxPoolsTried = 8;

bool LiveTogether(const MemoryBlock& a, const MemoryBlock& b) {
  return a.first <= b.last && b.first <= a.last;
}

struct Gap {
  int64_t offset;
  int64_t bytes;
};

// The smallest gap of at least `bytes` between `taken` ranges (offset, end) below `limit`.
std::optional<Gap> BestGap(std::vector<std::pair<int64_t, int64_t>>* taken, int64_t bytes,
                           int64_t limit) {
  std::sort(taken->begin(), taken->end());
  std::optional<Gap> best;
  auto consider = [&](int64_t begin, int64_t end) {
    const int64_t room = end - begin;
    if (room >= bytes && (!best || room < best->bytes)) best = Gap{begin, room};
  };
  int64_t end = 0;
  for (const auto& range : *taken) {
    consider(end, range.first);
    end = std::max(end, range.second);
  }
  consider(end, limit);
  return best;
}

std::string PoolName(int pool) {
  return pool == kArenaPool ? "arena" : absl::StrCat("output ", pool);
}

}  // namespace

int MemoryPlanner::Add(MemoryBlock block) {
  blocks_.push_back(std::move(block));
  return static_cast<int>(blocks_.size()) - 1;
}

int MemoryPlanner::AddPool(MemoryPool pool) {
  pools_.push_back(pool);
  return static_cast<int>(pools_.size()) - 1;
}

absl::StatusOr<MemoryPlan> MemoryPlanner::Plan() const {
  MemoryPlan plan;
  plan.alignment = alignment_;
  plan.blocks = blocks_;
  plan.pools = pools_;

  std::vector<int64_t> sizes;
  int last_step = 0;
  int64_t total = 0;
  for (const MemoryBlock& block : blocks_) {
    if (block.bytes < 0 || block.first < 0 || block.last < block.first) {
      return absl::InvalidArgumentError(absl::StrCat("memory block ", block.name, " of ",
                                                     block.bytes, " bytes lives from step ",
                                                     block.first, " to ", block.last));
    }
    TANDEM_ASSIGN_OR_RETURN(const int64_t size, CheckedAlignUp(block.bytes, alignment_));
    // The sum of all sizes bounds every offset below.
    TANDEM_ASSIGN_OR_RETURN(total, CheckedAdd(total, size));
    sizes.push_back(size);
    last_step = std::max(last_step, block.last);
  }

  std::vector<int64_t> change(static_cast<size_t>(last_step) + 2, 0);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    change[blocks_[i].first] += sizes[i];
    change[blocks_[i].last + 1] -= sizes[i];
  }
  int64_t live = 0;
  for (const int64_t delta : change) {
    live += delta;
    plan.lower_bound_bytes = std::max(plan.lower_bound_bytes, live);
  }

  std::vector<int> order(blocks_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (sizes[a] != sizes[b]) return sizes[a] > sizes[b];
    return blocks_[a].first < blocks_[b].first;
  });

  // Pools by size, so that those that fit a block best come first; of equal ones those that take
  // part for the shortest time, which leaves the others to later blocks.
  std::vector<int> by_size(pools_.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(), [&](int a, int b) {
    return std::tie(pools_[a].bytes, pools_[a].first) < std::tie(pools_[b].bytes, pools_[b].first);
  });

  // The blocks placed so far, pool by pool.
  std::vector<int> placed_in_arena;
  std::vector<std::vector<int>> placed_in_pools(pools_.size());
  std::vector<std::pair<int64_t, int64_t>> taken;
  auto placed_in = [&](int pool) -> std::vector<int>& {
    return pool == kArenaPool ? placed_in_arena : placed_in_pools[pool];
  };
  auto collect = [&](const MemoryBlock& block, int pool) {
    taken.clear();
    for (const int other : placed_in(pool)) {
      const MemoryBlock& neighbour = plan.blocks[other];
      if (LiveTogether(block, neighbour)) {
        taken.push_back({neighbour.offset, neighbour.offset + sizes[other]});
      }
    }
  };
  for (const int index : order) {
    MemoryBlock& block = plan.blocks[index];
    if (sizes[index] == 0) continue;
    std::optional<Gap> best;
    int tried = 0;
    auto fitting = std::lower_bound(by_size.begin(), by_size.end(), block.bytes,
                                    [&](int pool, int64_t b) { return pools_[pool].bytes < b; });
    for (; fitting != by_size.end() && tried < kMaxPoolsTried; ++fitting) {
      const int pool = *fitting;
      if (block.last >= pools_[pool].first) continue;
      ++tried;
      collect(block, pool);
      // The last bytes of a pool need no padding, so its size is not rounded up.
      const auto gap = BestGap(&taken, block.bytes, pools_[pool].bytes);
      if (gap && (!best || gap->bytes < best->bytes)) {
        best = gap;
        block.pool = pool;
      }
    }
    if (!best) {
      collect(block, kArenaPool);
      best = BestGap(&taken, sizes[index], std::numeric_limits<int64_t>::max());
    }
    block.offset = best->offset;
    if (block.pool == kArenaPool) {
      plan.arena_bytes = std::max(plan.arena_bytes, block.offset + sizes[index]);
    }
    placed_in(block.pool).push_back(index);
  }
  return plan;
}

absl::Status MemoryPlan::Check() const {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const MemoryBlock& a = blocks[i];
    if (a.bytes == 0) continue;
    if (a.offset < 0 || a.offset % alignment != 0) {
      return absl::InternalError(absl::StrCat(a.name, " is at ", a.offset, ", not aligned"));
    }
    const int64_t limit = a.pool == kArenaPool ? arena_bytes : pools[a.pool].bytes;
    if (a.bytes > limit - a.offset) {
      return absl::InternalError(absl::StrCat(a.name, " leaves the ", PoolName(a.pool)));
    }
    if (a.pool != kArenaPool && a.last >= pools[a.pool].first) {
      return absl::InternalError(
          absl::StrCat(a.name, " is in ", PoolName(a.pool), " when that is written"));
    }
    for (size_t j = i + 1; j < blocks.size(); ++j) {
      const MemoryBlock& b = blocks[j];
      if (b.bytes == 0 || a.pool != b.pool || !LiveTogether(a, b)) continue;
      if (a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes) {
        return absl::InternalError(
            absl::StrCat(a.name, " and ", b.name, " live at once at the same address"));
      }
    }
  }
  return absl::OkStatus();
}

std::string MemoryPlan::ToString() const {
  std::vector<const MemoryBlock*> order;
  for (const MemoryBlock& block : blocks) order.push_back(&block);
  std::stable_sort(order.begin(), order.end(), [](const MemoryBlock* a, const MemoryBlock* b) {
    return std::tie(a->pool, a->offset, a->first) < std::tie(b->pool, b->offset, b->first);
  });
  std::string text = absl::StrFormat("arena %d bytes, lower bound %d bytes, %d blocks\n",
                                     arena_bytes, lower_bound_bytes, blocks.size());
  if (blocks.empty()) return text;
  absl::StrAppendFormat(&text, "%-10s %12s %12s %11s  %s\n", "pool", "offset", "bytes", "steps",
                        "value");
  for (const MemoryBlock* block : order) {
    absl::StrAppendFormat(&text, "%-10s %12d %12d %5d–%-5d  %s\n", PoolName(block->pool),
                          block->offset, block->bytes, block->first, block->last, block->name);
  }
  return text;
}

}  // namespace tandem
