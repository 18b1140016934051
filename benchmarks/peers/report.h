// The results of the peer benchmark, as a table and as JSON.
//
//   Report report;
//   report.Add({.net = "mlp", .batch = 1, .threads = 1, .system = "onnxruntime", …});
//   report.PrintTable(std::cout);
//
// Ratios are those to tandem-static, within one round, so that a machine that drifts slows both.
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_PEERS_REPORT_H_
#define TANDEM_BENCHMARKS_PEERS_REPORT_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace tandem::benchmarks {

// One system on one workload.
struct Case {
  std::string net;
  int64_t batch = 0;
  int threads = 0;
  std::string system;
  std::string version;
  double max_error = 0;                     // see LargestError
  std::vector<std::vector<double>> rounds;  // microseconds a call of each sample
};

// What was not timed, and why: a system, or (with a net) a system on one workload.
struct Absence {
  std::string system;
  int threads = 0;
  std::string net;
  int64_t batch = 0;
  std::string reason;
};

// Of a case's times to those of tandem-static: above 1, Tandem is faster.
struct Ratio {
  double median = 0;  // 0: there is nothing to compare with
  double low = 0, high = 0;
};

class Report {
 public:
  void Add(Case c) { cases_.push_back(std::move(c)); }
  void Add(Absence absence) { absences_.push_back(std::move(absence)); }

  const std::vector<Case>& cases() const { return cases_; }
  // Round by round, of the medians.
  Ratio RatioOf(const Case& c) const;
  // A peer, not a limit and not Tandem itself, that is faster than tandem-static.
  bool IsLoss(const Case& c) const;

  void PrintTable(std::ostream& out) const;
  // {"cases": [{"net", "batch", "threads", "system", "version", "us", "p10", "p90", "ratio",
  // "ratio_low", "ratio_high", "loss", "max_error"}, …], "absent": [{"system", "threads", "net",
  // "batch", "reason"}, …]}
  void PrintJson(std::ostream& out) const;

 private:
  void PrintAbsences(std::ostream& out) const;

  std::vector<Case> cases_;
  std::vector<Absence> absences_;
};

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_REPORT_H_
