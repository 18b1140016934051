// A worker for tests, which needs nothing installed: it copies the expected results.
//
//   fake_peer                  right results, and calls that sleep for 10 µs
//   fake_peer wrong            results without their last bytes' signs
//   fake_peer silent           a result file that is not written
//   fake_peer picky            knows no network but the MLP
//   fake_peer missing          says that it is not installed
//   fake_peer babbles          does not speak the protocol
//   fake_peer dies             ends when it is to load, with exit status 3
//   fake_peer hangs            does not answer when it is to load
//   fake_peer throws           its call throws
//   fake_peer dies-later       ends when it is timed, by a signal

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/benchmarks/peers/worker.h"

namespace tandem::benchmarks {
namespace {

void CopyResults(const LoadRequest& request, bool wrong) {
  std::ifstream in(request.Path(kExpectedFile), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  // The last byte of a float has its sign.
  if (wrong) bytes.back() ^= static_cast<char>(0x80);
  std::ofstream(request.Path(kActualFile), std::ios::binary) << bytes;
}

absl::StatusOr<Call> Load(const std::string& kind, const LoadRequest& request) {
  if (kind == "dies") std::exit(3);
  if (kind == "hangs") pause();
  if (kind == "picky" && request.net != "mlp") return absl::UnimplementedError("only the MLP");
  if (kind != "silent") CopyResults(request, kind == "wrong");
  return Call([kind] {
    if (kind == "dies-later") raise(SIGKILL);
    if (kind == "throws") throw std::runtime_error("out of\nluck");
    std::this_thread::sleep_for(std::chrono::microseconds(10));
  });
}

int Main(const std::string& kind) {
  if (kind == "missing" || kind == "babbles") {
    std::cout << (kind == "missing" ? "missing no such library" : "hello") << std::endl;
    return 0;
  }
  return ServeWorker(
      "1.2", [&](const LoadRequest& request) { return Load(kind, request); }, std::cin, std::cout);
}

}  // namespace
}  // namespace tandem::benchmarks

int main(int argc, char** argv) { return tandem::benchmarks::Main(argc > 1 ? argv[1] : ""); }
