// The driver's side of the peer benchmark: a worker process, pinned to some cores.
//
//   auto peer = PeerProcess::Start({.program = {"python3", "worker.py", "onnxruntime"}, .cores = {0}});
//   peer->version();
//   absl::Status loaded = peer->Load(request);
//   absl::StatusOr<std::vector<double>> us = peer->Time(0.3);
//
// Between requests the process is stopped (SIGSTOP), so that threads which wait by spinning cost the
// others nothing. It ends with the object, and with its parent. See worker.h for the protocol.
//
// Thread rules: one thread, the one that started it.
#ifndef TANDEM_BENCHMARKS_PEERS_PEER_PROCESS_H_
#define TANDEM_BENCHMARKS_PEERS_PEER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/benchmarks/peers/worker.h"

namespace tandem::benchmarks {

struct PeerOptions {
  std::vector<std::string> program;  // and its arguments; looked up on PATH
  std::vector<int> cores;
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to our own
  double start_seconds = 120;                                         // until it is ready
  double load_seconds = 600;                                          // a compiler may be at work
  double answer_seconds = 120;  // more than it was told to take
};

// The cores that this process may run on, in order.
std::vector<int> AllowedCores();

class PeerProcess {
 public:
  // UNAVAILABLE, with the worker's own words, if what it would run is not installed. NOT_FOUND for a
  // program that is not there.
  static absl::StatusOr<std::unique_ptr<PeerProcess>> Start(const PeerOptions& options);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  const std::string& version() const { return version_; }
  // False once it has ended or was too late; it answers nothing any more then.
  bool alive() const { return pid_ > 0; }

  // UNIMPLEMENTED: it has no such network. INTERNAL: what it said went wrong. UNAVAILABLE: it ended.
  // DEADLINE_EXCEEDED: it took too long, and was ended.
  absl::Status Load(const LoadRequest& request);
  // Microseconds a call, sample by sample.
  absl::StatusOr<std::vector<double>> Time(double seconds);

 private:
  PeerProcess(pid_t pid, int descriptor, const PeerOptions& options)
      : options_(options), pid_(pid), descriptor_(descriptor) {}
  absl::StatusOr<std::string> Request(const std::string& line, double seconds);
  absl::StatusOr<std::string> ReadLine(double seconds);
  absl::Status End(absl::Status why);

  const PeerOptions options_;
  pid_t pid_;
  int descriptor_;  // a socket that is the worker's standard input and output
  std::string buffer_;
  std::string version_;
};

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_PEER_PROCESS_H_
