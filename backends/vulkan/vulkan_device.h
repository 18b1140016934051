// A Vulkan device, as the rest of Tandem sees it.
//
//   auto& device = static_cast<VulkanDevice&>(request.device);
//   device.capabilities().float64;
//   device.programs();  // the cache of pipelines
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_VULKAN_DEVICE_H_
#define TANDEM_BACKENDS_VULKAN_VULKAN_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/memory/allocator.h"
#include "tandem/core/device/device.h"

namespace tandem::vulkan_backend {

class ProgramCache;
class ShaderCompiler;

// What the backend's options say about a device; see vulkan_backend.h.
struct VulkanDeviceOptions {
  VulkanAllocator::Options allocator;
  std::string cache_dir;  // empty: nothing is kept on disk
};

class VulkanDevice final : public Device {
 public:
  static absl::StatusOr<std::unique_ptr<VulkanDevice>> Create(
      std::shared_ptr<VulkanContext> context, const VulkanDeviceOptions& options);
  ~VulkanDevice() override;

  const DeviceInfo& info() const override { return info_; }
  VulkanAllocator& allocator() override { return allocator_; }
  Stream& default_stream() override { return *default_stream_; }
  Stream& transfer_stream() override { return *transfer_stream_; }
  absl::StatusOr<Ref<Stream>> CreateStream() override;
  absl::StatusOr<Ref<CommandBuffer>> CreateCommandBuffer(int num_slots) override;

  const std::shared_ptr<VulkanContext>& context() const { return context_; }
  const Capabilities& capabilities() const { return context_->capabilities(); }
  // Pipelines by shader and specialization constants.
  ProgramCache& programs() const { return *programs_; }
  // Compiles shaders that are printed at run time.
  ShaderCompiler& compiler() const { return *compiler_; }

 private:
  VulkanDevice(std::shared_ptr<VulkanContext> context, const VulkanDeviceOptions& options);

  const std::shared_ptr<VulkanContext> context_;
  DeviceInfo info_;
  VulkanAllocator allocator_;
  std::unique_ptr<ShaderCompiler> compiler_;
  std::unique_ptr<ProgramCache> programs_;
  Ref<Stream> default_stream_;
  Ref<Stream> transfer_stream_;  // where there is no queue for one, the default stream
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_VULKAN_DEVICE_H_
