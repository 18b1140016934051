// A compiled program needs no front end: written by one half of this test as text and parameters, it
// is loaded, compiled and run by the other with core, graph and serialization alone.

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/text.h"
#include "tandem/serialization/native/model.h"

namespace tandem {
namespace {

constexpr char kProgram[] = R"(
    graph @tiny(%data: f32[2,3] argument, %weight: f32[4,3] parameter) -> (f32[2,4] "y") {
      %h = matmul(%data, %weight) {transpose_b=true} : f32[2,4]
      %y = relu(%h) : f32[2,4]
      return %y
    })";

// R6 R2
TEST(NoFrontEndTest, ACompiledProgramRunsWithoutOne) {
  ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok());
  const auto device = BackendRegistry::Global().Open("cpu:0");
  ASSERT_TRUE(device.ok()) << device.status();
  const std::string folder = testing::TempDir() + "/no_front_end/";
  std::filesystem::create_directories(folder);
  {
    auto graph = ParseGraph(kProgram, OpRegistry::Global(), *device);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const Tensor weight =
        *Tensor::FromVector<float>({1, 0, 0, 0, 1, 0, 0, 0, -1, 1, 1, 1}, {4, 3}, **device);
    Model model;
    model.graph = *std::move(graph);
    model.parameters = {{"weight", weight}};
    const absl::Status saved = SaveModel(model, folder + "tiny");
    ASSERT_TRUE(saved.ok()) << saved;
  }
  const auto model = LoadModel(folder + "tiny-symbol.json", folder + "tiny-0000.params", **device,
                               OpRegistry::Global());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->parameters.size(), 1u);
  for (const bool is_static : {false, true}) {
    const auto program = Executable::Create(model->graph, **device,
                                            {.static_alloc = is_static, .static_shape = is_static});
    ASSERT_TRUE(program.ok()) << program.status();
    const Tensor data = *Tensor::FromVector<float>({1, 2, 3, -1, 5, 2}, {2, 3}, **device);
    const auto result = (*program)->Run({data, model->parameters[0].tensor});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result->outputs[0].ToVector<float>(), (std::vector<float>{1, 2, 0, 6, 0, 5, 0, 6}));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tandem
