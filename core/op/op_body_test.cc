#include "tandem/core/op/op_body.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tandem/core/op/elementwise_expr.h"

namespace tandem {
namespace {

using testing::HasSubstr;

const TensorSpec kVector = {DType::kF32, {4}};

// add and scale (elementwise), halves (two outputs), call (runs a body).
class OpBodyTest : public testing::Test {
 protected:
  OpBodyTest() {
    add_.name = "add";
    add_.inputs = {{"x", ""}, {"y", ""}};
    add_.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
      if (c.input(0).shape != c.input(1).shape) return c.Error("shapes differ");
      return SpecList{{PromoteTypes(c.input(0).dtype, c.input(1).dtype), c.input(0).shape}};
    };
    add_.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
      return b.Add(x[0], x[1]);
    };
    scale_.name = "scale";
    scale_.inputs = {{"x", ""}};
    scale_.attributes = {AttributeDef::Optional("by", 2.0, "")};
    scale_.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
      return SpecList{c.input(0)};
    };
    scale_.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap& a) {
      return b.Mul(x[0], b.Constant(a.Double("by"), x[0].type));
    };
    halves_.name = "halves";
    halves_.inputs = {{"x", ""}};
    halves_.outputs = {"low", "high"};
    halves_.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
      TensorSpec half = c.input(0);
      half.shape[0] /= 2;
      return SpecList{half, half};
    };
    call_.name = "call";
    call_.inputs = {{"x", ""}};
    call_.variadic = true;
    call_.attributes = {AttributeDef::Required("body", AttributeType::kBody, "")};
    call_.runs_body = true;
    call_.num_outputs = [](const AttributeMap& a) {
      return static_cast<int>(BodyAttribute(a)->outputs().size());
    };
    call_.infer = [](const InferContext& c) {
      std::vector<const TensorSpec*> inputs;
      for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(&c.input(i));
      return BodyAttribute(c.attrs())->Infer(inputs);
    };
  }

  static AttributeMap Attrs(const OpDef& op, std::vector<AttributeInit> values = {}) {
    return AttributeMap::Create(op.attributes, values).value();
  }

  // scale(add(%0, %1), by)
  Ref<const OpBody> Chain(double by = 3.0, const TensorSpec& spec = kVector) {
    OpBody::Builder builder({spec, spec});
    const int32_t sum = *builder.Add(add_, Attrs(add_), {0, 1});
    const int32_t scaled = *builder.Add(scale_, Attrs(scale_, {{"by", by}}), {sum});
    return *builder.Finish({scaled});
  }
  // A use of `body` in a body, on f32[4] inputs.
  absl::StatusOr<Ref<const OpBody>> Wrapped(const Ref<const OpBody>& body) {
    OpBody::Builder builder(std::vector<TensorSpec>(body->num_inputs(), kVector));
    std::vector<int32_t> inputs;
    for (int i = 0; i < body->num_inputs(); ++i) inputs.push_back(i);
    absl::StatusOr<int32_t> y = builder.Add(call_, Attrs(call_, {{"body", body}}), inputs);
    if (!y.ok()) return y.status();
    return builder.Finish({*y});
  }

  OpDef add_, scale_, halves_, call_;
};

TEST_F(OpBodyTest, Text) {
  EXPECT_EQ(Chain()->ToString(),
            "(%0: f32[4], %1: f32[4]) { %2 = add(%0, %1) : f32[4]; %3 = scale(%2) {by=3.0} : "
            "f32[4]; return %3 }");
  OpBody::Builder builder({kVector});
  const int32_t low = *builder.Add(halves_, {}, {0});
  EXPECT_EQ(low, 1);
  EXPECT_EQ((*builder.Finish({2, 1, 0}))->ToString(),
            "(%0: f32[4]) { %1, %2 = halves(%0) : f32[2], f32[2]; return %2, %1, %0 }");
  EXPECT_EQ((*OpBody::Builder({kVector}).Finish({0}))->ToString(), "(%0: f32[4]) { return %0 }");
  EXPECT_EQ(Attrs(call_, {{"body", Chain()}}).ToString(), "{body=" + Chain()->ToString() + "}");
}

TEST_F(OpBodyTest, TextStopsAtALimit) {
  OpBody::Builder builder({kVector});
  int32_t value = 0;
  for (int i = 0; i < 10000; ++i) value = *builder.Add(scale_, {}, {value});
  const Ref<const OpBody> body = *builder.Finish({value});
  const std::string text = body->ToString();
  EXPECT_GT(text.size(), 200000);
  std::string beginning = "body ";
  body->AppendTo(&beginning, 512);
  EXPECT_GT(beginning.size(), 512);
  EXPECT_LT(beginning.size(), 600);
  EXPECT_EQ(beginning.substr(0, 512), ("body " + text).substr(0, 512));
  // In a message about a use of it.
  const TensorSpec wrong = {DType::kF32, {4}};
  const auto specs = InferSpecs(call_, Attrs(call_, {{"body", body}}), {&wrong, &wrong});
  ASSERT_FALSE(specs.ok());
  EXPECT_LT(specs.status().message().size(), 1024) << specs.status();
}

TEST_F(OpBodyTest, EqualityAndHashAreThoseOfTheContent) {
  EXPECT_TRUE(Chain()->Equals(*Chain()));
  EXPECT_EQ(Chain()->Hash(), Chain()->Hash());
  OpBody::Builder swapped({kVector, kVector});
  const int32_t sum = *swapped.Add(add_, Attrs(add_), {1, 0});
  const int32_t scaled = *swapped.Add(scale_, Attrs(scale_, {{"by", 3.0}}), {sum});
  OpBody::Builder both({kVector, kVector});
  ASSERT_TRUE(both.Add(add_, Attrs(add_), {0, 1}).ok());
  ASSERT_TRUE(both.Add(scale_, Attrs(scale_, {{"by", 3.0}}), {2}).ok());
  const std::vector<AttributeValue> values = {AttributeValue(Chain()),
                                              AttributeValue(Chain()),
                                              AttributeValue(Chain(4.0)),
                                              AttributeValue(Chain(3.0, {DType::kF32, {5}})),
                                              AttributeValue(*swapped.Finish({scaled})),
                                              AttributeValue(*both.Finish({3, 2})),
                                              AttributeValue(*Wrapped(Chain())),
                                              AttributeValue(*Wrapped(Chain())),
                                              AttributeValue(3.0)};
  EXPECT_TRUE(values[0] == values[1]);
  EXPECT_EQ(absl::HashOf(values[0]), absl::HashOf(values[1]));
  for (size_t i = 2; i < values.size(); ++i) EXPECT_FALSE(values[0] == values[i]) << i;
  EXPECT_TRUE(values[6] == values[7]);
  EXPECT_EQ(absl::HashOf(values[6]), absl::HashOf(values[7]));
}

TEST_F(OpBodyTest, RefusesWhatIsNoProgram) {
  OpBody::Builder builder({kVector});
  EXPECT_THAT(std::string(builder.Add(scale_, Attrs(scale_), {1}).status().message()),
              HasSubstr("scale uses %1, but its values up to there are %0 to %0"));
  EXPECT_FALSE(builder.Add(scale_, Attrs(scale_), {-1}).ok());
  EXPECT_THAT(std::string(builder.Add(add_, Attrs(add_), {0}).status().message()),
              HasSubstr("add(x f32[4]): takes 2 inputs, 1 given"));
  EXPECT_THAT(std::string(OpBody::Builder({kVector}).Finish({1}).status().message()),
              HasSubstr("return uses %1"));
  EXPECT_FALSE(OpBody::Builder({kVector}).Finish({}).ok());
}

TEST_F(OpBodyTest, NestingIsBounded) {
  Ref<const OpBody> body = Chain();
  for (int depth = 2; depth <= OpBody::kMaxDepth; ++depth) {
    absl::StatusOr<Ref<const OpBody>> wrapped = Wrapped(body);
    ASSERT_TRUE(wrapped.ok()) << wrapped.status();
    body = *wrapped;
    EXPECT_EQ(body->depth(), depth);
  }
  EXPECT_THAT(std::string(Wrapped(body).status().message()), HasSubstr("more than 16 deep"));
}

TEST_F(OpBodyTest, InfersForOtherInputs) {
  const TensorSpec half{DType::kF16, {7}}, wide{DType::kF64, {7}};
  EXPECT_EQ(Chain()->Infer({&kVector, &kVector}).value(), SpecList{kVector});
  EXPECT_EQ(Chain()->Infer({&half, &wide}).value(), SpecList{wide});
  EXPECT_THAT(std::string(Chain()->Infer({&half, &kVector}).status().message()),
              HasSubstr("add(x f16[7], y f32[4]): shapes differ"));
  EXPECT_THAT(std::string(Chain()->Infer({&half}).status().message()),
              HasSubstr("the body takes 2 inputs, 1 is given"));
  const Ref<const OpBody> chain = Chain();
  EXPECT_EQ(chain->WithInputs({kVector, kVector})->get(), chain.get());
  EXPECT_EQ((*chain->WithInputs({half, half}))->spec(3), half);
}

TEST_F(OpBodyTest, OneScalarProgramOnlyIfEverythingLeadsToTheOutput) {
  EXPECT_TRUE(Chain()->is_elementwise());
  EXPECT_TRUE((*Wrapped(Chain()))->is_elementwise());
  EXPECT_TRUE(IsElementwise(call_, Attrs(call_, {{"body", Chain()}})));
  EXPECT_TRUE(IsInplaceSafe(call_, Attrs(call_, {{"body", Chain()}})));
  const auto finish = [&](std::vector<std::pair<const OpDef*, std::vector<int32_t>>> steps,
                          std::vector<int32_t> outputs) {
    OpBody::Builder builder({kVector, kVector});
    for (const auto& [op, inputs] : steps) EXPECT_TRUE(builder.Add(*op, Attrs(*op), inputs).ok());
    return *builder.Finish(std::move(outputs));
  };
  EXPECT_TRUE(finish({{&add_, {0, 1}}, {&add_, {2, 0}}}, {3})->is_elementwise());
  // Two outputs, an output that is an input, an unused input, an unused step, an op with no
  // expression.
  const std::vector<Ref<const OpBody>> others = {
      finish({{&add_, {0, 1}}, {&scale_, {2}}}, {3, 2}), finish({{&add_, {0, 1}}}, {0}),
      finish({{&scale_, {0}}}, {2}), finish({{&add_, {0, 1}}, {&scale_, {0}}}, {3}),
      finish({{&add_, {0, 1}}, {&halves_, {2}}}, {3})};
  for (const Ref<const OpBody>& body : others) {
    EXPECT_FALSE(body->is_elementwise()) << body->ToString();
    EXPECT_FALSE(IsElementwise(call_, Attrs(call_, {{"body", body}}))) << body->ToString();
    EXPECT_FALSE(IsInplaceSafe(call_, Attrs(call_, {{"body", body}}))) << body->ToString();
  }
}

// The bits of single ops: what lies between them is rounded.
TEST_F(OpBodyTest, ProgramRoundsBetweenTheSteps) {
  const AttributeMap attrs = Attrs(call_, {{"body", Chain()}});
  const auto half = BuildScalarExpr(call_, attrs, {DType::kF16, DType::kF16}, DType::kF16);
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_THAT(half->ToString(), HasSubstr("%3 = round f32 f16 %2"));
  const auto single = BuildScalarExpr(call_, attrs, {DType::kF32, DType::kF32}, DType::kF32);
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_THAT(single->ToString(), testing::Not(HasSubstr("round")));
  EXPECT_EQ(BuildScalarExpr(call_, attrs, {DType::kF32}, DType::kF32).status().code(),
            absl::StatusCode::kInternal);
}

// Notes what it was asked for, and gives symbols of nothing.
class NotingInvoker final : public Invoker {
 public:
  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs, Device*) override {
    calls.push_back(absl::StrCat(op, "/", inputs.size(), attrs.empty() ? "" : "/",
                                 attrs.empty() ? "" : attrs[0].second.ToString()));
    if (op == "halves") return TensorList(results);
    return TensorList(1);
  }
  std::vector<std::string> calls;
  int results = 2;
};

TEST_F(OpBodyTest, RunsItsStepsInOrder) {
  NotingInvoker invoker;
  const std::vector<Tensor> inputs(2);
  const auto outputs = Chain(0.5)->Run(inputs, invoker);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(outputs->size(), 1);
  EXPECT_THAT(invoker.calls, testing::ElementsAre("add/2", "scale/1/0.5"));
  EXPECT_FALSE(Chain()->Run({inputs[0]}, invoker).ok());

  OpBody::Builder builder({kVector});
  ASSERT_TRUE(builder.Add(halves_, {}, {0}).ok());
  const Ref<const OpBody> halves = *builder.Finish({2, 1});
  EXPECT_EQ(halves->Run({inputs[0]}, invoker)->size(), 2);
  invoker.results = 3;
  EXPECT_EQ(halves->Run({inputs[0]}, invoker).status().code(), absl::StatusCode::kInternal);
}

TEST_F(OpBodyTest, AttributeNeedsABody) {
  EXPECT_FALSE(AttributeMap::Create(call_.attributes, {}).ok());
  EXPECT_FALSE(AttributeMap::Create(call_.attributes, {{"body", 1}}).ok());
  EXPECT_FALSE(AttributeMap::Create(call_.attributes, {{"body", Ref<const OpBody>()}}).ok());
  EXPECT_EQ(BodyAttribute(Attrs(scale_)), nullptr);
  EXPECT_EQ(BodyOf(scale_, Attrs(scale_)), nullptr);
}

}  // namespace
}  // namespace tandem
