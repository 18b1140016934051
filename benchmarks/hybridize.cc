// The headline benchmark: what Hybridize() is worth. MLP and LeNet, a perceptron (small,
// 64-64-64-64-10) in which only overhead counts, and one between (medium, 128-128-128-128-10);
// imperative, hybridized, and hybridized with static_alloc and static_shape; the first call in each
// mode (cold: with tracing and compiling, parameters in place) and later ones; what a call costs the
// thread that makes it; memory.
//
//   ./bazelw run //benchmarks:hybridize               # a table
//   ./bazelw run //benchmarks:hybridize -- --json     # one JSON object
//
// The modes of one case take turns, round by round, so that a drifting machine slows all of them. The
// limit for the MLP at batch 1 is measured in the same run: a plain loop that reads its weights once.

#include <time.h>

#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/benchmarks/timing.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/examples/models.h"
#include "tandem/frontends/cpp/tandem.h"

ABSL_FLAG(bool, json, false, "print one JSON object instead of a table");
ABSL_FLAG(int, threads, 1, "of the CPU backend");
ABSL_FLAG(std::string, device, "cpu:0", "where to run");
ABSL_FLAG(double, seconds, 0.3, "of each measurement and round");
ABSL_FLAG(int, rounds, 5, "in which the modes take turns");
ABSL_FLAG(std::string, only, "", "one case, for a profiler: mlp:1");
ABSL_FLAG(std::string, mode, "", "one mode, for a profiler: single, eager, hybrid or static");
ABSL_FLAG(bool, single, false, "also: eager, with every op submitted to the device on its own");

namespace tandem::benchmarks {
namespace {

constexpr absl::string_view kSingle = "single";
constexpr const char* kModes[] = {"eager", "hybrid", "static", "single"};

// Runs eagerly, and has every op submitted before the next one is recorded. (A stream may gather ops;
// asking whether a point is reached makes it submit them.)
class OneByOne final : public Interpreter {
 public:
  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    absl::StatusOr<TensorList> outputs = EagerInterpreter().Invoke(op, inputs, attrs, options);
    Stream& stream = DefaultDevice().default_stream();
    stream.Reached(stream.Now());
    return outputs;
  }
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override {
    return callable.Inline(inputs);
  }
  absl::StatusOr<Tensor> Read(Variable& variable) override {
    return EagerInterpreter().Read(variable);
  }
  absl::Status Write(Variable& variable, const Tensor& value) override {
    return EagerInterpreter().Write(variable, value);
  }
  absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) override {
    return EagerInterpreter().NextRandom(device, blocks);
  }
};

struct Case {
  std::string net;
  int64_t batch = 0;
  std::string mode;
  Timing warm;
  double host_us = 0;  // see HostTime
  double cold_us = 0;
  int64_t peak_bytes = 0;
};

int64_t PerceptronUnits(const std::string& name) { return name == "small" ? 64 : 128; }

std::unique_ptr<HybridBlock> MakeNet(const std::string& name) {
  std::unique_ptr<HybridBlock> net;
  if (name == "mlp") {
    net = std::make_unique<HybridSequential>(examples::MakeMlp());
  } else if (name == "small" || name == "medium") {
    const int64_t units = PerceptronUnits(name);
    auto perceptron = std::make_unique<HybridSequential>();
    for (int layer = 0; layer < 3; ++layer) {
      perceptron->Add(nn::Dense(units, {.activation = "relu"}));
    }
    perceptron->Add(nn::Dense(10));
    net = std::move(perceptron);
  } else {
    net = std::make_unique<examples::LeNet>();
  }
  net->Initialize(init::Xavier());
  return net;
}

Tensor MakeInput(const std::string& net, int64_t batch) {
  if (net == "mlp") return RandomNormal({batch, 512});
  if (net == "lenet") return RandomNormal({batch, 1, 28, 28});
  return RandomNormal({batch, PerceptronUnits(net)});
}

double ThreadMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Processor time of the calling thread for a call that it does not wait for: on a device with work of
// its own, what it takes to submit a forward. (The CPU backend computes in that thread.)
double HostTime(const std::function<void()>& forward) {
  constexpr int kCalls = 20;
  std::vector<double> us;
  for (int repeat = 0; repeat < 9; ++repeat) {
    const double start = ThreadMicroseconds();
    for (int call = 0; call < kCalls; ++call) forward();
    us.push_back((ThreadMicroseconds() - start) / kCalls);
    WaitAll();
  }
  return Summarize(std::move(us)).median_us;
}

// One mode of one case, ready to be called.
struct Subject {
  Case result;
  std::unique_ptr<HybridBlock> net;
  std::vector<double> us;

  void Forward(const Tensor& x) {
    static OneByOne one_by_one;
    std::optional<InterpreterScope> scope;
    if (result.mode == kSingle) scope.emplace(one_by_one);
    (*net)(x);
  }
};

std::vector<Case> Measure(const std::string& net, int64_t batch) {
  random::Seed(1);
  const Tensor x = MakeInput(net, batch);
  Allocator& allocator = DefaultDevice().allocator();
  std::vector<Subject> subjects;
  const std::string only = absl::GetFlag(FLAGS_mode);
  for (const char* mode : kModes) {
    if (!only.empty() ? only != mode : mode == kSingle && !absl::GetFlag(FLAGS_single)) continue;
    Subject subject;
    subject.result = {net, batch, mode, {}, 0, 0, 0};
    const int64_t others = allocator.stats().bytes_in_use;
    subject.net = MakeNet(net);
    // The first forward settles the shapes; it belongs to no mode.
    (*subject.net)(x);
    if (subject.result.mode == "hybrid") subject.net->Hybridize();
    if (subject.result.mode == "static") {
      subject.net->Hybridize({.static_alloc = true, .static_shape = true});
    }
    WaitAll();
    const auto start = std::chrono::steady_clock::now();
    subject.Forward(x);
    WaitAll();
    subject.result.cold_us = MicrosecondsSince(start);
    // Parameters, arena, intermediate values and outputs of a warm call; nothing of other subjects.
    allocator.ResetPeak();
    (*subject.net)(x);
    WaitAll();
    subject.result.peak_bytes = allocator.stats().peak_bytes - others;
    subjects.push_back(std::move(subject));
  }
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    for (Subject& subject : subjects) {
      const std::vector<double> us = CollectCalls(
          [&] {
            subject.Forward(x);
            WaitAll();
          },
          {.seconds = absl::GetFlag(FLAGS_seconds)});
      subject.us.insert(subject.us.end(), us.begin(), us.end());
    }
  }
  std::vector<Case> cases;
  for (Subject& subject : subjects) {
    subject.result.warm = Summarize(std::move(subject.us));
    subject.result.host_us = HostTime([&] { subject.Forward(x); });
    cases.push_back(std::move(subject.result));
  }
  return cases;
}

// The limit for the MLP at batch 1: its 656 kB of weights, read once.
constexpr int64_t kMlpWeights = 512 * 256 + 256 * 128 + 128 * 2;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif
uint32_t
ReadOnce(const uint32_t* values, int64_t n) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum ^= values[i];
  return sum;
}

Timing ReadLoop() {
  const std::vector<uint32_t> values(kMlpWeights, 7);
  uint32_t sum = 0;
  const Timing timing = TimeCalls([&] { sum += ReadOnce(values.data(), kMlpWeights); },
                                  {.seconds = absl::GetFlag(FLAGS_seconds)});
  // Used, so that the loop stays.
  if (sum == 12345) std::cerr << "\n";
  return timing;
}

void PrintTable(const std::vector<Case>& cases, const Timing& read_loop) {
  std::cout << absl::StreamFormat("%-6s %5s  %-7s %10s %10s %10s %10s %11s %11s  %s\n", "net",
                                  "batch", "mode", "us", "p10", "p90", "host us", "cold us",
                                  "peak kB", "against eager");
  double eager_us = 0;
  double eager_host_us = 0;
  int64_t eager_bytes = 0;
  for (const Case& c : cases) {
    if (c.mode == "eager") {
      eager_us = c.warm.median_us;
      eager_host_us = c.host_us;
      eager_bytes = c.peak_bytes;
    }
    std::cout << absl::StreamFormat("%-6s %5d  %-7s %10.2f %10.2f %10.2f %10.2f %11.1f %11.1f",
                                    c.net, c.batch, c.mode, c.warm.median_us, c.warm.p10_us,
                                    c.warm.p90_us, c.host_us, c.cold_us, c.peak_bytes / 1e3);
    if (eager_us > 0) {
      std::cout << absl::StreamFormat("  %.2fx time, %.2fx host, %.2fx memory%s",
                                      c.warm.median_us / eager_us, c.host_us / eager_host_us,
                                      static_cast<double>(c.peak_bytes) / eager_bytes,
                                      c.warm.median_us > eager_us ? "   LOSS" : "");
    }
    std::cout << "\n";
    if (c.net == "mlp" && c.batch == 1 && c.mode == "static") {
      std::cout << absl::StreamFormat(
          "%-6s %5s  %-7s %10.2f %10.2f %10.2f   the weights read once; static takes %.2fx\n", "",
          "", "limit", read_loop.median_us, read_loop.p10_us, read_loop.p90_us,
          c.warm.median_us / read_loop.median_us);
    }
  }
}

void PrintJson(const std::vector<Case>& cases, const Timing& read_loop) {
  std::vector<std::string> items;
  for (const Case& c : cases) {
    items.push_back(absl::StrFormat(
        "{\"net\": \"%s\", \"batch\": %d, \"mode\": \"%s\", \"us\": %.3f, \"p10\": %.3f, "
        "\"p90\": %.3f, \"host_us\": %.3f, \"cold_us\": %.1f, \"peak_bytes\": %d}",
        c.net, c.batch, c.mode, c.warm.median_us, c.warm.p10_us, c.warm.p90_us, c.host_us,
        c.cold_us, c.peak_bytes));
  }
  std::cout << "{\"cases\": [\n";
  for (size_t i = 0; i < items.size(); ++i) {
    std::cout << items[i] << (i + 1 < items.size() ? ",\n" : "\n");
  }
  std::cout << absl::StreamFormat(
      "], \"threads\": %d, \"device\": \"%s\", \"weights_read_once_us\": %.3f}\n",
      absl::GetFlag(FLAGS_threads), DefaultDevice().info().name, read_loop.median_us);
}

void Main() {
  const std::string device_name = absl::GetFlag(FLAGS_device);
  const DeviceId id = Value(DeviceId::Parse(device_name));
  if (id.type.name() == "cpu") {
    Check(BackendRegistry::Global().SetOption("cpu", "threads",
                                              absl::StrCat(absl::GetFlag(FLAGS_threads))));
  }
  const DeviceScope device(device_name);
  if (absl::GetFlag(FLAGS_rounds) < 1 || absl::GetFlag(FLAGS_seconds) < 0) {
    throw Error(absl::InvalidArgumentError("--rounds must be at least 1, --seconds at least 0"));
  }
  std::vector<Case> cases;
  const Timing read_loop = ReadLoop();
  for (const auto& [net, batches] : std::vector<std::pair<std::string, std::vector<int64_t>>>{
           {"small", {1}}, {"medium", {1}}, {"mlp", {1, 32, 256}}, {"lenet", {1, 16, 256}}}) {
    for (int64_t batch : batches) {
      const std::string only = absl::GetFlag(FLAGS_only);
      if (!only.empty() && only != absl::StrCat(net, ":", batch)) continue;
      std::cerr << "measuring " << net << ", batch " << batch << "\n";
      for (Case& c : Measure(net, batch)) cases.push_back(std::move(c));
    }
  }
  if (cases.empty()) {
    throw Error(
        absl::InvalidArgumentError("--only names no case; there are small:1, medium:1, mlp:1, :32, "
                                   ":256 and lenet:1, :16, :256"));
  }
  if (absl::GetFlag(FLAGS_json)) {
    PrintJson(cases, read_loop);
  } else {
    PrintTable(cases, read_loop);
  }
}

}  // namespace
}  // namespace tandem::benchmarks

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Times networks imperatively and hybridized.");
  absl::ParseCommandLine(argc, argv);
  try {
    tandem::benchmarks::Main();
  } catch (const std::exception& e) {
    std::cerr << "hybridize: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
