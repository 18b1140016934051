// Benchmark: prints how long a scope took, work on devices included (R54).
//
//   {
//     Benchmark timing("1000 calls");
//     for (int i = 0; i < 1000; ++i) net(x);
//   }                                     // 1000 calls: 0.1234 sec
//
// It waits for the devices before the clock starts and before it stops.
// Thread rules: one thread.
#ifndef TANDEM_FRONTENDS_CPP_UTIL_BENCHMARK_H_
#define TANDEM_FRONTENDS_CPP_UTIL_BENCHMARK_H_

#include <chrono>
#include <iosfwd>
#include <string>

namespace tandem {

class Benchmark {
 public:
  explicit Benchmark(std::string text);  // prints to standard output
  Benchmark(std::string text, std::ostream& out);
  ~Benchmark();
  Benchmark(const Benchmark&) = delete;
  Benchmark& operator=(const Benchmark&) = delete;

  // Seconds so far; waits for the devices.
  double Seconds() const;

 private:
  std::string text_;
  std::ostream& out_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_UTIL_BENCHMARK_H_
