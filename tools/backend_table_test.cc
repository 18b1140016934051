#include "tandem/tools/backend_table.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

OpDef Op(const std::string& name) {
  OpDef op;
  op.name = name;
  return op;
}

KernelDef Kernel(const std::string& op, const std::string& name, const std::string& device,
                 std::vector<DType> dtypes = {}) {
  KernelDef def;
  def.op = op;
  def.name = name;
  def.device = DeviceType::Intern(device);
  def.dtypes = std::move(dtypes);
  def.prepare = [](const KernelRequest&) -> absl::StatusOr<Ref<const PreparedKernel>> {
    return absl::UnimplementedError("never prepared");
  };
  return def;
}

class BackendTableTest : public testing::Test {
 protected:
  void SetUp() override {
    add_.scalar = [](ScalarBuilder&, absl::Span<const ScalarValue> inputs, const AttributeMap&) {
      return inputs[0];
    };
    reshape_.view = [](const TensorLayout&, const AttributeMap&, absl::Span<const TensorSpec>,
                       LayoutList*) { return true; };
    cond_.control.run = [](ControlContext&) -> absl::StatusOr<TensorList> { return TensorList(); };
    embedding_.decompose = [](DecomposeContext& c) { return c.Finish({}); };
    ASSERT_TRUE(kernels_.Register(Kernel("sum", "sum", "fast", {DType::kF64, DType::kF32})).ok());
    ASSERT_TRUE(kernels_.Register(Kernel("sum", "sum_converted", "fast", {DType::kF16})).ok());
    ASSERT_TRUE(kernels_.Register(Kernel("embedding", "embedding", "slow")).ok());
    KernelDef programs = Kernel("*", "elementwise", "fast");
    programs.supports = [](const KernelRequest&) { return true; };
    ASSERT_TRUE(kernels_.Register(std::move(programs)).ok());
    ASSERT_TRUE(kernels_.Register(Kernel("*", "null", "nothing")).ok());
  }

  BackendTable Make(const std::vector<std::string>& backends) {
    return MakeBackendTable({&add_, &reshape_, &embedding_, &sum_, &cond_}, kernels_, backends);
  }

  OpDef add_ = Op("add"), reshape_ = Op("reshape"), embedding_ = Op("embedding"), sum_ = Op("sum");
  OpDef cond_ = Op("cond");
  KernelRegistry kernels_;
};

TEST_F(BackendTableTest, SaysHowEachOpRuns) {
  BackendTable table = Make({"fast", "slow", "nothing"});
  EXPECT_EQ(table.cells["fast"]["add"], "elementwise program");
  EXPECT_EQ(table.cells["fast"]["reshape"], "view");
  EXPECT_EQ(table.cells["fast"]["embedding"], "decomposition");
  EXPECT_EQ(table.cells["fast"]["sum"], "kernel `sum`, `sum_converted` (f16 f32 f64)");
  EXPECT_EQ(table.cells["slow"]["add"], "no");
  EXPECT_EQ(table.cells["slow"]["embedding"], "kernel");
  EXPECT_EQ(table.cells["nothing"]["sum"], "records any op");
  EXPECT_EQ(table.cells["nothing"]["cond"], "control flow");
}

TEST_F(BackendTableTest, PageIsParsedBack) {
  const BackendTable table = Make({"fast", "slow"});
  const BackendTable parsed = ParseBackendTable(BackendPage(table));
  EXPECT_EQ(parsed.ops, table.ops);
  EXPECT_EQ(parsed.cells, table.cells);
  EXPECT_THAT(BackendPage(table), testing::HasSubstr("| fast | 1 | 1 | 1 | 0 | 1 | 1 | 0 |"));
}

// A build without `slow` leaves its column as it is, and still sees that its own is out of date.
TEST_F(BackendTableTest, KeepsColumnsOfOtherBuilds) {
  const std::string page = BackendPage(Make({"fast", "slow"}));
  EXPECT_EQ(BackendPage(MergeBackendTables(Make({"fast"}), ParseBackendTable(page))), page);
  ASSERT_TRUE(kernels_.Register(Kernel("add", "add", "fast")).ok());
  EXPECT_NE(BackendPage(MergeBackendTables(Make({"fast"}), ParseBackendTable(page))), page);
}

TEST_F(BackendTableTest, SaysWhatAnotherBuildHasToFillIn) {
  const BackendTable old = MakeBackendTable({&add_}, kernels_, {"slow"});
  BackendTable merged = MergeBackendTables(Make({"fast"}), old);
  EXPECT_EQ(merged.cells["slow"]["add"], "no");
  EXPECT_EQ(merged.cells["slow"]["sum"], kUnknownCell);
}

TEST(ParseBackendTableTest, AnythingElseIsEmpty) {
  EXPECT_TRUE(ParseBackendTable("").ops.empty());
  EXPECT_TRUE(ParseBackendTable("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n").ops.empty());
}

}  // namespace
}  // namespace tandem
