// Executables on a real device: bound outputs, memory, concurrent runs, bad inputs.

#include "tandem/graph/exec/executable.h"

#include "absl/strings/match.h"
#include "tandem/graph/trace/graph_builder.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ExecutableTest : public HybridFixture {
 protected:
  // y = exp(neg(x)) + x, and the transpose of it.
  Graph MakeGraph() {
    GraphBuilder builder("small", device_);
    const Tensor x = *builder.Input("x", {DType::kF32, {3, 5}});
    const Tensor y = *Op("add", {*Op("exp", {*Op("neg", {x})}), x});
    return std::move(builder.Finish({{"y", y}, {"t", *Op("transpose", {y})}})->graph);
  }
  std::vector<Ref<Executable>> AllModes(const Graph& graph) {
    std::vector<Ref<Executable>> programs;
    for (const auto& [alloc, shape] : {std::pair(false, false), {true, false}, {true, true}}) {
      auto program = Executable::Create(graph, *device_, {alloc, shape});
      EXPECT_TRUE(program.ok()) << program.status();
      if (program.ok()) programs.push_back(*program);
    }
    return programs;
  }
};

// R2
TEST_F(ExecutableTest, DefineCompileRun) {
  const Graph graph = MakeGraph();
  const Tensor x = Random({3, 5});
  const Tensor y = *Op("add", {*Op("exp", {*Op("neg", {x})}), x});
  for (const Ref<Executable>& program : AllModes(graph)) {
    EXPECT_TRUE(program->plan().Check().ok()) << program->plan().ToString();
    const auto result = program->Run({&x, 1});
    ASSERT_TRUE(result.ok()) << result.status();
    ExpectSameBits(result->outputs[0], y);
    ExpectSameBits(result->outputs[1], *Op("transpose", {y}));
  }
}

TEST_F(ExecutableTest, OutputsCanBeBound) {
  const Tensor x = Random({3, 5});
  for (const Ref<Executable>& program : AllModes(MakeGraph())) {
    const auto expected = program->Run({&x, 1});
    const Tensor mine = Array(std::vector<float>(15, 7.f), {3, 5});
    const std::vector<Tensor> bound = {mine, Tensor()};
    const auto result = program->Run({&x, 1}, {.outputs = bound});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs[0].impl(), mine.impl());
    ExpectSameBits(mine, expected->outputs[0]);
    ExpectSameBits(result->outputs[1], expected->outputs[1]);
    // In place: the output is the input's memory.
    const Tensor both = *Tensor::FromVector<float>(Values(x), {3, 5}, *device_);
    const std::vector<Tensor> same = {both, Tensor()};
    ASSERT_TRUE(program->Run({&both, 1}, {.outputs = same}).ok());
    ExpectSameBits(both, expected->outputs[0]);
  }
}

// Passes its work on, and notes what it was told to wait for.
class WaitingStream final : public Stream {
 public:
  explicit WaitingStream(Ref<Stream> stream) : stream_(std::move(stream)) {}
  absl::Status Record(const Dispatch& dispatch) override { return stream_->Record(dispatch); }
  absl::Status Copy(const BufferView& from, const BufferView& to) override {
    return stream_->Copy(from, to);
  }
  absl::Status Fill(const BufferView& to, uint32_t pattern) override {
    return stream_->Fill(to, pattern);
  }
  absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>& commands,
                                       absl::Span<const BufferView> bindings) override {
    return stream_->Submit(commands, bindings);
  }
  TimelinePoint Now() override { return stream_->Now(); }
  absl::Status WaitFor(const TimelinePoint& point) override {
    waited.push_back(point.stream);
    return stream_->WaitFor(point);
  }
  bool Reached(const TimelinePoint& point) const override { return stream_->Reached(point); }
  absl::Status Synchronize(const TimelinePoint& point) override {
    return stream_->Synchronize(point);
  }

  std::vector<const Stream*> waited;

 private:
  Ref<Stream> stream_;
};

TEST_F(ExecutableTest, AnotherStreamWaitsForCopiesOfInputs) {
  const Tensor x = *Op("transpose", {Random({5, 3})});
  const Tensor contiguous = *Op("identity", {x});
  ASSERT_FALSE(x.is_contiguous());
  for (const Ref<Executable>& program : AllModes(MakeGraph())) {
    WaitingStream stream(*device_->CreateStream());
    const auto expected = program->Run({&contiguous, 1}, {.stream = &stream});
    ASSERT_TRUE(expected.ok()) << expected.status();
    EXPECT_TRUE(stream.waited.empty());
    const auto result = program->Run({&x, 1}, {.stream = &stream});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(stream.waited, (std::vector<const Stream*>{device_->default_stream().Now().stream}));
    ASSERT_TRUE(stream.Synchronize(stream.Now()).ok());
    ExpectSameBits(result->outputs[0], expected->outputs[0]);
  }
}

TEST_F(ExecutableTest, InputsCanBeBoundForManyRuns) {
  GraphBuilder builder("affine", device_);
  const Tensor w = *builder.Input("w", {DType::kF32, {3, 5}});
  const Tensor x = *builder.Input("x", {DType::kF32, {3, 5}});
  const Tensor b = *builder.Input("b", {DType::kF32, {3, 5}});
  const Tensor y = *Op("add", {*Op("mul", {x, w}), b});
  const Graph graph = std::move(builder.Finish({{"y", y}})->graph);
  const Tensor weight = *Op("transpose", {Random({5, 3})});
  const Tensor bias = Random({3, 5});
  ASSERT_FALSE(weight.is_contiguous());
  for (const Ref<Executable>& program : AllModes(graph)) {
    const auto bound = program->Bind({weight, Tensor(), bias});
    ASSERT_TRUE(bound.ok()) << bound.status();
    for (int run = 0; run < 3; ++run) {
      const Tensor input = Random({3, 5});
      const auto expected = program->Run({weight, input, bias});
      const auto result = program->Run(**bound, {&input, 1});
      ASSERT_TRUE(result.ok()) << result.status();
      ExpectSameBits(result->outputs[0], expected->outputs[0]);
    }
    // The copy of the strided weight was made on the default stream.
    WaitingStream stream(*device_->CreateStream());
    ASSERT_TRUE(program->Run(**bound, {&bias, 1}, {.stream = &stream}).ok());
    EXPECT_EQ(stream.waited, (std::vector<const Stream*>{device_->default_stream().Now().stream}));

    EXPECT_THAT(program->Run(**bound, {}).status().ToString(),
                HasSubstr("takes 3 inputs, 2 are bound, 0 given"));
    EXPECT_THAT(program->Bind({bias}).status().ToString(), HasSubstr("takes 3 inputs, 1 given"));
    EXPECT_THAT(program->Bind({Tensor(), Tensor(), Random({5})}).status().ToString(),
                AllOf(HasSubstr("'b'"), HasSubstr("f32[3,5]")));
  }
}

TEST_F(ExecutableTest, BadInputsAreErrorsThatNameThem) {
  const Graph graph = MakeGraph();
  for (const Ref<Executable>& program : AllModes(graph)) {
    EXPECT_THAT(program->Run({}).status().ToString(), HasSubstr("takes 1 inputs, 0 given"));
    const Tensor wrong = Random({5, 3});
    EXPECT_THAT(program->Run({&wrong, 1}).status().ToString(),
                AllOf(HasSubstr("'x'"), HasSubstr("f32[5,3]"), HasSubstr("f32[3,5]")));
    const Tensor undefined;
    EXPECT_THAT(program->Run({&undefined, 1}).status().ToString(), HasSubstr("undefined"));
    const Tensor x = Random({3, 5});
    const std::vector<Tensor> bound = {wrong, Tensor()};
    EXPECT_THAT(program->Run({&x, 1}, {.outputs = bound}).status().ToString(),
                AllOf(HasSubstr("output 0"), HasSubstr("should be f32[3,5]")));
    const std::vector<Tensor> few = {x};
    EXPECT_FALSE(program->Run({&x, 1}, {.outputs = few}).ok());
  }
  EXPECT_EQ(Executable::Create(graph, *device_, {false, true}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// R5
TEST_F(ExecutableTest, AChainOfElementwiseOpsNeedsNoMoreThanItsOutput) {
  GraphBuilder builder("chain", device_);
  Tensor h = *builder.Input("x", {DType::kF32, {64, 64}});
  for (int i = 0; i < 10; ++i) h = *Op(i % 2 ? "exp" : "neg", {h});
  const Graph graph = builder.Finish({{"y", h}})->graph;
  const auto program = Executable::Create(graph, *device_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->plan().arena_bytes, 0);
  int in_place = 0;
  for (const StepNote& note : (*program)->notes()) {
    in_place += absl::StrContains(note.description, "in place");
  }
  EXPECT_EQ(in_place, 9);
}

TEST_F(ExecutableTest, AStaticRunAllocatesOnlyItsOutputs) {
  const Tensor x = Random({3, 5});
  const auto program = Executable::Create(MakeGraph(), *device_, {true, true});
  ASSERT_TRUE((*program)->Run({&x, 1}).ok());
  const int64_t before = device_->allocator().stats().allocations;
  ASSERT_TRUE((*program)->Run({&x, 1}).ok());
  EXPECT_EQ(device_->allocator().stats().allocations, before + 2);
}

TEST_F(ExecutableTest, EmptyTensors) {
  GraphBuilder builder("empty", device_);
  const Tensor x = *builder.Input("x", {DType::kF32, {0, 3}});
  const Tensor y = *Op("relu", {x});
  const Graph graph =
      builder.Finish({{"y", y}, {"sum", *Op("sum", {y}, {{"axes", AttributeValue::Ints{0}}})}})
          ->graph;
  const Tensor nothing = Random({0, 3});
  for (const Ref<Executable>& program : AllModes(graph)) {
    const auto result = program->Run({&nothing, 1});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs[0].shape(), Shape({0, 3}));
    EXPECT_EQ(Values(result->outputs[1]), (std::vector<float>{0, 0, 0}));
  }
}

TEST_F(ExecutableTest, AReusedBlockIsNotSeenByAnotherView) {
  // h + hᵀ must not be computed in h's memory.
  GraphBuilder builder("alias", device_);
  const Tensor x = *builder.Input("x", {DType::kF32, {33, 33}});
  const Tensor h = *Op("neg", {x});
  const Graph graph = builder.Finish({{"y", *Op("add", {h, *Op("transpose", {h})})}})->graph;
  const Tensor value = Random({33, 33});
  const Tensor n = *Op("neg", {value});
  const Tensor expected = *Op("add", {n, *Op("transpose", {n})});
  for (const Ref<Executable>& program : AllModes(graph)) {
    ExpectSameBits(program->Run({&value, 1})->outputs[0], expected);
  }
}

// R2 R31
TEST_F(ExecutableTest, SymbolsAreRecordedWhereverTheyAreUsed) {
  GraphBuilder builder("fancy", device_);
  std::vector<Tensor> v;
  for (const char* name : {"a", "b", "c", "d"}) {
    v.push_back(*builder.Input(name, {DType::kF32, {}}));
  }
  const int64_t before = device_->allocator().stats().allocations;
  const Tensor sum = *Op("add", {*Op("add", {v[0], v[1]}), *Op("add", {v[2], v[3]})});
  EXPECT_TRUE(sum.is_symbolic());
  EXPECT_EQ(device_->allocator().stats().allocations, before);
  const Graph graph = builder.Finish({{"sum", sum}})->graph;
  const auto program = Executable::Create(graph, *device_);
  std::vector<Tensor> inputs;
  for (const float value : {1.f, 2.f, 3.f, 4.f}) {
    inputs.push_back(*Tensor::Scalar(value, *device_));
  }
  EXPECT_EQ(*(*program)->Run(inputs)->outputs[0].Item<float>(), 10);
}

}  // namespace
}  // namespace tandem
