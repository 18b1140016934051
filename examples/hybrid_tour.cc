// A tour of Tandem: imperative code, the same code as a graph, and what lies between. Every line that
// is printed with a '>' is the code that runs next; what follows is what it prints.
//
//   ./bazelw run //examples:hybrid_tour

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tandem/examples/models.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/trace/graph_builder.h"

namespace tandem::examples {
namespace {

// Prints code, a line for each statement.
void PrintCode(const std::string& code) {
  int depth = 0;
  bool quoted = false;
  std::string line;
  const auto flush = [&] {
    if (!absl::StripAsciiWhitespace(line).empty()) {
      std::cout << "> " << absl::StripAsciiWhitespace(line) << "\n";
    }
    line.clear();
  };
  for (size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    line += c;
    if (c == '"' && (i == 0 || code[i - 1] != '\\')) quoted = !quoted;
    if (quoted) continue;
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c == ')' || c == '}' || c == ']') --depth;
    if (c == ';' && depth == 0) flush();
  }
  flush();
  std::cout.flush();
}

// Prints the code, then runs it: there is only one copy, so the two cannot differ.
#define RUN(...)           \
  PrintCode(#__VA_ARGS__); \
  __VA_ARGS__

// Prints the code and the error that it gives.
#define FAILS(...)                                               \
  PrintCode(#__VA_ARGS__);                                       \
  try {                                                          \
    __VA_ARGS__;                                                 \
    std::cout << "!! this should have failed\n";                 \
    ++unexpected;                                                \
  } catch (const Error& e) {                                     \
    std::cout << "error: " << e.what() << "\n";                  \
  }

int unexpected = 0;

void Heading(const std::string& text) { std::cout << "\n== " << text << "\n\n"; }
void Say(const std::string& text) { std::cout << text << "\n"; }

// Says whether two tensors hold the same bytes. Those that should and do not are a failure.
void Compare(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = ToVector(a), y = ToVector(b);
  const bool same =
      x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
  std::cout << (same ? "every bit is the same\n" : "!! they differ\n");
  if (!same) ++unexpected;
}

void Imperative() {
  Heading("1. Imperative: every line runs when it is reached (R1)");
  RUN(const auto add = [](const Tensor& a, const Tensor& b) { return a + b; };);
  RUN(const auto fancy_func = [&](const Tensor& a, const Tensor& b, const Tensor& c,
                                  const Tensor& d) {
    Tensor e = add(a, b); std::cout << "e is " << e << "\n";
    Tensor f = add(c, d); return add(e, f); };);
  RUN(std::cout << fancy_func(ScalarArray(1.f), ScalarArray(2.f), ScalarArray(3.f),
                              ScalarArray(4.f)) << "\n";);
}

void Symbolic() {
  Heading("2. Symbolic: define, compile, run are three steps (R2)");
  RUN(GraphBuilder builder("fancy_func", &DefaultDevice()););
  RUN(Tensor a = Value(builder.Input("a", {DType::kF32, {}}));
      Tensor b = Value(builder.Input("b", {DType::kF32, {}}));
      Tensor c = Value(builder.Input("c", {DType::kF32, {}}));
      Tensor d = Value(builder.Input("d", {DType::kF32, {}}));
      Tensor y = (a + b) + (c + d););
  Say("Nothing was computed. A symbol says its name, op, dtype and shape (R30):");
  RUN(std::cout << y << "\n";);
  RUN(const TracedGraph traced = Value(builder.Finish({{"y", y}})););
  RUN(const auto program = Value(Executable::Create(traced.graph, DefaultDevice())););
  RUN(std::cout << Value(program->Run({ScalarArray(1.f), ScalarArray(2.f), ScalarArray(3.f),
                                       ScalarArray(4.f)})).outputs[0] << "\n";);

  Heading("3. A program is text: print it, parse it, run it (R3)");
  RUN(const std::string text = PrintGraph(traced.graph, {.origins = false}););
  std::cout << text;
  RUN(const Graph parsed = Value(ParseGraph(text, OpRegistry::Global())););
  RUN(const auto again = Value(Executable::Create(parsed, DefaultDevice())););
  RUN(std::cout << Value(again->Run({ScalarArray(1.f), ScalarArray(2.f), ScalarArray(3.f),
                                     ScalarArray(4.f)})).outputs[0] << "\n";);
}

void Folding() {
  Heading("4. The compiler computes what is known: (1+2)+(3+4) becomes 10 (R4)");
  RUN(nn::HybridLambda ten([](const Tensor& x) {
    return x + ((Full({}, 1) + Full({}, 2)) + (Full({}, 3) + Full({}, 4))); }););
  RUN(ten.Hybridize(); std::cout << ten(ScalarArray(0.f)) << "\n";);
  RUN(std::cout << "traced:\n" << PrintGraph(Value(ten.function()->traced()).graph,
                                             {.origins = false});
      std::cout << "optimized:\n" << PrintGraph(Value(ten.function()->optimized()),
                                                {.origins = false}););
}

void Blocks() {
  Heading("5. Blocks: a network is layers (R10, R13)");
  RUN(HybridSequential net;
      net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(128, {.activation = "relu"}),
              nn::Dense(2)););
  Say("Its weights do not know their shapes before they have seen an input.");
  FAILS(net(Ones({1, 512})));
  RUN(net.Initialize(init::Xavier()); Tensor x = RandomNormal({1, 512});
      std::cout << net(x) << "\n";);
  RUN(std::cout << net.Summary(x););

  Heading("6. Hybridize: the same numbers, compiled (R26, R37)");
  RUN(const Tensor before = net(x););
  RUN({ Benchmark timing("1000 calls, imperative");
        for (int i = 0; i < 1000; ++i) net(x); });
  RUN(net.Hybridize(); net(x););
  RUN({ Benchmark timing("1000 calls, hybridized");
        for (int i = 0; i < 1000; ++i) net(x); });
  RUN(net.Hybridize({.static_alloc = true, .static_shape = true}); net(x););
  RUN({ Benchmark timing("1000 calls, static_alloc and static_shape");
        for (int i = 0; i < 1000; ++i) net(x); });
  RUN(Compare(before, net(x)););
  Say("\nNothing about it is hidden. Explain() says what was done, and why:");
  RUN(std::cout << net.Explain().substr(0, 1500) << "…\n";);
}

class Noisy : public HybridBlock {
 public:
  Noisy() { fc_ = Register("fc", nn::Dense(2)); }
  Tensor HybridForward(const Tensor& x, const Params& p) override {
    std::cout << "  in the body, x is " << x << "\n";
    return fc_(x);
  }

 private:
  BlockRef<nn::Dense> fc_;
};

void FallsSilent() {
  Heading("7. The print that falls silent (R27, R28, R29, R31, R32)");
  Say("class Noisy prints x in its HybridForward.");
  RUN(Noisy net; net.Initialize(); const Tensor x = Ones({1, 3}););
  RUN(net(x); net(x););
  RUN(net.Hybridize(););
  Say("The first call runs the body once more, with a symbol; later ones do not run it at all:");
  RUN(net(x); net(x); net(x););
  Say("New values are new inputs, not new traces; a new shape is a new trace (R35):");
  RUN(std::cout << net(x * 2.0) << "\n"; net(Ones({4, 3})); net(x););
  RUN(net.Hybridize(false); net(x););
}

void Limits() {
  Heading("8. The limits, and their error messages (R42, R44, R46, R33, R34)");
  Say("Values cannot be read in a trace. Nothing is baked in silently:");
  RUN(nn::HybridLambda reads([](const Tensor& x) {
    return Item<float>(Sum(x)) > 0 ? x : -x; }););
  RUN(std::cout << reads(Ones({2})) << "\n"; reads.Hybridize(););
  FAILS(reads(Ones({2})));
  Say("\nThe block still works imperatively (R50):");
  RUN(reads.Hybridize(false); std::cout << reads(Ones({2})) << "\n";);
  Say("\nx += y rebinds the handle, so it works in both modes; writing into a tensor does not:");
  RUN(nn::HybridLambda adds([](const Tensor& x) { Tensor y = x; y += x; return y; });
      adds.Hybridize(); std::cout << adds(Ones({2})) << "\n";);
  RUN(nn::HybridLambda writes([](const Tensor& x) {
    Tensor y = x; WriteInto(y, {0}, {1}, Zeros({1})); return y; });
      writes.Hybridize(););
  FAILS(writes(Ones({2})));
  Say("\nOne option alone makes no sense:");
  FAILS(nn::HybridLambda f([](const Tensor& x) { return x; }); f.Hybridize({.static_shape = true});
        f(Ones({1})));
  Say("\nA plain block cannot be compiled, so a hybrid one does not take it:");
  FAILS(HybridSequential mixed;
        mixed.Add(nn::Dense(2), nn::Lambda([](const Tensor& x) { return x; })));
  Say("\nShapes, with the block and the line:");
  FAILS(MatMul(Ones({2, 3}), Ones({4, 5})));
  FAILS(HybridSequential net; net.Add(nn::Dense(2, {.in_units = 3})); net.Initialize();
        net(Ones({1, 7})));
}

void ExportImport() {
  Heading("9. Export, and run it without the class that wrote it (R61, R64, R65)");
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("tandem_tour_", getpid());
  std::filesystem::create_directories(folder);
  const std::string prefix = folder / "my_lenet";
  RUN(LeNet net; net.Initialize(init::Xavier()););
  FAILS(net.Export(prefix));
  RUN(const Tensor x = RandomUniform({16, 1, 28, 28}); const Tensor y = net(x););
  RUN(net.Export(prefix););
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::cout << entry.path().filename().string() << "  " << entry.file_size() << " bytes\n";
  }
  Say("$ head -12 my_lenet-symbol.json");
  std::ifstream symbol(prefix + "-symbol.json");
  std::string line;
  for (int i = 0; i < 12 && std::getline(symbol, line); ++i) std::cout << line << "\n";
  RUN(auto imported = SymbolBlock::Imports(prefix + "-symbol.json", {"data"},
                                           prefix + "-0000.params"););
  RUN(imported->Hybridize(); Compare((*imported)(x), y););
  Say("\nThe graph as a drawing, for Graphviz (R7):");
  RUN(std::cout << net.GraphDot().substr(0, 600) << "…\n";);
  std::filesystem::remove_all(folder);
}

int Main() {
  random::Seed(42);
  Imperative();
  Symbolic();
  Folding();
  Blocks();
  FallsSilent();
  Limits();
  ExportImport();
  return unexpected == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tandem::examples

int main() {
  try {
    return tandem::examples::Main();
  } catch (const std::exception& e) {
    std::cerr << "hybrid_tour: " << e.what() << "\n";
    return 1;
  }
}
