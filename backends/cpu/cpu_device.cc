#include "tandem/backends/cpu/cpu_device.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tandem::cpu_backend {
namespace {

constexpr int kMaxDevices = 64;
constexpr int kMaxSlots = 1 << 20;

// The processors that this process may run on, which a container often restricts.
int HardwareThreads() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return CPU_COUNT(&allowed);
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<int>(online) : 1;
}

int64_t MachineMemory() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? pages * page : 0;
}

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "model name")) continue;
    rest.remove_prefix(std::min(rest.find(':'), rest.size() - 1) + 1);
    return std::string(absl::StripAsciiWhitespace(rest));
  }
  return "CPU";
}

}  // namespace

CpuDevice::CpuDevice(int ordinal, std::shared_ptr<CpuRuntime> runtime,
                     const CpuAllocator::Options& options)
    : Device({CpuDeviceType(), ordinal}),
      runtime_(std::move(runtime)),
      allocator_(id(), options),
      default_stream_(MakeRef<CpuStream>(runtime_->pool)) {
  const std::string processor = ProcessorName();
  const int threads = pool().threads();
  info_.name = absl::StrCat(processor, ", ", IsaName(isa()), ", ", threads,
                            threads == 1 ? " thread" : " threads");
  info_.memory_bytes = options.reserved_bytes > 0 ? options.reserved_bytes : MachineMemory();
  info_.alignment = CpuAllocator::kAlignment;
  info_.properties = {{"processor", processor},
                      {"isa", std::string(IsaName(isa()))},
                      {"threads", absl::StrCat(threads)}};
}

absl::StatusOr<Ref<Stream>> CpuDevice::CreateStream() {
  return Ref<Stream>(MakeRef<CpuStream>(runtime_->pool));
}

absl::StatusOr<Ref<CommandBuffer>> CpuDevice::CreateCommandBuffer(int num_slots) {
  if (num_slots < 0 || num_slots > kMaxSlots) {
    return absl::InvalidArgumentError(
        absl::StrCat("a command buffer has between 0 and ", kMaxSlots, " slots, not ", num_slots));
  }
  return Ref<CommandBuffer>(MakeRef<CpuCommandBuffer>(num_slots));
}

CpuBackend::CpuBackend()
    : runtime_(std::make_shared<CpuRuntime>(HardwareThreads())),
      poison_(std::make_shared<std::atomic<bool>>(false)) {
  allocator_options_.poison = poison_;
}

absl::StatusOr<int> CpuBackend::CountDevices() {
  absl::MutexLock lock(&mutex_);
  return num_devices_;
}

absl::StatusOr<std::unique_ptr<Device>> CpuBackend::OpenDevice(int ordinal) {
  absl::MutexLock lock(&mutex_);
  if (ordinal < 0 || ordinal >= num_devices_) {
    return absl::UnavailableError(absl::StrCat("there is no device cpu:", ordinal, "; there ",
                                               num_devices_ == 1 ? "is " : "are ", num_devices_,
                                               " (option 'devices')"));
  }
  opened_ = true;
  return std::make_unique<CpuDevice>(ordinal, runtime_, allocator_options_);
}

absl::Status CpuBackend::SetOption(absl::string_view name, absl::string_view value) {
  const auto invalid = [&](absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat("cpu: option ", name, "='", value, "': ", rule));
  };
  const auto needs_closed = [&] {
    return absl::FailedPreconditionError(
        absl::StrCat("cpu: option ", name, " comes before the first device is opened"));
  };
  if (name == "threads") {
    int threads;
    if (!absl::SimpleAtoi(value, &threads)) return invalid("it is a number");
    return runtime_->pool.SetThreads(threads);
  }
  if (name == "isa") {
    const absl::StatusOr<Isa> isa = ParseIsa(value);
    if (!isa.ok()) return isa.status();
    if (*isa > DetectIsa()) {
      return invalid(absl::StrCat("this CPU has ", IsaName(DetectIsa()), " at most"));
    }
    runtime_->isa.store(*isa, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (name == "poison") {
    if (value != "0" && value != "1") return invalid("it is 0 or 1");
    poison_->store(value == "1", std::memory_order_relaxed);
    return absl::OkStatus();
  }
  absl::MutexLock lock(&mutex_);
  if (name == "devices") {
    int devices;
    if (!absl::SimpleAtoi(value, &devices) || devices < 1 || devices > kMaxDevices) {
      return invalid(absl::StrCat("it is between 1 and ", kMaxDevices));
    }
    if (opened_) return needs_closed();
    num_devices_ = devices;
    return absl::OkStatus();
  }
  if (name == "memory_limit") {
    int64_t bytes;
    if (!absl::SimpleAtoi(value, &bytes) || bytes < 1) return invalid("it is a number of bytes");
    if (opened_) return needs_closed();
    allocator_options_.reserved_bytes = bytes;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("cpu: there is no option '", name,
                   "'; there are threads, isa, poison, devices and memory_limit"));
}

}  // namespace tandem::cpu_backend
