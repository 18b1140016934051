#include "tandem/backends/vulkan/memory/memory_pool.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/vk_status.h"
#include "tandem/backends/vulkan/memory/heap_room.h"
#include "tandem/backends/vulkan/memory/memory_types.h"
#include "tandem/backends/vulkan/memory/vulkan_buffer.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kMaxBlock = 256 * kMiB;
constexpr int64_t kMinBlock = 1 * kMiB;
// A heap has room for at least this many blocks.
constexpr int64_t kBlocksPerHeap = 16;
// A type's first block is this part of a full one; each block after it is twice as large.
constexpr int64_t kFirstBlockPart = 8;

constexpr VkBufferUsageFlags kUsage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_DST_BIT;

// Where queues of two families use buffers, they share them. The other way, handing the ownership of
// ranges over with a barrier on both queues for every copy, is for images, which engines lay out in
// their own ways; the bytes of a buffer are the same for all.
VkBufferCreateInfo BufferInfo(int64_t bytes, absl::Span<const uint32_t> families) {
  auto info = VkStruct<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
  info.size = static_cast<VkDeviceSize>(bytes);
  info.usage = kUsage;
  info.sharingMode = families.size() > 1 ? VK_SHARING_MODE_CONCURRENT : VK_SHARING_MODE_EXCLUSIVE;
  info.queueFamilyIndexCount = static_cast<uint32_t>(families.size());
  info.pQueueFamilyIndices = families.data();
  return info;
}

// Powers of two all of them, so the largest is a multiple of the others.
int64_t Granule(const PhysicalDevice& physical) {
  return std::max({int64_t{64}, int64_t{physical.capabilities.storage_alignment},
                   physical.non_coherent_atom_bytes});
}

}  // namespace

MemoryPool::MemoryPool(std::shared_ptr<VulkanContext> context,
                       const VulkanAllocator::Options& options)
    : context_(std::move(context)), options_(options), granule_(Granule(context_->physical())) {
  const uint32_t type_bits = ProbeTypeBits();
  for (const MemoryKind kind :
       {MemoryKind::kDevice, MemoryKind::kUpload, MemoryKind::kReadback, MemoryKind::kUnified}) {
    types_[static_cast<int>(kind)] = MemoryTypesFor(
        kind, context_->physical().memory, context_->capabilities().unified_memory, type_bits);
  }
}

MemoryPool::~MemoryPool() {
  for (const auto& block : blocks_) DeleteBlock(block.get());
}

// What all buffers of one usage have in common, says the specification of VkMemoryRequirements.
uint32_t MemoryPool::ProbeTypeBits() const {
  const VkBufferCreateInfo info = BufferInfo(granule_, context_->families());
  VkBuffer buffer = VK_NULL_HANDLE;
  if (context_->functions().CreateBuffer(context_->device(), &info, nullptr, &buffer) !=
      VK_SUCCESS) {
    return ~uint32_t{0};  // NewBlock looks at its own buffer, too
  }
  VkMemoryRequirements requirements = {};
  context_->functions().GetBufferMemoryRequirements(context_->device(), buffer, &requirements);
  context_->functions().DestroyBuffer(context_->device(), buffer, nullptr);
  return requirements.memoryTypeBits;
}

absl::StatusOr<Ref<Buffer>> MemoryPool::Allocate(int64_t bytes, MemoryKind kind) {
  if (bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a buffer cannot have ", bytes, " bytes"));
  }
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  TANDEM_RETURN_IF_ERROR(context_->Check(context_->InjectedFault(), "allocation of a buffer"));
  Placed placed;
  {
    LightMutexLock lock(&mutex_);
    TANDEM_ASSIGN_OR_RETURN(placed, Place(bytes, kind));
    ++stats_.allocations;
    stats_.bytes_in_use += placed.range.size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.bytes_in_use);
  }
  MemoryBlock* const block = placed.block;
  // From here on the buffer gives the range back.
  Ref<Buffer> buffer(new VulkanBuffer(shared_from_this(), block, placed.range.node,
                                      placed.range.offset, context_->id(), kind, bytes));
  if (options_.poison != nullptr && options_.poison->load(std::memory_order_relaxed) &&
      block->mapped != nullptr) {
    std::memset(block->mapped + placed.range.offset, 0xFF, bytes);
    TANDEM_RETURN_IF_ERROR(Flush(*block, placed.range.offset, bytes));
  }
  return buffer;
}

absl::StatusOr<MemoryPool::Placed> MemoryPool::Place(int64_t bytes, MemoryKind kind) {
  const std::vector<uint32_t>& types = types_[static_cast<int>(kind)];
  if (types.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(context_->id().ToString(), " has no ", MemoryKindName(kind), " memory"));
  }
  // An empty buffer needs a place, too.
  const int64_t wanted = std::max<int64_t>(bytes, 1);
  absl::Status status;
  if (wanted > context_->physical().max_allocation_bytes - granule_) {
    status = absl::ResourceExhaustedError(absl::StrCat(
        "one allocation has at most ", context_->physical().max_allocation_bytes, " bytes"));
  } else {
    Placed placed;
    for (int attempt = 0; attempt < 2; ++attempt) {
      for (const uint32_t type : types) {
        if (PlaceInBlocks(wanted, type, &placed)) return placed;
        absl::StatusOr<MemoryBlock*> block = Grow(wanted, type);
        if (block.ok()) {
          const std::optional<RangeAllocator::Range> range = (*block)->ranges.Allocate(wanted);
          // A block is made large enough.
          if (!range.has_value()) return absl::InternalError("a new block has no room");
          return Placed{*block, *range};
        }
        status = block.status();
        if (!absl::IsResourceExhausted(status)) return status;
      }
      // What is kept for later may make room.
      if (!DeleteEmptyBlocks(0, /*also_shared=*/true)) break;
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(context_->id().ToString(), ": no room for ", bytes, " bytes of ",
                   MemoryKindName(kind), " memory: ", status.message(), "; ", stats_.bytes_in_use,
                   " bytes are in use, ", stats_.bytes_reserved,
                   " are taken from the driver; use smaller batches, or release tensors"));
}

bool MemoryPool::PlaceInBlocks(int64_t bytes, uint32_t type, Placed* placed) {
  for (const auto& block : blocks_) {
    if (block->type != type) continue;
    // Kept for the next tensor of about the same size.
    if (block->dedicated && (!block->ranges.empty() || bytes < block->ranges.size() / 4 * 3)) {
      continue;
    }
    if (std::optional<RangeAllocator::Range> range = block->ranges.Allocate(bytes)) {
      *placed = {block.get(), *range};
      return true;
    }
  }
  return false;
}

int64_t MemoryPool::HeapBytes(uint32_t type) const {
  const VkPhysicalDeviceMemoryProperties& memory = context_->physical().memory;
  return static_cast<int64_t>(memory.memoryHeaps[memory.memoryTypes[type].heapIndex].size);
}

int64_t MemoryPool::FullBlockBytes(uint32_t type) const {
  int64_t bytes = options_.block_bytes;
  if (bytes <= 0) bytes = std::clamp(HeapBytes(type) / kBlocksPerHeap, kMinBlock, kMaxBlock);
  bytes = std::min(bytes, context_->physical().max_allocation_bytes);
  return std::max(bytes & ~(granule_ - 1), granule_);
}

absl::Status MemoryPool::CheckLimits(int64_t bytes, uint32_t type) const {
  if (options_.memory_limit > 0 && bytes > options_.memory_limit - stats_.bytes_reserved) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the option memory_limit is ", options_.memory_limit, " bytes"));
  }
  const PhysicalDevice& physical = context_->physical();
  const uint32_t heap = physical.memory.memoryTypes[type].heapIndex;
  HeapRoom room = {.heap_bytes = HeapBytes(type),
                   .reserved_bytes = reserved_of_heap_[heap],
                   .budget = std::nullopt};
  if (physical.memory_budget) {
    auto budget = VkStruct<VkPhysicalDeviceMemoryBudgetPropertiesEXT>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
    auto properties = VkStruct<VkPhysicalDeviceMemoryProperties2>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2);
    properties.pNext = &budget;
    context_->instance().functions().GetPhysicalDeviceMemoryProperties2(physical.handle,
                                                                        &properties);
    room.budget = {.bytes = budget.heapBudget[heap], .used = budget.heapUsage[heap]};
  }
  return CheckRoom(bytes, room);
}

absl::StatusOr<MemoryBlock*> MemoryPool::Grow(int64_t bytes, uint32_t type) {
  if (blocks_.size() >= context_->physical().max_memory_allocations) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the driver gives at most ", blocks_.size(), " pieces of memory"));
  }
  const int64_t needed = (bytes + granule_ - 1) & ~(granule_ - 1);
  const int64_t full = FullBlockBytes(type);
  const bool dedicated = needed > full / 2;
  int64_t size = needed;
  if (!dedicated) {
    // Small programs take little, large ones soon have full blocks.
    const auto of_type = std::count_if(blocks_.begin(), blocks_.end(), [&](const auto& block) {
      return block->type == type && !block->dedicated;
    });
    size = full / kFirstBlockPart;
    for (auto i = of_type; i > 0 && size < full; --i) size *= 2;
    size = std::max(std::min(size, full) & ~(granule_ - 1), needed);
  }
  std::unique_ptr<MemoryBlock> block;
  for (;;) {
    absl::Status status = CheckLimits(size, type);
    if (status.ok()) {
      absl::StatusOr<std::unique_ptr<MemoryBlock>> made = NewBlock(size, type, dedicated);
      if (made.ok()) {
        block = *std::move(made);
        break;
      }
      status = made.status();
    }
    if (!absl::IsResourceExhausted(status) || size == needed) return status;
    // Where a block has no room, a smaller one may have.
    size = std::max(needed, (size / 2) & ~(granule_ - 1));
  }
  stats_.bytes_reserved += block->reserved_bytes;
  reserved_of_heap_[context_->physical().memory.memoryTypes[type].heapIndex] +=
      block->reserved_bytes;
  blocks_.push_back(std::move(block));
  return blocks_.back().get();
}

absl::StatusOr<std::unique_ptr<MemoryBlock>> MemoryPool::NewBlock(int64_t bytes, uint32_t type,
                                                                  bool dedicated) const {
  const DeviceFunctions& vk = context_->functions();
  const VkDevice device = context_->device();
  auto block = std::make_unique<MemoryBlock>(bytes, granule_);
  block->type = type;
  block->dedicated = dedicated;
  const auto fail = [&](const absl::Status& status) {
    DeleteBlock(block.get());
    return status;
  };

  const VkBufferCreateInfo buffer_info = BufferInfo(bytes, context_->families());
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk.CreateBuffer(device, &buffer_info, nullptr, &block->buffer);
  }
  if (result != VK_SUCCESS) return fail(context_->Check(result, "vkCreateBuffer"));

  VkMemoryRequirements requirements = {};
  vk.GetBufferMemoryRequirements(device, block->buffer, &requirements);
  if ((requirements.memoryTypeBits >> type & 1) == 0) {
    return fail(absl::ResourceExhaustedError("this type of memory takes no such buffer"));
  }
  auto dedicated_info =
      VkStruct<VkMemoryDedicatedAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
  dedicated_info.buffer = block->buffer;
  auto memory_info = VkStruct<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
  if (dedicated) memory_info.pNext = &dedicated_info;
  memory_info.allocationSize = requirements.size;
  memory_info.memoryTypeIndex = type;
  result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk.AllocateMemory(device, &memory_info, nullptr, &block->memory);
  }
  if (result != VK_SUCCESS) return fail(context_->Check(result, "vkAllocateMemory"));
  block->reserved_bytes = static_cast<int64_t>(requirements.size);

  result = vk.BindBufferMemory(device, block->buffer, block->memory, 0);
  if (result != VK_SUCCESS) return fail(context_->Check(result, "vkBindBufferMemory"));
  const VkMemoryPropertyFlags flags = context_->physical().memory.memoryTypes[type].propertyFlags;
  block->coherent = (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
  if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0) {
    void* mapped = nullptr;
    result = vk.MapMemory(device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
    if (result != VK_SUCCESS) return fail(context_->Check(result, "vkMapMemory"));
    block->mapped = static_cast<std::byte*>(mapped);
  }
  return block;
}

void MemoryPool::DeleteBlock(MemoryBlock* block) const {
  // Unmaps, too. Null handles are ignored.
  context_->functions().DestroyBuffer(context_->device(), block->buffer, nullptr);
  context_->functions().FreeMemory(context_->device(), block->memory, nullptr);
}

bool MemoryPool::DeleteEmptyBlocks(int64_t dedicated_bytes_kept, bool also_shared) {
  std::vector<std::unique_ptr<MemoryBlock>> kept;
  kept.reserve(blocks_.size());
  for (std::unique_ptr<MemoryBlock>& block : blocks_) {
    bool keep = !block->ranges.empty();
    if (!keep && block->dedicated && block->reserved_bytes <= dedicated_bytes_kept) {
      dedicated_bytes_kept -= block->reserved_bytes;
      keep = true;
    }
    if (keep || (!block->dedicated && !also_shared)) {
      kept.push_back(std::move(block));
      continue;
    }
    stats_.bytes_reserved -= block->reserved_bytes;
    reserved_of_heap_[context_->physical().memory.memoryTypes[block->type].heapIndex] -=
        block->reserved_bytes;
    DeleteBlock(block.get());
  }
  const bool any = kept.size() < blocks_.size();
  blocks_ = std::move(kept);
  return any;
}

void MemoryPool::Free(MemoryBlock* block, uint32_t node) {
  LightMutexLock lock(&mutex_);
  const int64_t before = block->ranges.used();
  block->ranges.Free(node);
  stats_.bytes_in_use -= before - block->ranges.used();
  if (closed_) {
    DeleteEmptyBlocks(0, /*also_shared=*/true);
  } else if (block->dedicated) {
    // The next iteration of a training loop asks for the same sizes again.
    DeleteEmptyBlocks(HeapBytes(block->type) / 4, /*also_shared=*/false);
  }
}

absl::Status MemoryPool::Invalidate(const MemoryBlock& block, int64_t offset, int64_t size) const {
  if (block.coherent || size == 0) return absl::OkStatus();
  auto range = VkStruct<VkMappedMemoryRange>(VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE);
  range.memory = block.memory;
  range.offset = static_cast<VkDeviceSize>(offset);
  range.size = static_cast<VkDeviceSize>((size + granule_ - 1) & ~(granule_ - 1));
  return context_->Check(
      context_->functions().InvalidateMappedMemoryRanges(context_->device(), 1, &range),
      "vkInvalidateMappedMemoryRanges");
}

absl::Status MemoryPool::Flush(const MemoryBlock& block, int64_t offset, int64_t size) const {
  if (block.coherent || size == 0) return absl::OkStatus();
  auto range = VkStruct<VkMappedMemoryRange>(VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE);
  range.memory = block.memory;
  range.offset = static_cast<VkDeviceSize>(offset);
  range.size = static_cast<VkDeviceSize>((size + granule_ - 1) & ~(granule_ - 1));
  return context_->Check(
      context_->functions().FlushMappedMemoryRanges(context_->device(), 1, &range),
      "vkFlushMappedMemoryRanges");
}

void MemoryPool::Trim() {
  LightMutexLock lock(&mutex_);
  DeleteEmptyBlocks(0, /*also_shared=*/true);
}

void MemoryPool::Close() {
  LightMutexLock lock(&mutex_);
  closed_ = true;
  DeleteEmptyBlocks(0, /*also_shared=*/true);
}

AllocatorStats MemoryPool::stats() const {
  LightMutexLock lock(&mutex_);
  return stats_;
}

void MemoryPool::ResetPeak() {
  LightMutexLock lock(&mutex_);
  stats_.peak_bytes = stats_.bytes_in_use;
}

}  // namespace tandem::vulkan_backend
