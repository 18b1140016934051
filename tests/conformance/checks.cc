#include "tandem/tests/conformance/checks.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/op_def.h"
#include "tandem/tests/conformance/options.h"
#include "tandem/tests/conformance/report.h"

namespace tandem::conformance {

absl::StatusOr<PreparedCase> Prepare(const Case& c) {
  PreparedCase prepared;
  prepared.definition = &c;
  // From the text of the case, so that adding a case changes no other.
  std::mt19937_64 random(Options().seed ^ std::hash<std::string>()(c.ToString()));
  for (const InputDef& input : c.inputs) {
    prepared.values.push_back(MakeValues(input, random));
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor,
                            MakeTensor(prepared.values.back(), input.layout, *Options().device));
    prepared.inputs.push_back(std::move(tensor));
  }
  return prepared;
}

absl::StatusOr<TensorList> RunOp(const Case& c, absl::Span<const Tensor> inputs) {
  InvokeOptions options;
  options.device = Options().device;
  return Invoke(c.op, inputs, c.attrs, options);
}

absl::StatusOr<std::vector<RefTensor>> RunReference(const Case& c,
                                                    const std::vector<RefTensor>& values) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* op, OpRegistry::Global().Get(c.op));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, AttributeMap::Create(op->attributes, c.attrs));
  return c.reference({attrs, values});
}

bool CountUnsupported(const absl::Status& status, const std::string& check, const Case& c) {
  if (!absl::IsUnimplemented(status)) return false;
  const std::string dtype =
      c.inputs.empty() ? "" : absl::StrCat(" of ", DTypeName(c.inputs[0].dtype));
  Report::Global().Unsupported(check, absl::StrCat(c.op, dtype, ": ", status.message()));
  return true;
}

void CheckReference(const Case& c) {
  const auto prepared = Prepare(c);
  ASSERT_TRUE(prepared.ok()) << c.ToString() << ": " << prepared.status();
  const auto outputs = RunOp(c, prepared->inputs);
  if (CountUnsupported(outputs.status(), "reference", c)) return;
  ASSERT_TRUE(outputs.ok()) << c.ToString() << ": " << outputs.status();
  const auto expected = RunReference(c, prepared->values);
  ASSERT_TRUE(expected.ok()) << c.ToString() << ": " << expected.status();
  Report::Global().Ran("reference");
  ASSERT_EQ(outputs->size(), expected->size()) << c.ToString();
  for (size_t i = 0; i < expected->size(); ++i) {
    if (!Options().values) {
      EXPECT_EQ((*outputs)[i].spec(), (*expected)[i].spec()) << c.ToString();
      continue;
    }
    const std::string wrong = Compare((*expected)[i], (*outputs)[i]);
    EXPECT_TRUE(wrong.empty()) << c.ToString() << ", output " << i << " " << wrong;
  }
  // Inputs are never written to.
  for (size_t i = 0; i < prepared->inputs.size() && Options().values; ++i) {
    const std::string changed = Compare(prepared->values[i], prepared->inputs[i]);
    EXPECT_TRUE(changed.empty()) << c.ToString() << ": input " << i << " was changed: " << changed;
  }
}

void CheckBad(const BadCase& c) {
  const auto op = OpRegistry::Global().Get(c.op);
  ASSERT_TRUE(op.ok()) << op.status();
  absl::Status status;
  const auto attrs = AttributeMap::Create((*op)->attributes, c.attrs);
  if (attrs.ok()) {
    std::vector<const TensorSpec*> inputs;
    for (const TensorSpec& spec : c.inputs) inputs.push_back(&spec);
    status = InferSpecs(**op, *attrs, inputs).status();
  } else {
    status = attrs.status();
  }
  std::string use = c.op;
  for (const TensorSpec& spec : c.inputs) absl::StrAppend(&use, " ", spec.ToString());
  for (const auto& [name, value] : c.attrs) absl::StrAppend(&use, " ", name, "=", value.ToString());
  Report::Global().Ran("bad input");
  ASSERT_FALSE(status.ok()) << use << " was accepted";
  const std::string text(status.message());
  if (attrs.ok()) {
    EXPECT_TRUE(absl::StrContains(text, c.op)) << use << ": " << text;
  }
  for (const std::string& mention : c.mentions) {
    EXPECT_TRUE(absl::StrContains(text, mention)) << use << ": no '" << mention << "' in: " << text;
  }
  if (!c.shows_shapes) return;
  for (const TensorSpec& spec : c.inputs) {
    EXPECT_TRUE(absl::StrContains(text, spec.ToString()))
        << use << ": no " << spec.ToString() << " in: " << text;
  }
}

void MeasureSpeed(const Case& c) {
  const auto prepared = Prepare(c);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  if (!RunOp(c, prepared->inputs).ok()) return;
  using Clock = std::chrono::steady_clock;
  constexpr int kCalls = 20;
  double best = 1e30;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto start = Clock::now();
    for (int i = 0; i < kCalls; ++i) {
      ASSERT_TRUE(RunOp(c, prepared->inputs).ok());
    }
    Stream& stream = Options().device->default_stream();
    ASSERT_TRUE(stream.Synchronize(stream.Now()).ok());
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::min(best, seconds.count() / kCalls);
  }
  std::printf("%10.2f us  %s\n", best * 1e6, c.ToString().c_str());
  Report::Global().Ran("speed");
}

}  // namespace tandem::conformance
