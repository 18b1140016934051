// Linked into a test: its device shows the host none of its memory, as a discrete GPU does, so that
// whatever crosses goes through staging buffers.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"

namespace tandem {
namespace {

class Staging : public testing::Environment {
 public:
  void SetUp() override {
    const absl::Status status =
        BackendRegistry::Global().SetOption("vulkan", "disable", "unified_memory");
    ASSERT_TRUE(status.ok()) << status;
  }
};

// The environment is set up before the first test opens the device.
[[maybe_unused]] const testing::Environment* const kStaging =
    testing::AddGlobalTestEnvironment(new Staging);

}  // namespace
}  // namespace tandem
