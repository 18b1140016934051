// Speed of matrix products, as GFLOP/s, next to Eigen's in the same run.
//
//   bazel run -c opt //backends/cpu/kernels:matmul_benchmark
//
// One thread. Products have the names m x n x k; "dense" is the layout of a layer, y = x w^T. Each
// row is followed by Eigen's for the same product: only their ratio says something, machines differ.
// (Eigen is compiled for the same instruction set as the build; give --copt=-march=native to compare
// with its best.)
#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/backends/cpu/thread_pool.h"

namespace tandem::cpu_backend {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Product {
  int64_t m, n, k;
  bool dense;
};

void Report(benchmark::State& state, const Product& p) {
  const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) *
                       static_cast<double>(p.k) * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsRate);
}

void Ours(benchmark::State& state, Product p) {
  const Matrix a = Matrix::Random(p.m, p.k);
  const Matrix b = p.dense ? Matrix::Random(p.n, p.k) : Matrix::Random(p.k, p.n);
  Matrix c(p.m, p.n);
  CpuThreadPool pool(1);
  const GemmKernels<float>& kernels = GemmKernelsFor<float>(DetectIsa());
  const GemmArgs<float> args = {
      p.m,      p.n, p.k, a.data(), p.k, 1, b.data(), p.dense ? 1 : p.n, p.dense ? p.k : 1,
      c.data(), p.n};
  for (auto _ : state) {
    Gemm(kernels, args, pool);
    benchmark::ClobberMemory();
  }
  Report(state, p);
}

void Eigens(benchmark::State& state, Product p) {
  const Matrix a = Matrix::Random(p.m, p.k);
  const Matrix b = p.dense ? Matrix::Random(p.n, p.k) : Matrix::Random(p.k, p.n);
  Matrix c(p.m, p.n);
  for (auto _ : state) {
    if (p.dense) {
      c.noalias() = a * b.transpose();
    } else {
      c.noalias() = a * b;
    }
    benchmark::ClobberMemory();
  }
  Report(state, p);
}

void RegisterAll() {
  const Product products[] = {
      {512, 512, 512, false}, {1024, 1024, 1024, false}, {128, 128, 128, false},
      {1, 256, 512, true},    {1, 512, 256, false},      {32, 256, 512, true},
      {64, 256, 1024, true},  {128, 256, 256, true},     {16, 120, 256, true},
      {256, 256, 512, true},  {256, 120, 256, true},     {256, 10, 84, true}};
  for (const Product& p : products) {
    const std::string name = std::to_string(p.m) + "x" + std::to_string(p.n) + "x" +
                             std::to_string(p.k) + (p.dense ? "/dense" : "");
    benchmark::RegisterBenchmark(("tandem/" + name).c_str(), Ours, p);
    benchmark::RegisterBenchmark(("eigen/" + name).c_str(), Eigens, p);
  }
}

}  // namespace
}  // namespace tandem::cpu_backend

int main(int argc, char** argv) {
  tandem::cpu_backend::RegisterAll();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
