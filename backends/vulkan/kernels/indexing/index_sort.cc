#include "tandem/backends/vulkan/kernels/indexing/index_sort.h"

#include <algorithm>
#include <bit>

#include "tandem/backends/vulkan/kernels/indexing/index_histogram_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/index_rank_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/index_scan_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/index_scatter_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/index_starts_shaders.h"
#include "tandem/backends/vulkan/kernels/loop_limit.h"
#include "tandem/core/base/checked_math.h"

namespace tandem::vulkan_backend {
namespace {

// As in the shaders.
constexpr int64_t kBlock = 256;   // keys that a work group sorts
constexpr int64_t kDigits = 256;  // values of a digit
constexpr int kDigitBits = 8;

struct RankConstants {
  uint32_t count;
  uint32_t size;
};
struct PassConstants {
  uint32_t count;
  uint32_t size;
  uint32_t shift;
  uint32_t blocks;
};
struct ScanConstants {
  uint32_t begin, end;
  uint32_t total;
};

Operand RadixSort(KernelBuilder& b, const IndexOperand& indices, int64_t count, int64_t size) {
  const uint32_t group = GroupSize(b.capabilities());
  const int64_t blocks = DivideRoundUp(count, kBlock);
  const int64_t total = blocks * kDigits;
  // Eight counts an invocation; a chunk of a group's takes some thirty iterations.
  const int64_t at_once = std::min(
      total, std::min<int64_t>(LoopIterations(b.capabilities()), 1 << 20) / 32 * 8 * group);
  const Operand counts = b.Workspace((total + 1) * sizeof(uint32_t));
  const Operand pairs[2] = {b.Workspace(count * 2 * sizeof(uint32_t)),
                            b.Workspace(count * 2 * sizeof(uint32_t))};
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(size - 1))));
  Operand from = indices.operand;
  int to = 0;
  for (int shift = 0; shift < bits; shift += kDigitBits) {
    const uint32_t is_pairs = shift > 0;
    const PassConstants constants = {static_cast<uint32_t>(count), static_cast<uint32_t>(size),
                                     static_cast<uint32_t>(shift), static_cast<uint32_t>(blocks)};
    b.Dispatch(IndexHistogramShader(), {group, indices.words, is_pairs},
               {Read(from), Write(counts)}, constants, LinearGrid(blocks));
    for (int64_t begin = 0; begin < total; begin += at_once) {
      const int64_t end = std::min(begin + at_once, total);
      b.Dispatch(IndexScanShader(), {group}, {ReadWrite(counts)},
                 ScanConstants{static_cast<uint32_t>(begin), static_cast<uint32_t>(end),
                               static_cast<uint32_t>(total)},
                 {1, 1, 1});
    }
    b.Dispatch(IndexScatterShader(), {group, indices.words, is_pairs},
               {Read(from), Read(counts), Write(pairs[to])}, constants, LinearGrid(blocks));
    from = pairs[to];
    to = 1 - to;
  }
  return from;
}

}  // namespace

SortedIndices SortIndices(KernelBuilder& b, const IndexOperand& indices, int64_t count,
                          int64_t size) {
  const uint32_t group = GroupSize(b.capabilities());
  const RankConstants constants = {static_cast<uint32_t>(count), static_cast<uint32_t>(size)};
  SortedIndices sorted;
  if (count <= kMostRanked) {
    sorted.pairs = b.Workspace(count * 2 * sizeof(uint32_t));
    b.Dispatch(IndexRankShader(), {group, indices.words, 0},
               {Read(indices.operand), Write(sorted.pairs)}, constants, GroupsFor(count, group));
  } else {
    sorted.pairs = RadixSort(b, indices, count, size);
  }
  sorted.starts = b.Workspace((size + 1) * sizeof(uint32_t));
  b.Dispatch(IndexStartsShader(), {group}, {Read(sorted.pairs), Write(sorted.starts)}, constants,
             GroupsFor(size + 1, group));
  return sorted;
}

}  // namespace tandem::vulkan_backend
