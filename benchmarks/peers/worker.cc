#include "tandem/benchmarks/peers/worker.h"

#include <algorithm>
#include <exception>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tandem/benchmarks/timing.h"

namespace tandem::benchmarks {
namespace {

// Libraries put whole call stacks into their errors.
std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text.substr(0, 500), {{"\n", " "}});
}

// Runs `work`, with exceptions as a status.
template <typename Work>
absl::Status Guarded(Work&& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    return absl::InternalError(e.what());
  }
}

absl::Status Load(std::istream& line, const Loader& loader, Call* call) {
  LoadRequest request;
  if (!(line >> request.net >> request.batch >> request.threads >> std::ws) ||
      !std::getline(line, request.folder)) {
    return absl::InvalidArgumentError("load takes a net, a batch, threads and a folder");
  }
  // What the last network had is let go of first.
  *call = nullptr;
  return Guarded([&] {
    absl::StatusOr<Call> loaded = loader(request);
    if (loaded.ok()) *call = *std::move(loaded);
    return loaded.status();
  });
}

absl::Status Time(std::istream& line, const Call& call, std::vector<double>* us) {
  double seconds = 0;
  if (!(line >> seconds)) return absl::InvalidArgumentError("time takes seconds");
  if (call == nullptr) return absl::FailedPreconditionError("nothing is loaded");
  return Guarded([&] {
    *us = CollectCalls(call, {.seconds = seconds, .warm_up_calls = 2, .min_calls = 3});
    return absl::OkStatus();
  });
}

}  // namespace

int ServeWorker(const std::string& version, const Loader& loader, std::istream& in,
                std::ostream& out) {
  out << "ready " << OneLine(version) << std::endl;
  Call call;
  std::string text;
  while (std::getline(in, text)) {
    std::istringstream line(text);
    std::string request;
    line >> request;
    absl::Status status;
    if (request == "load") {
      status = Load(line, loader, &call);
      if (status.ok()) out << "loaded";
    } else if (request == "time") {
      std::vector<double> us;
      status = Time(line, call, &us);
      if (status.ok()) {
        out << "us";
        for (double sample : us) out << ' ' << sample;
      }
    } else {
      status = absl::InvalidArgumentError(absl::StrCat("unknown request '", request, "'"));
    }
    if (absl::IsUnimplemented(status)) {
      out << "unsupported " << OneLine(status.message());
    } else if (!status.ok()) {
      out << "error " << OneLine(status.ToString());
    }
    out << std::endl;
  }
  return 0;
}

}  // namespace tandem::benchmarks
