#include "tandem/backends/vulkan/programs/shader_compiler.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using testing::HasSubstr;

GlslSource Scale(int factor) {
  return {"scale",
          "#version 450\n"
          "#extension GL_GOOGLE_include_directive : require\n"
          "#include \"backends/vulkan/shaders/math_f32.glsl\"\n"
          "layout(local_size_x_id = 0) in;\n"
          "layout(set = 0, binding = 0) buffer X { float x[]; };\n"
          "void main() { x[gl_GlobalInvocationID.x] = Exp(x[0]) * " +
              std::to_string(factor) + ".0; }\n",
          1, 0};
}

std::string FreshDirectory(const char* name) {
  static int counter = 0;
  return testing::TempDir() + "/" + name + std::to_string(counter++);
}

TEST(ShaderCompilerTest, CompilesOnceAndKeepsTheShader) {
  const Shader* shader;
  {
    ShaderCompiler compiler;
    shader = compiler.Compile(Scale(2)).value();
    EXPECT_EQ(compiler.Compile(Scale(2)).value(), shader);
    EXPECT_NE(compiler.Compile(Scale(3)).value(), shader);
    EXPECT_EQ(compiler.compiled(), 2);
  }
  EXPECT_STREQ(shader->name, "scale");
  EXPECT_EQ(shader->num_bindings, 1);
  ASSERT_GT(shader->spirv.size(), 5);
  EXPECT_EQ(shader->spirv[0], 0x07230203u);
}

TEST(ShaderCompilerTest, ErrorsHaveTheCompilersMessages) {
  ShaderCompiler compiler;
  GlslSource source = Scale(1);
  source.text += "int f() { return missing; }\n";
  const auto shader = compiler.Compile(source);
  EXPECT_EQ(shader.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(shader.status().message(), HasSubstr("'missing' : undeclared identifier"));
  EXPECT_EQ(compiler.Compile(source).status(), shader.status());
  source.text =
      "#version 450\n#extension GL_GOOGLE_include_directive : require\n"
      "#include \"elsewhere.glsl\"\nvoid main() {}\n";
  EXPECT_THAT(compiler.Compile(source).status().message(), HasSubstr("runtime_shaders"));
}

TEST(ShaderCompilerTest, OnlyErrorsOfTheTextAreKept) {
  static int calls;
  static absl::StatusCode code;
  calls = 0;
  ShaderCompiler compiler("", [](const GlslSource&) -> absl::StatusOr<std::vector<uint32_t>> {
    ++calls;
    if (code != absl::StatusCode::kOk) return absl::Status(code, "injected");
    return std::vector<uint32_t>{1};
  });
  code = absl::StatusCode::kResourceExhausted;
  EXPECT_EQ(compiler.Compile(Scale(1)).status().code(), code);
  code = absl::StatusCode::kOk;
  EXPECT_TRUE(compiler.Compile(Scale(1)).ok());
  EXPECT_TRUE(compiler.Compile(Scale(1)).ok());
  EXPECT_EQ(calls, 2);
  code = absl::StatusCode::kInternal;
  EXPECT_EQ(compiler.Compile(Scale(2)).status().code(), code);
  code = absl::StatusCode::kOk;
  EXPECT_EQ(compiler.Compile(Scale(2)).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(calls, 3);
}

TEST(ShaderCompilerTest, ManyThreadsAtOnce) {
  ShaderCompiler compiler;
  std::vector<std::thread> threads;
  std::vector<const Shader*> shaders(32);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) shaders[4 * t + i] = compiler.Compile(Scale(10 + i)).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(compiler.compiled(), 4);
  for (int t = 1; t < 8; ++t) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(shaders[4 * t + i], shaders[i]);
  }
}

TEST(ShaderCompilerTest, ReadsWhatAnotherCompilerWrote) {
  const std::string directory = FreshDirectory("cache");
  ShaderCompiler first(directory), second(directory);
  const Shader* written = first.Compile(Scale(5)).value();
  const Shader* read = second.Compile(Scale(5)).value();
  EXPECT_TRUE(first.disk_status().ok()) << first.disk_status();
  EXPECT_EQ(second.compiled(), 0);
  EXPECT_EQ(second.read_from_disk(), 1);
  EXPECT_EQ(written->spirv, read->spirv);
}

TEST(ShaderCompilerTest, DirectoryThatCannotBeMade) {
  ShaderCompiler compiler("/proc/nothing/here");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(compiler.Compile(Scale(6)).ok());
  EXPECT_TRUE(compiler.Compile(Scale(7)).ok());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),  // once
            "tandem: " + std::string(compiler.disk_status().message()) + "\n");
  EXPECT_THAT(compiler.disk_status().message(),
              HasSubstr("shader cache: cannot make the folder /proc/nothing/here/shaders"));
}

}  // namespace
}  // namespace tandem::vulkan_backend
