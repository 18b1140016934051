// What a device's ops reach: bandwidth of those that move memory, arithmetic of those that compute,
// time of a call that does next to nothing. Prints a Markdown table.
//
//   ./bazelw run //benchmarks:device_ops -- --device=cpu:0
//
// Sizes grow until a call takes --max_ms, so a software device is done in a minute as well. Bytes are
// those that must be read and written once; what an op moves beside them counts against it. Calls are
// queued many at a time and waited for once, except where a line says "waited for".

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/benchmarks/timing.h"
#include "tandem/core/device/device.h"
#include "tandem/frontends/cpp/tandem.h"

ABSL_FLAG(std::string, device, "cpu:0", "where to run");
ABSL_FLAG(double, max_ms, 50, "of a call; larger sizes are left out");
ABSL_FLAG(std::string, only, "", "ops whose names contain this");

namespace tandem::benchmarks {
namespace {

// One size of an op, ready to be called.
struct Subject {
  std::string size;
  std::function<void()> call;
  double bytes = 0;  // read and written
  double flops = 0;
};

struct Op {
  std::string name;
  std::vector<int64_t> sizes;
  std::function<Subject(int64_t size)> make;
};

// Seconds a call: the best of several batches that are waited for once.
double Measure(const std::function<void()>& call) {
  const auto seconds_of = [&](int64_t calls) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < calls; ++i) call();
    WaitAll();
    return MicrosecondsSince(start) * 1e-6;
  };
  seconds_of(1);  // compiles what has to be compiled
  double best = seconds_of(1);
  constexpr double kBatchSeconds = 0.03;
  const auto calls = static_cast<int64_t>(std::clamp(kBatchSeconds / best, 1.0, 10000.0));
  for (int batch = 0; batch < 4; ++batch) best = std::min(best, seconds_of(calls) / calls);
  return best;
}

std::string Mebibytes(double bytes) { return absl::StrFormat("%.6g MiB", bytes / (1 << 20)); }

std::string Square(int64_t n) { return absl::StrCat(n, " × ", n); }

const std::vector<int64_t> kElements = {1 << 16, 1 << 20, 1 << 24, 1 << 26};
const std::vector<int64_t> kSides = {256, 1024, 4096, 8192};
const std::vector<int64_t> kProducts = {64, 128, 256, 512, 1024, 2048, 4096, 8192};

// f(x) on n elements; `copies`: how many times n elements are read or written.
Op OnElements(const std::string& name, DType dtype, double copies,
              std::function<Tensor(const Tensor&)> f) {
  return {absl::StrCat(name, " ", DTypeName(dtype)), kElements, [=](int64_t n) {
            const Tensor x = Cast(RandomNormal({n}), dtype);
            return Subject{absl::StrCat(n), [=] { f(x); }, copies * n * DTypeSize(dtype), 0};
          }};
}

Op OnMatrix(const std::string& name, double copies, std::function<Tensor(const Tensor&)> f) {
  return {absl::StrCat(name, " f32"), kSides, [=](int64_t n) {
            const Tensor x = RandomNormal({n, n});
            return Subject{Square(n), [=] { f(x); }, copies * n * n * 4, 0};
          }};
}

Op MatMulOf(DType dtype) {
  return {absl::StrCat("matmul ", DTypeName(dtype)), kProducts, [=](int64_t n) {
            const Tensor a = Cast(RandomNormal({n, n}), dtype);
            const Tensor b = Cast(RandomNormal({n, n}), dtype);
            return Subject{Square(n), [=] { MatMul(a, b); }, 3.0 * n * n * DTypeSize(dtype),
                           2.0 * n * n * n};
          }};
}

std::vector<Op> AllOps() {
  std::vector<Op> ops;
  ops.push_back({"add f32, queued", {1}, [](int64_t) {
                   const Tensor x = Ones({1});
                   return Subject{"1", [x] { Add(x, x); }, 0, 0};
                 }});
  ops.push_back({"add f32, waited for", {1}, [](int64_t) {
                   const Tensor x = Ones({1});
                   return Subject{"1",
                                  [x] {
                                    Add(x, x);
                                    WaitAll();
                                  },
                                  0, 0};
                 }});
  ops.push_back({"host to device", {1 << 10, 1 << 20, 1 << 24, 1 << 26}, [](int64_t n) {
                   const std::vector<float> values(n, 1.0f);
                   return Subject{absl::StrCat(n), [=] { Array(values, {n}); }, 4.0 * n, 0};
                 }});
  ops.push_back({"device to host", {1 << 10, 1 << 20, 1 << 24, 1 << 26}, [](int64_t n) {
                   const Tensor x = Ones({n});
                   return Subject{absl::StrCat(n), [=] { ToVector<float>(x); }, 4.0 * n, 0};
                 }});
  ops.push_back(
      OnElements("identity", DType::kF32, 2, [](const Tensor& x) { return Identity(x); }));
  ops.push_back(
      OnElements("identity", DType::kF16, 2, [](const Tensor& x) { return Identity(x); }));
  ops.push_back(OnElements("add", DType::kF32, 2, [](const Tensor& x) { return Add(x, x); }));
  ops.push_back(OnElements("gelu", DType::kF32, 2, [](const Tensor& x) { return Gelu(x); }));
  ops.push_back(OnElements("gelu", DType::kF16, 2, [](const Tensor& x) { return Gelu(x); }));
  ops.push_back(OnElements("sum", DType::kF32, 1, [](const Tensor& x) { return Sum(x); }));
  ops.push_back(OnMatrix("sum of rows", 1, [](const Tensor& x) { return Sum(x, {.axes = {1}}); }));
  ops.push_back(
      OnMatrix("sum of columns", 1, [](const Tensor& x) { return Sum(x, {.axes = {0}}); }));
  ops.push_back(OnMatrix("softmax", 2, [](const Tensor& x) { return Softmax(x); }));
  ops.push_back(
      OnMatrix("transposed copy", 2, [](const Tensor& x) { return Identity(Transpose(x)); }));
  ops.push_back(OnMatrix("pad by 1", 2, [](const Tensor& x) { return Pad(x, {1, 1}, {1, 1}); }));
  ops.push_back(OnMatrix("concat of two", 4, [](const Tensor& x) {
    return Concat({x, x}, {.axis = 1});
  }));
  ops.push_back({"gather rows of 64 f32", {1 << 10, 1 << 14, 1 << 18, 1 << 20}, [](int64_t n) {
                   const Tensor x = RandomNormal({n, 64});
                   const Tensor indices =
                       Cast(RandomUniform({n}, 0, static_cast<double>(n)), DType::kI32);
                   return Subject{absl::StrCat(n, " of ", n), [=] { Gather(x, indices); },
                                  2.0 * n * 64 * 4 + 4.0 * n, 0};
                 }});
  ops.push_back(
      {"gradient of it", {1 << 10, 1 << 14, 1 << 18, 1 << 20}, [](int64_t n) {
         const Tensor grad = RandomNormal({n, 64});
         const Tensor indices = Cast(RandomUniform({n}, 0, static_cast<double>(n)), DType::kI32);
         return Subject{absl::StrCat(n, " of ", n), [=] { GatherBackward(grad, indices, n); },
                        2.0 * n * 64 * 4 + 4.0 * n, 0};
       }});
  ops.push_back(MatMulOf(DType::kF32));
  ops.push_back(MatMulOf(DType::kF16));
  ops.push_back({"matrix × vector f32", kSides, [](int64_t n) {
                   const Tensor a = RandomNormal({n, n});
                   const Tensor b = RandomNormal({n, 1});
                   return Subject{Square(n), [=] { MatMul(a, b); }, 4.0 * n * n, 2.0 * n * n};
                 }});
  ops.push_back({"conv2d 3×3, 64 channels, 56 × 56, f32", {1, 4, 16, 64}, [](int64_t batch) {
                   const Tensor x = RandomNormal({batch, 64, 56, 56});
                   const Tensor w = RandomNormal({64, 64, 3, 3});
                   return Subject{absl::StrCat("batch ", batch),
                                  [=] {
                                    Conv2d(x, w, {.padding = {1, 1}});
                                  },
                                  2.0 * batch * 64 * 56 * 56 * 4,
                                  2.0 * batch * 64 * 56 * 56 * 64 * 9};
                 }});
  return ops;
}

std::string Rate(double amount, double seconds, const char* format) {
  return amount > 0 ? absl::StrFormat("%.4g", amount / seconds * 1e-9) : std::string(format);
}

void Main() {
  const std::string name = absl::GetFlag(FLAGS_device);
  const DeviceScope scope(name);
  const DeviceInfo& info = DefaultDevice().info();
  std::cout << "Ops on " << name << " (" << info.name << ")\n\n";
  for (const auto& [property, value] : info.properties) {
    std::cout << "- " << property << ": " << value << "\n";
  }
  std::cout << "\n| op | size | memory | µs a call | GB/s | GFLOP/s |\n|---|---|---|---|---|---|\n";
  const std::string only = absl::GetFlag(FLAGS_only);
  for (const Op& op : AllOps()) {
    if (op.name.find(only) == std::string::npos) continue;
    std::cerr << "measuring " << op.name << "\n";
    double previous = 0;
    for (int64_t size : op.sizes) {
      // The next size is about four times as much work.
      if (previous * 4 > absl::GetFlag(FLAGS_max_ms) * 1e-3) break;
      try {
        const Subject subject = op.make(size);
        previous = Measure(subject.call);
        std::cout << "| " << op.name << " | " << subject.size << " | "
                  << (subject.bytes > 0 ? Mebibytes(subject.bytes) : "") << " | "
                  << absl::StrFormat("%.4g", previous * 1e6) << " | "
                  << Rate(subject.bytes, previous, "") << " | " << Rate(subject.flops, previous, "")
                  << " |" << std::endl;
      } catch (const Error& error) {
        // One op that the device cannot do, or has no room for, is a line of the table.
        std::cout << "| " << op.name << " | " << size << " | | " << error.what() << " | | |"
                  << std::endl;
        break;
      }
    }
  }
}

}  // namespace
}  // namespace tandem::benchmarks

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures what a device's ops reach.");
  absl::ParseCommandLine(argc, argv);
  try {
    tandem::benchmarks::Main();
  } catch (const tandem::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
