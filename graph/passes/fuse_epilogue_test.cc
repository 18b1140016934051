#include "tandem/graph/passes/fuse_epilogue.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FuseEpilogueTest : public PassFixture {
 protected:
  FuseEpilogueTest() {
    // Products take one, nothing else does.
    context_.fuses = [](const OpDef&, const OpBody& body) {
      return body.steps()[0].op->name == "matmul";
    };
  }
  std::string Fused(absl::string_view before) { return After(FuseEpilogue(), before); }
  void ExpectUnchanged(const std::string& text) {
    EXPECT_EQ(Fused(text), text);
    EXPECT_THAT(Changes(), IsEmpty());
  }
};

TEST_F(FuseEpilogueTest, ADenseLayerBecomesOneNode) {
  EXPECT_EQ(
      Fused(
          R"(graph @g(%x: f32[1,4] argument, %w: f32[2,4] parameter, %b: f32[2] parameter) -> (f32[1,2] "y") {
  %3 = matmul(%x, %w) {transpose_b=true} : f32[1,2] in "net/dense0" at "net.cc:6"
  %4 = fused(%3, %b) {body=(%0: f32[1,2], %1: f32[2]) { %2 = add(%0, %1) : f32[1,2]; %3 = relu(%2) : f32[1,2]; return %3 }} : f32[1,2] in "net" at "net.cc:8"
  return %4
})"),
      R"(graph @g(%x: f32[1,4] argument, %w: f32[2,4] parameter, %b: f32[2] parameter) -> (f32[1,2] "y") {
  %3 = fused(%x, %w, %b) {body=(%0: f32[1,4], %1: f32[2,4], %2: f32[2]) { %3 = matmul(%0, %1) {transpose_b=true} : f32[1,2]; %4 = add(%3, %2) : f32[1,2]; %5 = relu(%4) : f32[1,2]; return %5 }} : f32[1,2] in "net" at "net.cc:8"
  return %3
}
)");
  EXPECT_THAT(Changes(), ElementsAre("%4 = fused at net.cc:8: one with %3 = matmul at net.cc:6"));
}

// x + f(x x): an input of the product may be one of the epilogue, too.
TEST_F(FuseEpilogueTest, InputsAreListedOnce) {
  EXPECT_EQ(Fused(R"(graph @g(%x: f32[4,4] argument) -> (f32[4,4] "y") {
  %1 = matmul(%x, %x) : f32[4,4]
  %2 = add(%x, %1) : f32[4,4]
  return %2
})"),
            R"(graph @g(%x: f32[4,4] argument) -> (f32[4,4] "y") {
  %1 = fused(%x) {body=(%0: f32[4,4]) { %1 = matmul(%0, %0) : f32[4,4]; %2 = add(%0, %1) : f32[4,4]; return %2 }} : f32[4,4]
  return %1
}
)");
}

// Of two products one has the epilogue, the one that was computed last.
TEST_F(FuseEpilogueTest, OneProductForOneEpilogue) {
  EXPECT_EQ(Fused(R"(graph @g(%x: f32[4,4] argument, %h: f32[4,4] argument) -> (f32[4,4] "y") {
  %2 = matmul(%x, %x) : f32[4,4]
  %3 = matmul(%h, %h) : f32[4,4]
  %4 = add(%2, %3) : f32[4,4]
  return %4
})"),
            R"(graph @g(%x: f32[4,4] argument, %h: f32[4,4] argument) -> (f32[4,4] "y") {
  %2 = matmul(%x, %x) : f32[4,4]
  %3 = fused(%h, %2) {body=(%0: f32[4,4], %1: f32[4,4]) { %2 = matmul(%0, %0) : f32[4,4]; %3 = add(%1, %2) : f32[4,4]; return %3 }} : f32[4,4]
  return %3
}
)");
}

TEST_F(FuseEpilogueTest, LeavesProductsThatOthersRead) {
  for (const char* rest :
       {"  %3 = relu(%2) : f32[4,4]\n  return %3, %2\n",  // an output
        "  %3 = relu(%2) : f32[4,4]\n  %4 = exp(%2) : f32[4,4]\n  return %3, %4\n"}) {
    ExpectUnchanged(absl::StrCat(
        "graph @g(%x: f32[4,4] argument, %w: f32[4,4] argument) -> (f32[4,4] \"y\", f32[4,4] "
        "\"z\") {\n  %2 = matmul(%x, %w) : f32[4,4]\n",
        rest, "}\n"));
  }
}

TEST_F(FuseEpilogueTest, LeavesOtherShapesOpsAndDevices) {
  // The result is broadcast: it is not the epilogue's to work on.
  ExpectUnchanged(R"(graph @g(%x: f32[1,4] argument, %w: f32[4,4] argument) -> (f32[4,4] "y") {
  %2 = matmul(%x, %w) : f32[1,4]
  %3 = add(%2, %w) : f32[4,4]
  return %3
}
)");
  const std::string softmax = R"(graph @g(%x: f32[1,4] argument) -> (f32[1,4] "y") {
  %1 = softmax(%x) : f32[1,4]
  %2 = exp(%1) : f32[1,4]
  return %2
}
)";
  ExpectUnchanged(softmax);
  const std::string view = R"(graph @g(%x: f32[1,4] argument) -> (f32[4,1] "y") {
  %1 = transpose(%x) : f32[4,1]
  %2 = exp(%1) : f32[4,1]
  return %2
}
)";
  context_.fuses = [](const OpDef&, const OpBody&) { return true; };
  ExpectUnchanged(view);
  EXPECT_NE(Fused(softmax), softmax);
  context_.fuses = nullptr;
  ExpectUnchanged(softmax);
}

// The operands would live on until the epilogue.
TEST_F(FuseEpilogueTest, DoesNotKeepMoreMemoryAlive) {
  ExpectUnchanged(R"(graph @g(%x: f32[64,1] argument, %w: f32[1,64] argument) -> (f32[1,1] "y") {
  %2 = exp(%x) : f32[64,1]
  %3 = matmul(%w, %2) : f32[1,1]
  %4 = matmul(%w, %x) : f32[1,1]
  %5 = softmax(%4) : f32[1,1]
  %6 = sub(%3, %5) : f32[1,1]
  return %6
}
)");
}

}  // namespace
}  // namespace tandem
