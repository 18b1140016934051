#include "tandem/benchmarks/peers/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tandem/benchmarks/peers/ideal_worker.h"
#include "tandem/benchmarks/peers/tandem_worker.h"
#include "tandem/benchmarks/timing.h"

namespace tandem::benchmarks {
namespace {

Timing TimingOf(const Case& c) {
  std::vector<double> all;
  for (const std::vector<double>& round : c.rounds)
    all.insert(all.end(), round.begin(), round.end());
  return Summarize(std::move(all));
}

bool IsPeer(const Case& c) { return c.system != kIdeal && !absl::StartsWith(c.system, "tandem-"); }

std::string WorkloadName(const std::string& net, int64_t batch) {
  return absl::StrCat(net, ":", batch);
}

}  // namespace

Ratio Report::RatioOf(const Case& c) const {
  for (const Case& base : cases_) {
    if (base.system != kTandemStatic || base.net != c.net || base.batch != c.batch ||
        base.threads != c.threads) {
      continue;
    }
    std::vector<double> ratios;
    for (size_t round = 0; round < std::min(base.rounds.size(), c.rounds.size()); ++round) {
      const double tandem_us = Summarize(base.rounds[round]).median_us;
      if (tandem_us > 0) ratios.push_back(Summarize(c.rounds[round]).median_us / tandem_us);
    }
    if (ratios.empty()) return {};
    std::sort(ratios.begin(), ratios.end());
    return {ratios[ratios.size() / 2], ratios.front(), ratios.back()};
  }
  return {};
}

bool Report::IsLoss(const Case& c) const {
  const Ratio ratio = RatioOf(c);
  return IsPeer(c) && ratio.median > 0 && ratio.median < 1;
}

void Report::PrintTable(std::ostream& out) const {
  out << absl::StreamFormat("%-20s %7s  %-18s %11s %11s %11s  %-22s %s\n", "net:batch", "threads",
                            "system", "us", "p10", "p90", "against tandem-static", "error");
  std::string last;
  for (const Case& c : cases_) {
    const std::string name = WorkloadName(c.net, c.batch);
    const std::string key = absl::StrCat(name, " ", c.threads);
    if (!last.empty() && key != last) out << "\n";
    last = key;
    const Timing timing = TimingOf(c);
    const Ratio ratio = RatioOf(c);
    std::string against;
    if (ratio.median > 0 && c.system != kTandemStatic) {
      against = absl::StrFormat("%.2fx (%.2f to %.2f)", ratio.median, ratio.low, ratio.high);
    }
    out << absl::StreamFormat("%-20s %7d  %-18s %11.2f %11.2f %11.2f  %-22s %.0e%s\n", name,
                              c.threads, c.system, timing.median_us, timing.p10_us, timing.p90_us,
                              against, c.max_error, IsLoss(c) ? "   LOSS" : "");
  }
  int64_t losses = 0, comparisons = 0;
  std::string versions;
  for (const Case& c : cases_) {
    losses += IsLoss(c);
    comparisons += IsPeer(c) && RatioOf(c).median > 0;
    const std::string version = absl::StrCat("  ", c.system, ": ", c.version, "\n");
    if (!absl::StrContains(versions, version)) versions += version;
  }
  out << "\nversions\n" << versions;
  if (!absences_.empty()) out << "\nnot timed\n";
  PrintAbsences(out);
  out << absl::StreamFormat("\n%d comparisons with peers, %d of them losses\n", comparisons,
                            losses);
}

// One line for each reason.
void Report::PrintAbsences(std::ostream& out) const {
  std::vector<std::pair<std::string, std::string>> lines;  // system and reason, its workloads
  for (const Absence& a : absences_) {
    const std::string key = absl::StrFormat("  %s, %d thread%s: %s", a.system, a.threads,
                                            a.threads == 1 ? "" : "s", a.reason);
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&](const auto& known) { return known.first == key; });
    if (line == lines.end()) line = lines.insert(lines.end(), {key, ""});
    if (!a.net.empty()) absl::StrAppend(&line->second, " ", WorkloadName(a.net, a.batch));
  }
  for (const auto& [key, workloads] : lines) {
    out << key << (workloads.empty() ? "" : absl::StrCat(" (", workloads.substr(1), ")")) << "\n";
  }
}

void Report::PrintJson(std::ostream& out) const {
  using nlohmann::ordered_json;
  ordered_json cases = ordered_json::array();
  for (const Case& c : cases_) {
    const Timing timing = TimingOf(c);
    const Ratio ratio = RatioOf(c);
    ordered_json item = {{"net", c.net},         {"batch", c.batch},     {"threads", c.threads},
                         {"system", c.system},   {"version", c.version}, {"us", timing.median_us},
                         {"p10", timing.p10_us}, {"p90", timing.p90_us}};
    if (ratio.median > 0) {
      item["ratio"] = ratio.median;
      item["ratio_low"] = ratio.low;
      item["ratio_high"] = ratio.high;
    }
    item["loss"] = IsLoss(c);
    item["max_error"] = c.max_error;
    cases.push_back(std::move(item));
  }
  ordered_json absent = ordered_json::array();
  for (const Absence& a : absences_) {
    ordered_json item = {{"system", a.system}, {"threads", a.threads}};
    if (!a.net.empty()) {
      item["net"] = a.net;
      item["batch"] = a.batch;
    }
    item["reason"] = a.reason;
    absent.push_back(std::move(item));
  }
  const ordered_json all = {{"cases", cases}, {"absent", absent}};
  // A worker's words may be anything.
  out << all.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
}

}  // namespace tandem::benchmarks
