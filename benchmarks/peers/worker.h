// The worker's side of the peer benchmark: a process that runs one system, and what it is told.
//
// A worker speaks lines of text with the driver (//benchmarks:compare), on its standard input and
// output. First it says
//
//   ready <version>              or   missing <reason>
//
// and then answers each request with one line:
//
//   load <net> <batch> <threads> <folder>
//       loaded | unsupported <reason> | error <text>
//     Makes the network with the weights of <folder>/weights.safetensors, runs it once on
//     <folder>/inputs.safetensors, and writes what it gave to <folder>/actual.safetensors, under the
//     names of <folder>/expected.safetensors.
//   time <seconds>
//       us <microseconds a call of one sample> <of the next> …
//     Runs it again and again, for about so long.
//
// The end of its input ends it. In C++:
//
//   int main() {
//     return ServeWorker("1.0", [](const LoadRequest& request) -> absl::StatusOr<Call> {
//       auto net = …;
//       return [net] { net->Run(); };
//     }, std::cin, std::cout);
//   }
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_PEERS_WORKER_H_
#define TANDEM_BENCHMARKS_PEERS_WORKER_H_

#include <cstdint>
#include <functional>
#include <istream>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"

namespace tandem::benchmarks {

struct LoadRequest {
  std::string net;
  int64_t batch = 0;
  int threads = 0;
  std::string folder;

  std::string Path(const std::string& file) const { return folder + "/" + file; }
};

inline constexpr char kWeightsFile[] = "weights.safetensors";
inline constexpr char kInputsFile[] = "inputs.safetensors";
inline constexpr char kExpectedFile[] = "expected.safetensors";
inline constexpr char kActualFile[] = "actual.safetensors";

// Runs the network once, and is done when it returns.
using Call = std::function<void()>;
// UNIMPLEMENTED: the system has no such network. Exceptions are errors as well.
using Loader = std::function<absl::StatusOr<Call>(const LoadRequest&)>;

// Answers requests until the input ends; gives the process' exit status.
int ServeWorker(const std::string& version, const Loader& loader, std::istream& in,
                std::ostream& out);

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_WORKER_H_
