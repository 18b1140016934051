#include "tandem/backends/vulkan/vulkan_device.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/backends/vulkan/commands/vulkan_command_buffer.h"
#include "tandem/backends/vulkan/commands/vulkan_stream.h"
#include "tandem/backends/vulkan/driver/queue_plan.h"
#include "tandem/backends/vulkan/driver/vulkan_queue.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/programs/shader_compiler.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

std::string VersionString(uint32_t version) {
  return absl::StrCat(VK_API_VERSION_MAJOR(version), ".", VK_API_VERSION_MINOR(version), ".",
                      VK_API_VERSION_PATCH(version));
}

const char* ValidationName(Validation validation) {
  switch (validation) {
    case Validation::kOn:
      return "on";
    case Validation::kSync:
      return "sync";
    case Validation::kOff:
      break;
  }
  return "off";
}

int64_t DeviceMemory(const VkPhysicalDeviceMemoryProperties& memory) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
    if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
      bytes += memory.memoryHeaps[i].size;
    }
  }
  return static_cast<int64_t>(bytes);
}

std::string DescribeQueues(const QueuePlan& plan) {
  std::string text = absl::StrCat(plan.compute.size(), " to compute");
  if (plan.transfer.has_value()) {
    absl::StrAppend(&text,
                    plan.transfer->family.computes ? ", 1 to upload" : ", 1 that only copies");
  }
  return text;
}

DeviceInfo Describe(const VulkanContext& context, int64_t alignment) {
  const PhysicalDevice& physical = context.physical();
  const Capabilities& c = context.capabilities();
  DeviceInfo info;
  info.name = absl::StrCat(physical.name, ", ", PhysicalDeviceTypeName(physical.type));
  info.memory_bytes = DeviceMemory(physical.memory);
  info.alignment = alignment;
  info.properties = {
      {"driver", physical.driver},
      {"vulkan", VersionString(physical.api_version)},
      {"type", std::string(PhysicalDeviceTypeName(physical.type))},
      {"features", absl::StrJoin(FeatureNames(c), ",")},
      {"subgroup_size", absl::StrCat(c.subgroup_size)},
      {"workgroup_invocations", absl::StrCat(c.max_workgroup_invocations)},
      {"shared_memory_bytes", absl::StrCat(c.shared_memory_bytes)},
      {"storage_range_bytes", absl::StrCat(c.max_storage_range)},
      {"allocation_bytes", absl::StrCat(physical.max_allocation_bytes)},
      {"queues", DescribeQueues(physical.queues)},
      {"memory_budget", physical.memory_budget ? "1" : "0"},
      {"validation", ValidationName(context.instance().options().validation)},
  };
  return info;
}

}  // namespace

absl::StatusOr<std::unique_ptr<VulkanDevice>> VulkanDevice::Create(
    std::shared_ptr<VulkanContext> context, const VulkanDeviceOptions& options) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<VulkanDevice> device(new VulkanDevice(std::move(context), options));
  TANDEM_ASSIGN_OR_RETURN(device->programs_,
                          ProgramCache::Create(device->context_, options.cache_dir));
  device->info_.properties.push_back({"pipeline_cache", device->programs_->pipelines().Describe()});
  TANDEM_ASSIGN_OR_RETURN(device->default_stream_, device->CreateStream());
  device->transfer_stream_ = device->default_stream_;
  if (VulkanQueue* const queue = device->context_->transfer_queue(); queue != nullptr) {
    TANDEM_ASSIGN_OR_RETURN(device->transfer_stream_,
                            VulkanStream::Create(device->context_, *queue));
  }
  // Work that is pending holds buffers that nobody else has any more.
  device->allocator_.SetReclaim(
      [context = device->context_.get()] { return VulkanStream::DrainAll(*context); });
  return device;
}

VulkanDevice::VulkanDevice(std::shared_ptr<VulkanContext> context,
                           const VulkanDeviceOptions& options)
    : Device(context->id()),
      context_(std::move(context)),
      allocator_(context_, options.allocator),
      compiler_(std::make_unique<ShaderCompiler>(options.cache_dir)) {
  info_ = Describe(*context_, allocator_.alignment());
}

VulkanDevice::~VulkanDevice() = default;

absl::StatusOr<Ref<Stream>> VulkanDevice::CreateStream() {
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  return VulkanStream::Create(context_);
}

absl::StatusOr<Ref<CommandBuffer>> VulkanDevice::CreateCommandBuffer(int num_slots) {
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  return VulkanCommandBuffer::Create(context_, num_slots);
}

}  // namespace tandem::vulkan_backend
