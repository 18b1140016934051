// Linked into a test: its device is like a discrete GPU. It shows the host none of its memory, so that
// whatever crosses goes through staging buffers; and copies have a queue of their own, which keeps no
// order with the others but what semaphores ask for.

#include <utility>

#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"

namespace tandem {
namespace {

class Staging : public testing::Environment {
 public:
  void SetUp() override {
    BackendRegistry& backends = BackendRegistry::Global();
    for (const auto& [option, value] :
         {std::pair{"disable", "unified_memory"}, std::pair{"queues", "2"}}) {
      const absl::Status status = backends.SetOption("vulkan", option, value);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
};

// The environment is set up before the first test opens the device.
[[maybe_unused]] const testing::Environment* const kStaging =
    testing::AddGlobalTestEnvironment(new Staging);

}  // namespace
}  // namespace tandem
