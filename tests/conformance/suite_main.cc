// The conformance suite's main(): one test for each op and check.
//
// Flags:
//   --device=cpu:0                  the device under test
//   --options=poison=1;threads=2    options of its backend, set before the device is opened
//   --variants=isa:baseline,avx2    an option whose values are tried in turn with the reference
//                                   check; values that the machine lacks are skipped
//   --seed=1                        of the random inputs; printed
//   --values=false                  the device computes nothing: compare specs only
//   --unsupported=false             what the device does not support is a failure
//   --max_unsupported=5             percent of the cases of a check that it may leave unsupported
//   --speed                         also print the time of every op's largest f32 case

#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/checks.h"
#include "tandem/tests/conformance/options.h"
#include "tandem/tests/conformance/report.h"

ABSL_FLAG(std::string, device, "cpu:0", "the device under test");
ABSL_FLAG(std::string, options, "", "options of the backend: name=value;name=value");
ABSL_FLAG(std::string, variants, "", "an option and its values to try: name:value,value");
ABSL_FLAG(uint64_t, seed, 1, "seed of the random inputs");
ABSL_FLAG(bool, values, true, "the device computes values");
ABSL_FLAG(bool, unsupported, true, "the device may leave some cases unsupported");
ABSL_FLAG(double, max_unsupported, 100, "percent of the cases of a check");
ABSL_FLAG(bool, speed, false, "print the time of each op");

namespace tandem::conformance {

SuiteOptions& Options() {
  static auto& options = *new SuiteOptions();
  return options;
}

namespace {

constexpr int kMaxFailures = 5;  // of one test: a broken op has hundreds

// A test whose body is a function.
class FunctionTest : public testing::Test {
 public:
  explicit FunctionTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  const std::function<void()> body_;
};

void AddTest(const std::string& suite, const std::string& name, std::function<void()> body) {
  testing::RegisterTest(
      suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
      [body = std::move(body)]() -> testing::Test* { return new FunctionTest(body); });
}

// Counts the tests that skipped themselves, by suite and reason.
class SkipCounter : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& info) override {
    const testing::TestResult& result = *info.result();
    if (!result.Skipped()) return;
    std::string reason;
    for (int i = 0; i < result.total_part_count() && reason.empty(); ++i) {
      if (result.GetTestPartResult(i).skipped()) reason = result.GetTestPartResult(i).message();
    }
    Report::Global().Skipped(info.test_suite_name(), reason);
  }
};

int NumFailures() {
  return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

template <typename C>
std::map<std::string, std::vector<const C*>> ByOp(const std::vector<C>& cases) {
  std::map<std::string, std::vector<const C*>> by_op;
  for (const C& c : cases) by_op[c.op].push_back(&c);
  return by_op;
}

template <typename C>
void AddChecks(const std::string& suite, const std::vector<C>& cases, void (*check)(const C&)) {
  for (const auto& [op, of_op] : ByOp(cases)) {
    AddTest(suite, op, [of_op = of_op, check] {
      for (const C* c : of_op) {
        check(*c);
        if (NumFailures() >= kMaxFailures) {
          std::cerr << "more failures are not shown\n";
          return;
        }
      }
    });
  }
}

// A value of the option under test; skipped where the machine lacks it.
void AddVariant(const std::string& type, const std::string& name, const std::string& value,
                const std::string& last) {
  for (const auto& [op, of_op] : ByOp(AllCases())) {
    AddTest(absl::StrCat("Reference_", name, "_", value), op, [=, of_op = of_op] {
      const absl::Status status = BackendRegistry::Global().SetOption(type, name, value);
      if (!status.ok()) GTEST_SKIP() << status;
      for (const Case* c : of_op) {
        if (NumFailures() < kMaxFailures) CheckReference(*c);
      }
      (void)BackendRegistry::Global().SetOption(type, name, last);
    });
  }
}

// Every op has at least one case, and one use that it refuses.
template <typename C>
void CheckCoverage(const std::vector<C>& cases) {
  const auto by_op = ByOp(cases);
  std::vector<std::string> missing;
  for (const OpDef* op : OpRegistry::Global().ops()) {
    if (by_op.count(op->name) == 0) missing.push_back(op->name);
  }
  EXPECT_TRUE(missing.empty()) << "ops without a case: " << absl::StrJoin(missing, ", ");
  for (const auto& [op, of_op] : by_op) {
    EXPECT_NE(OpRegistry::Global().Find(op), nullptr) << "cases of an unknown op: " << op;
  }
}

void AddSpeed() {
  for (const auto& [op, of_op] : ByOp(AllCases())) {
    const Case* largest = nullptr;
    const auto size = [](const Case* c) {
      int64_t n = 0;
      for (const InputDef& input : c->inputs) n += input.shape.num_elements();
      return n;
    };
    for (const Case* c : of_op) {
      if (!c->inputs.empty() && c->inputs[0].dtype != DType::kF32) continue;
      if (largest == nullptr || size(c) > size(largest)) largest = c;
    }
    if (largest != nullptr) AddTest("Speed", op, [largest] { MeasureSpeed(*largest); });
  }
}

int Main() {
  SuiteOptions& options = Options();
  options.seed = absl::GetFlag(FLAGS_seed);
  options.values = absl::GetFlag(FLAGS_values);
  const std::string name = absl::GetFlag(FLAGS_device);
  const std::string type = name.substr(0, name.find(':'));
  BackendRegistry& backends = BackendRegistry::Global();
  if (const absl::Status status = RegisterStandardOps(&OpRegistry::Global()); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  for (absl::string_view option :
       absl::StrSplit(absl::GetFlag(FLAGS_options), ';', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(option, absl::MaxSplits('=', 1));
    if (const absl::Status status = backends.SetOption(type, pair.first, pair.second);
        !status.ok()) {
      std::cerr << status << "\n";
      return 1;
    }
  }
  const auto device = backends.Open(name);
  if (!device.ok()) {
    std::cerr << "cannot test " << name << ": " << device.status() << "\n";
    if (!absl::IsUnavailable(device.status())) return 1;
    // A machine without the device proves nothing, and is no failure of the backend.
    Report::Global().Skipped("all", device.status().ToString());
    std::cout << Report::Global().ToString();
    return 0;
  }
  options.device = *device;

  AddTest("Coverage", "EveryOpHasACase", [] { CheckCoverage(AllCases()); });
  AddTest("Coverage", "EveryOpHasABadCase", [] { CheckCoverage(AllBadCases()); });
  AddChecks("BadInput", AllBadCases(), CheckBad);
  AddChecks("Reference", AllCases(), CheckReference);
  if (options.values) AddChecks("Gradient", AllCases(), CheckGradient);
  if (options.values) AddChecks("SecondGradient", AllCases(), CheckSecondGradient);
  AddChecks("Hybrid", AllCases(), CheckHybrid);
  const std::vector<std::string> variants =
      absl::StrSplit(absl::GetFlag(FLAGS_variants), ':', absl::SkipEmpty());
  if (variants.size() == 2) {
    const std::vector<std::string> values = absl::StrSplit(variants[1], ',');
    for (const std::string& value : values) AddVariant(type, variants[0], value, values.back());
  }
  if (absl::GetFlag(FLAGS_speed)) AddSpeed();
  if (!absl::GetFlag(FLAGS_unsupported)) {
    AddTest("Support", "NothingIsUnsupported", [] {
      EXPECT_EQ(Report::Global().num_unsupported(), 0) << Report::Global().ToString();
    });
  }
  std::cout << "device " << name << " (" << options.device->info().name << "), seed "
            << options.seed << ", " << AllCases().size() << " cases, " << AllBadCases().size()
            << " bad ones\n";
  testing::UnitTest::GetInstance()->listeners().Append(new SkipCounter);
  const int result = RUN_ALL_TESTS();
  std::cout << Report::Global().ToString();
  const std::string excess =
      Report::Global().ExcessUnsupported(absl::GetFlag(FLAGS_max_unsupported));
  if (!excess.empty()) std::cerr << excess << "\n";
  return excess.empty() ? result : 1;
}

}  // namespace
}  // namespace tandem::conformance

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return tandem::conformance::Main();
}
