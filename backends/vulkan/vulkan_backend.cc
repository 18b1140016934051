#include "tandem/backends/vulkan/vulkan_backend.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr absl::string_view kOptionsAtAnyTime[] = {"poison", "fail_allocation", "lose_device"};
constexpr absl::string_view kOptionsBeforeOpen[] = {
    "cache_dir", "memory_limit", "library", "validation", "disable", "block_bytes", "queues"};

absl::Status Invalid(absl::string_view name, absl::string_view value, absl::string_view rule) {
  return absl::InvalidArgumentError(
      absl::StrCat("vulkan: option ", name, "='", value, "': ", rule));
}

absl::StatusOr<bool> ParseBool(absl::string_view name, absl::string_view value) {
  if (value != "0" && value != "1") return Invalid(name, value, "it is 0 or 1");
  return value == "1";
}

absl::StatusOr<int64_t> ParseCount(absl::string_view name, absl::string_view value,
                                   absl::string_view rule) {
  int64_t count;
  if (!absl::SimpleAtoi(value, &count) || count < 0) return Invalid(name, value, rule);
  return count;
}

absl::StatusOr<Validation> ParseValidation(absl::string_view value) {
  if (value == "off") return Validation::kOff;
  if (value == "on") return Validation::kOn;
  if (value == "sync") return Validation::kSync;
  return Invalid("validation", value, "it is off, on or sync");
}

}  // namespace

VulkanBackend::VulkanBackend()
    : faults_(std::make_shared<FaultInjector>()),
      poison_(std::make_shared<std::atomic<bool>>(false)) {
  device_options_.allocator.poison = poison_;
}

absl::Status VulkanBackend::FindDevices() {
  if (instance_ != nullptr) return absl::OkStatus();
  TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<Instance> instance, Instance::Get(instance_options_));
  TANDEM_ASSIGN_OR_RETURN(devices_, ListPhysicalDevices(*instance));
  instance_ = std::move(instance);
  return absl::OkStatus();
}

absl::StatusOr<int> VulkanBackend::CountDevices() {
  absl::MutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(FindDevices());
  return static_cast<int>(devices_.size());
}

absl::StatusOr<std::unique_ptr<Device>> VulkanBackend::OpenDevice(int ordinal) {
  absl::MutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(FindDevices());
  if (ordinal < 0 || ordinal >= devices_.size()) {
    return absl::UnavailableError(absl::StrCat(
        "there is no device vulkan:", ordinal, "; there are: ",
        absl::StrJoin(devices_, ", ", [](std::string* out, const PhysicalDevice& device) {
          absl::StrAppend(out, device.name);
        })));
  }
  PhysicalDevice physical = devices_[ordinal];
  if (shared_queues_ > 0) physical.queues = ShareOneQueue(physical.queues, shared_queues_);
  Capabilities capabilities = physical.capabilities;
  TANDEM_RETURN_IF_ERROR(DisableFeatures(disabled_, &capabilities));
  TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<VulkanContext> context,
                          VulkanContext::Create({VulkanDeviceType(), ordinal}, instance_, physical,
                                                capabilities, faults_));
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Device> device,
                          VulkanDevice::Create(std::move(context), device_options_));
  opened_ = true;
  return device;
}

absl::Status VulkanBackend::SetOption(absl::string_view name, absl::string_view value) {
  if (name == "poison") {
    TANDEM_ASSIGN_OR_RETURN(const bool poison, ParseBool(name, value));
    poison_->store(poison, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (name == "fail_allocation") {
    const bool lasting = absl::ConsumeSuffix(&value, "+");
    TANDEM_ASSIGN_OR_RETURN(const int64_t k,
                            ParseCount(name, value, "it counts creations; 0: none fails"));
    faults_->FailAllocation(k, lasting);
    return absl::OkStatus();
  }
  if (name == "lose_device") {
    TANDEM_ASSIGN_OR_RETURN(const bool lose, ParseBool(name, value));
    faults_->LoseDevices(lose);
    return absl::OkStatus();
  }
  absl::MutexLock lock(&mutex_);
  if (opened_ && absl::c_linear_search(kOptionsBeforeOpen, name)) {
    return absl::FailedPreconditionError(
        absl::StrCat("vulkan: option ", name, " comes before the first device is opened"));
  }
  if (name == "cache_dir") {
    device_options_.cache_dir = std::string(value);
    return absl::OkStatus();
  }
  if (name == "memory_limit") {
    TANDEM_ASSIGN_OR_RETURN(device_options_.allocator.memory_limit,
                            ParseCount(name, value, "it is a number of bytes; 0: no limit"));
    return absl::OkStatus();
  }
  if (name == "block_bytes") {
    TANDEM_ASSIGN_OR_RETURN(
        device_options_.allocator.block_bytes,
        ParseCount(name, value, "it is a number of bytes; 0: by the size of the heap"));
    return absl::OkStatus();
  }
  if (name == "queues") {
    TANDEM_ASSIGN_OR_RETURN(const int64_t queues,
                            ParseCount(name, value, "it is a number of queues, at most 16"));
    if (queues > 16) return Invalid(name, value, "it is a number of queues, at most 16");
    shared_queues_ = static_cast<uint32_t>(queues);
    return absl::OkStatus();
  }
  if (name == "disable") {
    Capabilities all;
    TANDEM_RETURN_IF_ERROR(DisableFeatures(value, &all));
    disabled_ = std::string(value);
    return absl::OkStatus();
  }
  if (name == "library" || name == "validation") {
    if (name == "validation") {
      TANDEM_ASSIGN_OR_RETURN(instance_options_.validation, ParseValidation(value));
    } else {
      if (value.empty()) return Invalid(name, value, "it is a library's name or path");
      instance_options_.library = std::string(value);
    }
    // Found with another instance.
    instance_ = nullptr;
    devices_.clear();
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "vulkan: there is no option '", name, "'; there are ",
      absl::StrJoin(kOptionsBeforeOpen, ", "), ", ", absl::StrJoin(kOptionsAtAnyTime, ", ")));
}

}  // namespace tandem::vulkan_backend
