#include "tandem/benchmarks/peers/workload.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/benchmarks/peers/worker.h"

namespace tandem::benchmarks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class WorkloadTest : public ::testing::Test {
 protected:
  WorkloadTest() : folder_(::testing::TempDir()) {}
  // Makes `file` what a system gave.
  void GiveAsActual(const char* file) {
    fs::copy_file(fs::path(folder_) / file, fs::path(folder_) / kActualFile,
                  fs::copy_options::overwrite_existing);
  }
  const std::string folder_;
};

TEST_F(WorkloadTest, TheLargestErrorIsRelativeToTheLargestElement) {
  const Workload workload = Value(FindWorkload("cheap", 100));
  WriteWorkload(workload, folder_);
  EXPECT_EQ(ReadInputs(folder_).size(), 1u);
  GiveAsActual(kExpectedFile);
  EXPECT_EQ(Value(LargestError(workload, folder_)), 0);
  const auto net = MakeNetwork(workload);
  const Tensor y = (*net)(ReadInputs(folder_)[0]);
  WriteActual(workload, *net, y * 1.25, folder_);
  EXPECT_FLOAT_EQ(Value(LargestError(workload, folder_)), 0.25);
  WriteActual(workload, *net, y / ZerosLike(y), folder_);
  EXPECT_THAT(LargestError(workload, folder_).status().ToString(), HasSubstr("inf"));
  WriteActual(workload, *net, Ones({99}), folder_);
  EXPECT_THAT(LargestError(workload, folder_).status().ToString(), HasSubstr("99 elements"));
  // Tensors by other names.
  GiveAsActual(kInputsFile);
  EXPECT_THAT(LargestError(workload, folder_).status().ToString(), HasSubstr("has no 'y'"));
}

// Weights change little in a step, so an error that is relative to the weights would hide a gradient
// that is missing.
TEST_F(WorkloadTest, AStepThatChangesNothingIsWrong) {
  for (const char* net : {"mlp-train", "lenet-train"}) {
    const Workload workload = Value(FindWorkload(net, 4));
    WriteWorkload(workload, folder_);
    GiveAsActual(kExpectedFile);
    EXPECT_LT(Value(LargestError(workload, folder_)), workload.tolerance) << net;
    GiveAsActual(kWeightsFile);
    EXPECT_GT(Value(LargestError(workload, folder_)), 0.9) << net;
  }
}

TEST_F(WorkloadTest, ACompiledStepIsTheEagerOne) {
  const Workload workload = Value(FindWorkload("mlp-train", 4));
  WriteWorkload(workload, folder_);
  const std::shared_ptr<HybridBlock> net = MakeNetwork(workload);
  net->LoadParameters(absl::StrCat(folder_, "/", kWeightsFile));
  const auto step = MakeTrainingStep(net);
  step->Hybridize({.static_alloc = true, .static_shape = true});
  const TensorList inputs = ReadInputs(folder_);
  EXPECT_EQ((*step)(inputs[0], inputs[1]).shape(), Shape({4}));
  WriteActual(workload, *net, Tensor(), folder_);
  EXPECT_LT(Value(LargestError(workload, folder_)), 1e-6);
  // The second step goes on from the first.
  (*step)(inputs[0], inputs[1]);
  WriteActual(workload, *net, Tensor(), folder_);
  EXPECT_GT(Value(LargestError(workload, folder_)), 10 * workload.tolerance);
}

}  // namespace
}  // namespace tandem::benchmarks
