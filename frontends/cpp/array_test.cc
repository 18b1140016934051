#include "tandem/frontends/cpp/array.h"

#include <functional>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/frontends/cpp/gradient.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"
#include "tandem/graph/trace/graph_builder.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Fn>
std::string ErrorOf(Fn fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Array, MakesAndReads) {
  const Tensor a = Array({1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(a.shape(), Shape({2, 2}));
  EXPECT_EQ(a.dtype(), DType::kF32);
  EXPECT_THAT(ToVector(a), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ToVector<int64_t>(Array<int64_t>({7, 8})), ElementsAre(7, 8));
  EXPECT_THAT(ToVector(Zeros({3})), ElementsAre(0, 0, 0));
  EXPECT_THAT(ToVector<double>(Ones({2}, DType::kF64)), ElementsAre(1, 1));
  EXPECT_THAT(ToVector(Full({2}, 0.5)), ElementsAre(0.5, 0.5));
  EXPECT_THAT(ToVector(Arange(3, {.start = 1, .step = 0.5})), ElementsAre(1, 1.5, 2));
  EXPECT_EQ(Item(ScalarArray(2.5f)), 2.5f);
  EXPECT_EQ(ItemAsDouble(ScalarArray<int64_t>(-3)), -3.0);
}

TEST(Array, BadSizesAndDTypesAreErrors) {
  EXPECT_THAT(ErrorOf([] { Array({1, 2, 3}, {2, 2}); }), HasSubstr("[2,2]"));
  EXPECT_THAT(ErrorOf([] { ToVector<double>(Ones({2})); }), HasSubstr("f32"));
  EXPECT_THAT(ErrorOf([] { Item(Ones({2})); }), HasSubstr("one element"));
  EXPECT_NE(ErrorOf([] { Zeros({int64_t{1} << 40, int64_t{1} << 40}); }), "(no error)");
  EXPECT_THAT(ErrorOf([] { OpenDevice("warp:0"); }), HasSubstr("warp"));
  EXPECT_THAT(ErrorOf([] { Relu(Tensor()); }), HasSubstr("empty Tensor"));
}

TEST(Array, PrintsValues) {
  std::ostringstream out;
  out << Array({1, 2, 3});
  EXPECT_THAT(out.str(), HasSubstr("1"));
  EXPECT_THAT(out.str(), HasSubstr("f32[3]"));
}

// R1
TEST(Operators, FancyFunctionGivesTen) {
  auto add = [](const Tensor& a, const Tensor& b) { return a + b; };
  const Tensor e = add(ScalarArray(1.0f), ScalarArray(2.0f));
  const Tensor f = add(ScalarArray(3.0f), ScalarArray(4.0f));
  EXPECT_EQ(Item(e), 3);
  EXPECT_EQ(Item(f), 7);
  EXPECT_EQ(Item(add(e, f)), 10);
}

TEST(Operators, NumbersTakeTheTensorsDType) {
  const Tensor x = Array({1, 2, 4});
  EXPECT_THAT(ToVector(x + 1), ElementsAre(2, 3, 5));
  EXPECT_THAT(ToVector(1 - x), ElementsAre(0, -1, -3));
  EXPECT_THAT(ToVector(2 * x / 4), ElementsAre(0.5, 1, 2));
  EXPECT_THAT(ToVector(-x), ElementsAre(-1, -2, -4));
  EXPECT_THAT(ToVector<bool>(x > 1), ElementsAre(false, true, true));
  EXPECT_THAT(ToVector<bool>(x == x), ElementsAre(true, true, true));
  EXPECT_THAT(ToVector<bool>(2 == x), ElementsAre(false, true, false));
  EXPECT_THAT(ToVector<bool>(x != 2), ElementsAre(true, false, true));
  EXPECT_THAT(ToVector<bool>(!(x <= 2)), ElementsAre(false, false, true));
  const Tensor i = Array<int32_t>({1, 2});
  EXPECT_EQ((i + 1).dtype(), DType::kI32);
  EXPECT_EQ((i + 0.5).dtype(), DType::kF32);
  EXPECT_EQ(((x > 1) + 1).dtype(), DType::kI64);
  EXPECT_EQ((Cast(x, DType::kF16) * 0.5).dtype(), DType::kF16);
  EXPECT_THAT(ErrorOf([&] { Cast(x, DType::kI8) + 300; }), HasSubstr("does not fit"));
}

// R44
TEST(Operators, CompoundAssignmentRebinds) {
  Tensor a = Array({1, 2});
  const Tensor before = a;
  a += 10;
  a *= a;
  EXPECT_THAT(ToVector(a), ElementsAre(121, 144));
  EXPECT_THAT(ToVector(before), ElementsAre(1, 2));
}

TEST(Operators, ErrorsNameOpShapesAndLine) {
  const std::string text = ErrorOf([] { Ones({2, 3}) + Ones({4, 5}); });
  EXPECT_THAT(text, HasSubstr("add"));
  EXPECT_THAT(text, HasSubstr("[2,3]"));
  EXPECT_THAT(text, HasSubstr("[4,5]"));
  EXPECT_THAT(text, HasSubstr("array_test.cc:"));
}

// R20
TEST(Random, TheSeedMakesDrawsRepeatable) {
  random::Seed(42);
  const std::vector<float> a = ToVector(RandomUniform({7}, -1, 1));
  const std::vector<float> b = ToVector(RandomNormal({5}));
  random::Seed(42);
  EXPECT_EQ(ToVector(RandomUniform({7}, -1, 1)), a);
  EXPECT_EQ(ToVector(RandomNormal({5})), b);
  EXPECT_NE(ToVector(RandomUniform({7}, -1, 1)), a);
  for (float v : a) {
    EXPECT_GE(v, -1);
    EXPECT_LT(v, 1);
  }
}

TEST(WriteInto, RebindsToANewTensor) {
  Tensor a = Array({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor before = a;
  WriteInto(a, {0, 1}, {2, 3}, ScalarArray(0.0f));
  EXPECT_THAT(ToVector(a), ElementsAre(1, 0, 0, 4, 0, 0));
  WriteInto(a, {-1}, {2}, Array({7, 8, 9}));
  EXPECT_THAT(ToVector(a), ElementsAre(1, 0, 0, 7, 8, 9));
  EXPECT_THAT(ToVector(before), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(ErrorOf([&] { WriteInto(a, {0, 0, 0}, {1, 1, 1}, before); }), HasSubstr("begin"));
  EXPECT_NE(ErrorOf([&] { WriteInto(a, {0}, {1}, Ones({7})); }), "(no error)");
}

// R44
TEST(WriteInto, RefusesToCutAGradientOff) {
  Tensor x = Array({1, 2});
  Tensor plain = Array({1, 2});
  RequireGrad(x);
  RecordScope record;
  Tensor y = x * 2;
  EXPECT_THAT(ErrorOf([&] { WriteInto(y, {0}, {1}, ScalarArray(0.0f)); }), HasSubstr("Where("));
  EXPECT_THAT(ErrorOf([&] { WriteInto(plain, {0}, {2}, y); }), HasSubstr("gradient"));
  Tensor cut = Detach(y);
  WriteInto(cut, {0}, {1}, ScalarArray(0.0f));
  EXPECT_THAT(ToVector(cut), ElementsAre(0, 4));
  PauseScope pause;
  WriteInto(y, {0}, {1}, ScalarArray(0.0f));
  EXPECT_THAT(ToVector(y), ElementsAre(0, 4));
}

TEST(Array, EmptyTensorsAreErrors) {
  Tensor empty;
  Tensor one = Ones({1});
  const std::pair<std::string, std::function<void()>> calls[] = {
      {"ZerosLike", [&] { ZerosLike(empty); }},
      {"OnesLike", [&] { OnesLike(empty); }},
      {"ItemAsDouble", [&] { ItemAsDouble(empty); }},
      {"Item", [&] { Item(empty); }},
      {"ToVector", [&] { ToVector(empty); }},
      {"To", [&] { To(empty, DefaultDevice()); }},
      {"WriteInto", [&] { WriteInto(empty, {}, {}, one); }},
      {"WriteInto", [&] { WriteInto(one, {}, {}, empty); }},
      {"Backward", [&] { Backward(empty); }},
      {"RequireGrad", [&] { RequireGrad(empty); }},
  };
  for (const auto& [name, call] : calls) {
    EXPECT_THAT(ErrorOf(call), HasSubstr(name + ": an empty Tensor"));
  }
}

// R42 R44 R30
TEST(Symbols, ReadingAndWritingAreErrorsWithARemedy) {
  Initialize();
  GraphBuilder builder("g", &DefaultDevice());
  Tensor x = Value(builder.Input("x", {DType::kF32, {2, 3}}));
  Tensor y = 2 * Relu(x) + 1;
  y += x;
  EXPECT_TRUE(y.is_symbolic());
  std::ostringstream out;
  out << y;
  EXPECT_THAT(out.str(), HasSubstr("add"));
  EXPECT_THAT(out.str(), HasSubstr("f32[2,3]"));
  EXPECT_THAT(ErrorOf([&] { Item(y); }), HasSubstr("add"));
  EXPECT_THAT(ErrorOf([&] { ToVector(y); }), HasSubstr("array_test.cc"));
  EXPECT_THAT(ErrorOf([&] { WriteInto(y, {0}, {1}, x); }), HasSubstr("Where("));
}

TEST(To, CopiesToAnotherDeviceAndLetsGradientsThrough) {
  TestDevice other(/*device_memory_visible=*/false);
  const Tensor x = Array({1, 2, 3});
  EXPECT_EQ(To(x, "cpu:0").impl(), x.impl());
  const Tensor there = To(x, other);
  EXPECT_EQ(there.device(), &other);
  EXPECT_THAT(ToVector(there), ElementsAre(1, 2, 3));
  RequireGrad(x);
  Tensor y;
  {
    RecordScope record;
    y = Square(To(To(x, other), "cpu:0"));
  }
  Backward(y);
  EXPECT_THAT(ToVector(GradOf(x)), ElementsAre(2, 4, 6));
  EXPECT_THAT(ErrorOf([&] { x + there; }),
              AllOf(HasSubstr("cpu:0"), HasSubstr("test:0"), HasSubstr("To(x, \"cpu:0\")")));
}

TEST(To, InATraceIsAnErrorWithARemedy) {
  TestDevice other;
  GraphBuilder builder("g", &DefaultDevice());
  const Tensor x = Value(builder.Input("x", {DType::kF32, {2}}));
  const InterpreterScope recording(builder.interpreter());
  EXPECT_EQ(To(x, DefaultDevice()).impl(), x.impl());
  EXPECT_THAT(ErrorOf([&] { To(Relu(x), other); }),
              AllOf(HasSubstr("one device"), HasSubstr("before the call"), HasSubstr("relu"),
                    HasSubstr("array_test.cc")));
  // A gradient would be lost; plain values may come in.
  const Tensor plain = Array({1, 2});
  EXPECT_EQ(To(plain, other).device(), &other);
  RequireGrad(plain);
  EXPECT_THAT(ErrorOf([&] { To(plain, other); }), HasSubstr("cut off"));
}

TEST(Gradient, OfASquare) {
  const Tensor x = Array({1, 2, 3});
  RequireGrad(x);
  Tensor y;
  {
    RecordScope record;
    y = Sum(x * x);
  }
  Backward(y);
  EXPECT_THAT(ToVector(GradOf(x)), ElementsAre(2, 4, 6));
  EXPECT_THAT(ErrorOf([&] { Backward(Ones({1})); }), HasSubstr("RecordScope"));
  EXPECT_THAT(ErrorOf([] { RequireGrad(Array<int32_t>({1})); }), HasSubstr("floating"));
}

TEST(ErrorType, CarriesTheStatus) {
  try {
    Check(absl::NotFoundError("no such thing"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(error.status().message(), "no such thing");
  }
  const absl::Status kept = CatchExceptions([] { throw std::out_of_range("mine"); });
  EXPECT_EQ(kept.code(), absl::StatusCode::kUnknown);
  EXPECT_THROW(Check(kept), std::out_of_range);
}

}  // namespace
}  // namespace tandem
