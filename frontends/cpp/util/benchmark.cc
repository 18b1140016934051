#include "tandem/frontends/cpp/util/benchmark.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_format.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

Benchmark::Benchmark(std::string text) : Benchmark(std::move(text), std::cout) {}

Benchmark::Benchmark(std::string text, std::ostream& out) : text_(std::move(text)), out_(out) {
  WaitAll();
  start_ = std::chrono::steady_clock::now();
}

double Benchmark::Seconds() const {
  WaitAll();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

Benchmark::~Benchmark() {
  try {
    out_ << absl::StrFormat("%s: %.4f sec\n", text_, Seconds());
  } catch (const Error& e) {
    // A destructor must not throw; the same error comes again where a result is read.
    out_ << text_ << ": " << e.what() << "\n";
  }
}

}  // namespace tandem
