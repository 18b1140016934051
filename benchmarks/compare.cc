// The peer benchmark: the same networks, with the same weights, on Tandem and on the peers that are
// installed.
//
//   ./bazelw run //benchmarks:compare                                       # a table
//   ./bazelw run //benchmarks:compare -- --json --threads=1,2               # one JSON object
//   ./bazelw run //benchmarks:compare -- --only=mlp:1,cheap:1048576 --systems=tandem-static,ideal
//
// Every system is a process of its own, pinned to the same cores, and stopped while others are timed.
// Tandem writes weights, inputs and its eager results; a system whose results are others is not
// timed. The systems of one workload take turns, round by round, and ratios are taken within rounds.
// peers/workload.h says what is run, peers/worker.h how a worker is asked, peers/requirements.txt
// what Python needs for the peers. docs/performance.md, "Peers", has the rules and a run.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tandem/benchmarks/peers/ideal_worker.h"
#include "tandem/benchmarks/peers/peer_process.h"
#include "tandem/benchmarks/peers/report.h"
#include "tandem/benchmarks/peers/tandem_worker.h"
#include "tandem/benchmarks/peers/worker.h"
#include "tandem/benchmarks/peers/workload.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tools/cpp/runfiles/runfiles.h"

ABSL_FLAG(bool, json, false, "print one JSON object instead of a table");
ABSL_FLAG(std::vector<std::string>, threads, {"1"}, "threads, and cores, of every system");
ABSL_FLAG(int, rounds, 5, "in which the systems take turns");
ABSL_FLAG(double, seconds, 0.3, "of each system in each round");
ABSL_FLAG(std::vector<std::string>, only, {},
          "workloads, as net:batch; empty: those of the published table");
ABSL_FLAG(std::vector<std::string>, systems, {}, "systems to run; empty: all");
ABSL_FLAG(std::string, python, "python3", "interpreter that has the peers' packages");
ABSL_FLAG(std::vector<std::string>, peers, {},
          "more peers, each as name=program and its arguments, separated by spaces; "
          "peers/worker.h says what it has to answer");
ABSL_FLAG(std::string, worker, "", "be the worker for this system; the driver starts it so");

namespace tandem::benchmarks {
namespace {

namespace fs = std::filesystem;

struct System {
  std::string name;
  std::vector<std::string> program;
  std::string remedy = "";  // where the program is not there
};

// A folder that goes with the object, whatever happens.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(fs::temp_directory_path() / absl::StrCat("tandem_compare_", getpid())) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

using Runfiles = bazel::tools::cpp::runfiles::Runfiles;

// All that there are, or those of --systems.
std::vector<System> Systems(const Runfiles& runfiles) {
  std::vector<System> all;
  for (const absl::string_view name : {kTandemStatic, kTandemEager, kIdeal}) {
    all.push_back({std::string(name), {"/proc/self/exe", absl::StrCat("--worker=", name)}});
  }
  const std::string script = runfiles.Rlocation("tandem/benchmarks/peers/worker.py");
  for (const char* name :
       {"onnxruntime", "pytorch-eager", "torchscript-frozen", "pytorch-compile"}) {
    all.push_back({name,
                   {absl::GetFlag(FLAGS_python), script, name},
                   "--python names an interpreter that has it"});
  }
  all.push_back({"libtorch",
                 {runfiles.Rlocation("tandem/benchmarks/peers/libtorch_worker")},
                 "it is built with --repo_env=TANDEM_LIBTORCH=<folder>"});
  for (const std::string& peer : absl::GetFlag(FLAGS_peers)) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(peer, absl::MaxSplits('=', 1));
    if (parts.first.empty() || parts.second.empty()) {
      throw Error(absl::InvalidArgumentError(
          absl::StrCat("--peers takes name=program, it was given '", peer, "'")));
    }
    all.push_back({parts.first, absl::StrSplit(parts.second, ' ')});
  }
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_systems);
  if (wanted.empty()) return all;
  std::vector<System> systems;
  for (const std::string& name : wanted) {
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const System& system) { return system.name == name; });
    if (it == all.end()) {
      throw Error(absl::InvalidArgumentError(absl::StrCat("--systems: there is no ", name)));
    }
    systems.push_back(*it);
  }
  return systems;
}

std::vector<Workload> Workloads() {
  std::vector<Workload> workloads;
  for (const std::string& name : absl::GetFlag(FLAGS_only)) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(name, absl::MaxSplits(':', 1));
    int64_t batch = 0;
    if (!absl::SimpleAtoi(parts.second, &batch)) batch = 0;
    workloads.push_back(Value(FindWorkload(parts.first, batch)));
  }
  return workloads.empty() ? PublishedWorkloads() : workloads;
}

// What the libraries of the peers read when they start. Memory that was freed is kept and used
// again: without it, large outputs cost PyTorch a page fault for each 4 kB.
std::vector<std::pair<std::string, std::string>> Environment(int threads) {
  const std::string count = absl::StrCat(threads);
  return {{"OMP_NUM_THREADS", count},       {"MKL_NUM_THREADS", count},
          {"MALLOC_MMAP_MAX_", "0"},        {"MALLOC_TRIM_THRESHOLD_", "1000000000000"},
          {"MALLOC_TOP_PAD_", "268435456"}, {"THP_MEM_ALLOC_ENABLE", "1"}};
}

class Comparison {
 public:
  Comparison(std::vector<System> systems, int threads, Report* report)
      : systems_(std::move(systems)), threads_(threads), report_(report) {
    const std::vector<int> allowed = AllowedCores();
    if (threads < 1 || threads > static_cast<int>(allowed.size())) {
      throw Error(absl::InvalidArgumentError(absl::StrCat(
          "--threads: ", threads, " is not between 1 and the ", allowed.size(), " cores here")));
    }
    cores_.assign(allowed.begin(), allowed.begin() + threads);
    peers_.resize(systems_.size());
    missing_.resize(systems_.size());
  }

  void Run(const Workload& workload) {
    const TemporaryFolder folder;
    WriteWorkload(workload, folder.path());
    std::vector<std::pair<PeerProcess*, Case>> ready;
    for (size_t i = 0; i < systems_.size(); ++i) {
      std::cerr << "loading " << workload.net << ":" << workload.batch << " on " << systems_[i].name
                << "\n";
      Case c = {workload.net, workload.batch, threads_, systems_[i].name, "", 0, {}};
      const absl::Status status = Prepare(workload, folder.path(), i, &c);
      if (status.ok()) {
        ready.push_back({peers_[i].get(), std::move(c)});
      } else if (!missing_[i]) {
        report_->Add(
            Absence{systems_[i].name, threads_, workload.net, workload.batch, Words(status)});
      }
    }
    for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
      for (auto& [peer, c] : ready) {
        absl::StatusOr<std::vector<double>> us = peer->Time(absl::GetFlag(FLAGS_seconds));
        if (us.ok()) {
          c.rounds.push_back(*std::move(us));
        } else {
          report_->Add(Absence{c.system, threads_, c.net, c.batch,
                               absl::StrCat("round ", round + 1, ": ", Words(us.status()))});
        }
      }
      // One that failed is not asked again, and a part of its rounds is no result.
      ready.erase(std::remove_if(ready.begin(), ready.end(),
                                 [round](const auto& subject) {
                                   return static_cast<int>(subject.second.rounds.size()) <= round;
                                 }),
                  ready.end());
    }
    for (auto& [peer, c] : ready) report_->Add(std::move(c));
  }

 private:
  static std::string Words(const absl::Status& status) { return std::string(status.message()); }

  // Starts the system unless it runs, has it load the workload, and compares its results.
  absl::Status Prepare(const Workload& workload, const std::string& folder, size_t i, Case* c) {
    if (missing_[i]) return absl::UnavailableError("missing");
    if (peers_[i] == nullptr || !peers_[i]->alive()) {
      auto started = PeerProcess::Start(
          {.program = systems_[i].program, .cores = cores_, .environment = Environment(threads_)});
      if (!started.ok()) {
        missing_[i] = true;
        std::string reason = Words(started.status());
        if (!systems_[i].remedy.empty()) absl::StrAppend(&reason, "; ", systems_[i].remedy);
        report_->Add(Absence{systems_[i].name, threads_, "", 0, std::move(reason)});
        return started.status();
      }
      peers_[i] = *std::move(started);
    }
    c->version = peers_[i]->version();
    std::error_code ignored;
    fs::remove(fs::path(folder) / kActualFile, ignored);
    const absl::Status loaded = peers_[i]->Load({workload.net, workload.batch, threads_, folder});
    if (!loaded.ok()) return loaded;
    const absl::StatusOr<double> error = LargestError(workload, folder);
    if (!error.ok()) return error.status();
    if (*error > workload.tolerance) {
      return absl::InvalidArgumentError(absl::StrCat("WRONG RESULT: the largest error is ", *error,
                                                     ", which is above ", workload.tolerance));
    }
    c->max_error = *error;
    return absl::OkStatus();
  }

  const std::vector<System> systems_;
  const int threads_;
  Report* const report_;
  std::vector<int> cores_;
  std::vector<std::unique_ptr<PeerProcess>> peers_;  // null before the first workload
  std::vector<bool> missing_;
};

int RunWorker(const std::string& name) {
  const bool ideal = name == kIdeal;
  if (!ideal && name != kTandemStatic && name != kTandemEager) {
    throw Error(absl::InvalidArgumentError(absl::StrCat("--worker: there is no ", name)));
  }
  return ServeWorker(ideal ? "loops written by hand" : "this one",
                     ideal ? IdealLoader() : TandemLoader(name), std::cin, std::cout);
}

int Main(const std::string& program) {
  if (const std::string name = absl::GetFlag(FLAGS_worker); !name.empty()) return RunWorker(name);
  if (absl::GetFlag(FLAGS_rounds) < 1 || !(absl::GetFlag(FLAGS_seconds) >= 0)) {
    throw Error(absl::InvalidArgumentError("--rounds must be at least 1, --seconds at least 0"));
  }
  std::string error;
  const std::unique_ptr<Runfiles> runfiles(Runfiles::Create(program, &error));
  if (runfiles == nullptr) throw Error(absl::NotFoundError(error));
  const std::vector<System> systems = Systems(*runfiles);
  const std::vector<Workload> workloads = Workloads();
  Report report;
  for (const std::string& text : absl::GetFlag(FLAGS_threads)) {
    int threads = 0;
    if (!absl::SimpleAtoi(text, &threads)) threads = 0;
    Comparison comparison(systems, threads, &report);
    for (const Workload& workload : workloads) comparison.Run(workload);
  }
  if (absl::GetFlag(FLAGS_json)) {
    report.PrintJson(std::cout);
  } else {
    report.PrintTable(std::cout);
  }
  return 0;
}

}  // namespace
}  // namespace tandem::benchmarks

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Times the same networks on Tandem and on its peers.");
  absl::ParseCommandLine(argc, argv);
  try {
    return tandem::benchmarks::Main(argv[0]);
  } catch (const std::exception& e) {
    std::cerr << "compare: " << e.what() << "\n";
    return 1;
  }
}
