// What a buffer costs: every eager call makes at least one.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {
namespace {

Allocator* OpenAllocator(benchmark::State& state) {
  static auto* const registry = [] {
    auto* registry = new BackendRegistry;
    registry->Register(std::make_unique<VulkanBackend>()).IgnoreError();
    return registry;
  }();
  absl::StatusOr<Device*> device = registry->Open("vulkan:0");
  if (!device.ok()) {
    state.SkipWithError(device.status().ToString().c_str());
    return nullptr;
  }
  return &(*device)->allocator();
}

// One buffer at a time.
void BM_AllocateAndFree(benchmark::State& state) {
  Allocator* allocator = OpenAllocator(state);
  if (allocator == nullptr) return;
  for (auto _ : state) {
    benchmark::DoNotOptimize(allocator->Allocate(state.range(0)));
  }
}
BENCHMARK(BM_AllocateAndFree)->Arg(256)->Arg(1 << 16)->Arg(1 << 22)->Arg(1 << 28);

// Among a thousand others of many sizes, freed in another order.
void BM_AmongOthers(benchmark::State& state) {
  Allocator* allocator = OpenAllocator(state);
  if (allocator == nullptr) return;
  std::vector<Ref<Buffer>> live(1000);
  uint32_t random = 1;
  for (auto _ : state) {
    random = random * 1664525 + 1013904223;
    Ref<Buffer>& slot = live[(random >> 8) % live.size()];
    slot = nullptr;
    absl::StatusOr<Ref<Buffer>> buffer = allocator->Allocate(1 + (random >> 20) * 16);
    if (!buffer.ok()) {
      state.SkipWithError("no memory");
      return;
    }
    slot = *std::move(buffer);
  }
}
BENCHMARK(BM_AmongOthers);

}  // namespace
}  // namespace tandem::vulkan_backend
