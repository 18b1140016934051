// Linked in, it registers the backends of this build with the process's registries, as soon as a
// device is looked for. An error is what opening a device then reports.

#include "tandem/backends/all.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"

namespace tandem {
namespace {

[[maybe_unused]] const bool registered = [] {
  BackendRegistry::Global().RegisterLater([] {
    return RegisterAllBackends(&BackendRegistry::Global(), &KernelRegistry::Global());
  });
  return true;
}();

}  // namespace
}  // namespace tandem
