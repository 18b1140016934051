// 2,000 damaged texts of graphs: each is an error with line and column, or a graph that the verifier
// accepts and that survives being printed; none takes more memory than four times the text plus
// 64 MB.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/ir/verifier.h"
#include "tandem/tests/fuzz/allocation_meter.h"
#include "tandem/tests/fuzz/mutate.h"

namespace tandem {
namespace {

constexpr absl::string_view kTexts[] = {
    R"(graph @mlp(%data: f32[1,3] argument, %weight: f32[2,3] parameter, %mean: f32[2] state, %rng: i64[2] random_state) -> (f32[1,2] "output", f32[2] "again") random_blocks=5 {
  %c0 = constant dense<[1.0, -0.5]> : f32[2]
  %5 = matmul(%data, %weight) {transpose_b=true} : f32[1,2] in "mlp0/dense0" at "mlp.cc:12"
  %6 = add(%5, %c0) : f32[1,2] in "mlp0/dense0"
  %7, %8 = split(%6) {axis=1, sections=2} : f32[1,1], f32[1,1]
  %9 = concat(%7, %8) {axis=1} : f32[1,2] at "my file.cc:3"
  %10 = dropout(%9, %rng) {delta=4} : f32[1,2]
  %11 = reshape(%10) {shape=[2]} : f32[2]
  update %mean = %11
  return %10, %11
}
)",
    R"(graph @"l\"net"(%"0": f32[2,1,12,12] argument, %w: f32[4,1,3,3] parameter) -> (f32[2,4] "o") {
  %2 = conv2d(%"0", %w) {strides=[2,2], padding=[1,1]} : f32[2,4,6,6] in "lenet0/conv0" // comment
  %3 = max_pool2d(%2) {kernel=[2,2]} : f32[2,4,3,3]
  %4 = transpose(%3) {axes=[0,2,3,1]} : f32[2,3,3,4]
  %5 = slice(%4) {begin=[0,-1], end=[2,4], strides=[1,1]} : f32[2,1,3,4]
  %6 = mean(%5) {axes=[1,2]} : f32[2,4]
  %7 = pad(%6) {before=[0,0], after=[0,0], value=-inf} : f32[2,4]
  %c0 = constant dense<[nan, inf, -0.0, nan(0x7fc00001)]> : f32[4]
  %9 = mul(%7, %c0) : f32[2,4]
  %10 = arange() {count=4, dtype=f16} : f16[4]
  %11 = full() {shape=[2,4], value=1e+30} : f32[2,4]
  %12 = where(%13, %9, %11) : f32[2,4]
  return %12
}
)",
    R"(graph @fused(%x: f32[1,4] argument, %w: f32[2,4] parameter, %b: f32[2] parameter) -> (f32[1,2] "y") {
  %3 = fused(%x, %w, %b) {body=(%0: f32[1,4], %1: f32[2,4], %2: f32[2]) { %3 = matmul(%0, %1) {transpose_b=true} : f32[1,2]; %4 = add(%3, %2) : f32[1,2]; %5 = relu(%4) : f32[1,2]; return %5 }} : f32[1,2] in "mlp0/dense0" at "mlp.cc:12"
  %4, %5 = fused(%3) {body=(%0: f32[1,2]) { %1 = fused(%0) {body=(%0: f32[1,2]) { %1 = exp(%0) : f32[1,2]; return %1 }} : f32[1,2]; %2, %3 = split(%1) {axis=1, sections=2} : f32[1,1], f32[1,1]; return %3, %2 }} : f32[1,1], f32[1,1]
  %6 = concat(%4, %5) {axis=1} : f32[1,2]
  return %6
}
)",
    R"(graph @control(%p: bool[] argument, %x: f32[3,2] argument, %w: f32[2] parameter) -> (f32[2] "y") {
  %3, %4 = scan(%w, %x, %w) {body=(%0: f32[2], %1: f32[2], %2: f32[2]) { %3 = mul(%0, %2) : f32[2]; %4 = add(%3, %1) : f32[2]; return %4, %0 }, num_carry=1, num_scanned=1, reverse=true} : f32[2], f32[3,2]
  %5 = cond(%p, %3) {then_body=(%0: f32[2]) { %1, %2, %3 = while_loop(%0) {condition=(%0: f32[2]) { %1 = sum(%0) : f32[]; return %1 }, body=(%0: f32[2]) { %1 = neg(%0) : f32[2]; return %1 }, max_iterations=4, keep_states=true} : f32[2], f32[4,2], i64[]; return %1 }, else_body=(%0: f32[2]) { return %0 }} : f32[2] in "net0" at "net.cc:3"
  return %5
}
)",
    "graph @g() -> (f32[] \"y\") {\n  %0 = full() {shape=ints[], value=0.5} : f32[]\n"
    "  return %0\n}\n",
};

const OpRegistry& Ops() {
  static OpRegistry* const registry = [] {
    auto* ops = new OpRegistry;
    EXPECT_TRUE(RegisterStandardOps(ops).ok());
    return ops;
  }();
  return *registry;
}

int64_t Allowance(const std::string& text) {
  return 4 * static_cast<int64_t>(text.size()) + (64 << 20);
}

// "12:7: …"
bool HasPosition(absl::string_view message) {
  int line = 0, column = 0;
  return std::sscanf(std::string(message.substr(0, 40)).c_str(), "%d:%d: ", &line, &column) == 2 &&
         line > 0 && column > 0;
}

TEST(GraphTextFuzz, DamagedTextsAreErrorsOrGraphs) {
  TestDevice device;
  int errors = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::string damaged = fuzz::Mutate(kTexts[seed % std::size(kTexts)], seed);
    const fuzz::AllocationMeter meter;
    const auto graph = ParseGraph(damaged, Ops(), &device);
    EXPECT_LE(meter.peak_bytes(), Allowance(damaged));
    if (!graph.ok()) {
      ++errors;
      EXPECT_TRUE(HasPosition(graph.status().message())) << graph.status();
      EXPECT_LT(graph.status().message().size(), 4096);
      continue;
    }
    const absl::Status valid = VerifyGraph(*graph);
    EXPECT_TRUE(valid.ok()) << valid;
    const GraphText printed = PrintGraphAndConstants(*graph);
    const auto again = ParseGraph(printed.text, Ops(), &device, printed.constants);
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed.text;
    EXPECT_EQ(PrintGraph(*again), printed.text);
  }
  std::printf("%d of 2000 damaged texts were refused\n", errors);
  EXPECT_GT(errors, 1000);
  EXPECT_LT(errors, 2000);
}

TEST(GraphTextFuzz, RandomBytesAreErrors) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    fuzz::Random random(seed);
    std::string bytes;
    for (size_t i = random.Below(200); i > 0; --i) bytes += static_cast<char>(random.Next());
    EXPECT_FALSE(ParseGraph(bytes, Ops()).ok()) << "seed " << seed;
  }
}

// Texts that would make a careless parser recurse, or take quadratic time.
TEST(GraphTextFuzz, LongTextsAreReadInOnePass) {
  TestDevice device;
  constexpr int kLength = 100000;
  const std::string header = "graph @g(%x: f32[] argument) -> () {\n";
  std::vector<std::string> bad = {
      std::string(kLength, '('),
      std::string(kLength, '\n'),
      std::string(kLength, '/'),
      "graph @" + std::string(kLength, 'a'),
      header + std::string(kLength, '%'),
      header + "%y = concat(" + std::string(kLength, '%'),
      header + "%y = " + std::string(kLength, 'a') + "(%x) : f32[]",
      header + "%y = exp(%x) : f32[" + std::string(kLength, ','),
      header + "%y = exp(%x) : f32[] in \"" + std::string(kLength, '\\')};
  std::string nested = header + "%y = ";
  for (int i = 0; i < kLength / 16; ++i) nested += "fused(%x) {body=(%x: f32[]) { %y = ";
  bad.push_back(nested);
  std::string sum = header + "%y = concat(%x";
  for (int i = 0; i < kLength / 4; ++i) sum += ", %x";
  bad.push_back(sum + ") : f32[]\nreturn\n}");  // concat of scalars
  std::string list = header + "%y = constant dense<[0";
  for (int i = 0; i < kLength; ++i) list += ",0";
  bad.push_back(list + "]> : f32[2]\nreturn\n}");
  for (const std::string& text : bad) {
    const fuzz::AllocationMeter meter;
    const auto graph = ParseGraph(text, Ops(), &device);
    EXPECT_FALSE(graph.ok());
    EXPECT_LT(graph.status().message().size(), 4096) << text.substr(0, 80);
    EXPECT_LE(meter.peak_bytes(), Allowance(text)) << text.substr(0, 80);
  }
}

std::string Chain(int length) {
  std::string text = "graph @g(%x: f32[] argument) -> () {\n";
  for (int i = 1; i <= length; ++i) {
    absl::StrAppend(&text, "%", i, "=exp(%", i == 1 ? "x" : absl::StrCat(i - 1), "):f32[]\n");
  }
  return text + "return\n}";
}

// The shortest nodes that there are take 24 bytes of text, and some hundred in a graph.
TEST(GraphTextFuzz, LongProgramsAreReadAndLongerOnesRefused) {
  for (const int length : {40000, 1000000}) {
    const std::string text = Chain(length);
    const fuzz::AllocationMeter meter;
    const auto graph = ParseGraph(text, Ops());
    std::printf("%d nodes: text %zu bytes, peak %lld bytes\n", length, text.size(),
                static_cast<long long>(meter.peak_bytes()));
    EXPECT_LE(meter.peak_bytes(), Allowance(text));
    if (length == 40000) {
      EXPECT_TRUE(graph.ok()) << graph.status();
    } else {
      EXPECT_EQ(graph.status().code(), absl::StatusCode::kResourceExhausted);
      EXPECT_TRUE(HasPosition(graph.status().message())) << graph.status();
    }
  }
}

// The same in a body; and in one that was declared for other types than it is used with, so that its
// steps are inferred a second time.
TEST(GraphTextFuzz, LongBodiesAreReadAndLongerOnesRefused) {
  for (const absl::string_view used : {"f32[]", "f32[1]"}) {
    for (const int length : {40000, 1000000}) {
      std::string text = absl::StrCat("graph @g(%x: ", used,
                                      " argument) -> () {\n%1=fused(%x){body=(%0:f32[]){\n");
      for (int i = 1; i <= length; ++i) {
        absl::StrAppend(&text, "%", i, "=exp(%", i - 1, "):f32[];\n");
      }
      absl::StrAppend(&text, "return %", length, "}}:", used, "\nreturn\n}");
      const fuzz::AllocationMeter meter;
      const auto graph = ParseGraph(text, Ops());
      std::printf(
          "%d steps, declared f32[], used %s: text %zu bytes, peak %lld of %lld bytes, %s\n",
          length, std::string(used).c_str(), text.size(),
          static_cast<long long>(meter.peak_bytes()), static_cast<long long>(Allowance(text)),
          graph.ok() ? "read" : "refused");
      EXPECT_LE(meter.peak_bytes(), Allowance(text));
      if (length == 40000) {
        EXPECT_TRUE(graph.ok()) << graph.status();
      } else {
        EXPECT_EQ(graph.status().code(), absl::StatusCode::kResourceExhausted);
        EXPECT_TRUE(HasPosition(graph.status().message())) << graph.status();
      }
    }
  }
}

TEST(GraphTextFuzz, LongListsAreBounded) {
  TestDevice device;
  std::string inputs = "graph @g(";
  for (int i = 0; i < 500000; ++i) absl::StrAppend(&inputs, "%", i, ":f32[] state,");
  std::string outputs = "graph @g() -> (";
  for (int i = 0; i < 1000000; ++i) absl::StrAppend(&outputs, "f32[]\"", i, "\",");
  std::string numbers = "graph @g() -> () {\n%c0=constant dense<[0";
  for (int i = 0; i < 4000000; ++i) numbers += ",0";
  for (const std::string& text : {inputs, outputs, numbers}) {
    const fuzz::AllocationMeter meter;
    EXPECT_FALSE(ParseGraph(text, Ops(), &device).ok());
    EXPECT_LE(meter.peak_bytes(), Allowance(text)) << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace tandem
