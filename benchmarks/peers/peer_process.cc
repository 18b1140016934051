#include "tandem/benchmarks/peers/peer_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::benchmarks {
namespace {

// What the child tells if it could not become the program.
constexpr int kNoProgram = 127;

absl::Status SystemError(absl::string_view what) { return absl::ErrnoToStatus(errno, what); }

// Runs in the child, between fork and exec: no allocation.
[[noreturn]] void BecomeWorker(char* const* argv, char* const* environment, int descriptor,
                               const cpu_set_t& cores, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  if (sched_setaffinity(0, sizeof(cores), &cores) != 0 || dup2(descriptor, 0) < 0 ||
      dup2(descriptor, 1) < 0) {
    _exit(1);
  }
  execvpe(argv[0], argv, environment);
  _exit(kNoProgram);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// This process' environment with `changes`.
std::vector<std::string> Environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    bool replaced = false;
    for (const auto& [name, value] : changes) {
      replaced |= absl::StartsWith(*entry, absl::StrCat(name, "="));
    }
    if (!replaced) result.push_back(*entry);
  }
  for (const auto& [name, value] : changes) result.push_back(absl::StrCat(name, "=", value));
  return result;
}

}  // namespace

std::vector<int> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

absl::StatusOr<std::unique_ptr<PeerProcess>> PeerProcess::Start(const PeerOptions& options) {
  if (options.program.empty()) return absl::InvalidArgumentError("no program to start");
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (int core : options.cores) {
    if (core < 0 || core >= CPU_SETSIZE) return absl::InvalidArgumentError("no such core");
    CPU_SET(core, &cores);
  }
  std::vector<std::string> program = options.program;
  std::vector<std::string> environment = Environment(options.environment);
  const std::vector<char*> argv = Pointers(program);
  const std::vector<char*> envp = Pointers(environment);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemError("socketpair");
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeWorker(argv.data(), envp.data(), ends[1], cores, parent);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return SystemError("fork");
  }
  std::unique_ptr<PeerProcess> peer(new PeerProcess(pid, ends[0], options));
  TANDEM_ASSIGN_OR_RETURN(std::string line, peer->ReadLine(options.start_seconds));
  absl::string_view words = line;
  if (absl::ConsumePrefix(&words, "missing ")) {
    return peer->End(absl::UnavailableError(words));
  }
  if (!absl::ConsumePrefix(&words, "ready ")) {
    return peer->End(absl::InternalError(absl::StrCat("expected 'ready', it said '", line, "'")));
  }
  peer->version_ = std::string(words);
  kill(pid, SIGSTOP);
  return peer;
}

PeerProcess::~PeerProcess() { (void)End(absl::OkStatus()); }

// Ends the process, and gives `why`; with how it ended, if that was not our doing.
absl::Status PeerProcess::End(absl::Status why) {
  if (!alive()) return why;
  close(descriptor_);
  int status = 0;
  // It may be ending by itself: then its status says more.
  bool ended = false;
  for (int i = 0; i < 50 && absl::IsUnavailable(why) && !ended; ++i) {
    ended = waitpid(pid_, &status, WNOHANG) == pid_;
    if (!ended) usleep(10'000);
  }
  if (!ended) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == kNoProgram) {
    why = absl::NotFoundError(absl::StrCat("'", options_.program[0], "' cannot be run"));
  } else if (WIFSIGNALED(status)) {
    why = absl::UnavailableError(absl::StrCat(why.message(), ", by signal ", WTERMSIG(status)));
  } else if (WEXITSTATUS(status) != 0) {
    why = absl::UnavailableError(
        absl::StrCat(why.message(), ", with exit status ", WEXITSTATUS(status)));
  }
  pid_ = -1;
  return why;
}

absl::StatusOr<std::string> PeerProcess::ReadLine(double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const double left =
        std::chrono::duration<double>(deadline - std::chrono::steady_clock::now()).count();
    pollfd wait = {descriptor_, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::max(0.0, std::ceil(left * 1e3))));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      return End(absl::DeadlineExceededError(absl::StrCat("no answer in ", seconds, " s")));
    }
    char bytes[4096];
    const ssize_t count = ready < 0 ? -1 : read(descriptor_, bytes, sizeof(bytes));
    if (count <= 0) return End(absl::UnavailableError("the process ended"));
    buffer_.append(bytes, count);
  }
}

absl::StatusOr<std::string> PeerProcess::Request(const std::string& line, double seconds) {
  if (!alive()) return absl::UnavailableError("the process has ended");
  kill(pid_, SIGCONT);
  const std::string bytes = line + "\n";
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return End(absl::UnavailableError("the process ended"));
    sent += count;
  }
  absl::StatusOr<std::string> answer = ReadLine(seconds);
  if (alive()) kill(pid_, SIGSTOP);
  if (!answer.ok()) return answer;
  absl::string_view words = *answer;
  if (absl::ConsumePrefix(&words, "unsupported ")) return absl::UnimplementedError(words);
  if (absl::ConsumePrefix(&words, "error ")) return absl::InternalError(words);
  return answer;
}

absl::Status PeerProcess::Load(const LoadRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const std::string answer,
                          Request(absl::StrCat("load ", request.net, " ", request.batch, " ",
                                               request.threads, " ", request.folder),
                                  options_.load_seconds));
  if (answer == "loaded") return absl::OkStatus();
  return End(absl::InternalError(absl::StrCat("expected 'loaded', it said '", answer, "'")));
}

absl::StatusOr<std::vector<double>> PeerProcess::Time(double seconds) {
  TANDEM_ASSIGN_OR_RETURN(const std::string answer, Request(absl::StrCat("time ", seconds),
                                                            seconds + options_.answer_seconds));
  std::istringstream words(answer);
  std::string first;
  words >> first;
  std::vector<double> us;
  double sample = 0;
  while (words >> sample) us.push_back(sample);
  bool valid = first == "us" && !us.empty() && words.eof();
  for (double value : us) valid &= std::isfinite(value) && value > 0;
  if (!valid) {
    return End(absl::InternalError(
        absl::StrCat("expected 'us' and positive times, it said '", answer.substr(0, 100), "'")));
  }
  return us;
}

}  // namespace tandem::benchmarks
