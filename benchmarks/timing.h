// Timing of calls that take microseconds: every call on its own, so that percentiles mean something.
//
//   Timing t = TimeCalls([&] { net(x); }, {.seconds = 0.5});
//   t.median_us; t.p10_us; t.p90_us;
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_TIMING_H_
#define TANDEM_BENCHMARKS_TIMING_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace tandem::benchmarks {

struct Timing {
  double median_us = 0;
  double p10_us = 0;
  double p90_us = 0;
  int64_t calls = 0;
};

struct TimingOptions {
  double seconds = 0.5;
  int64_t warm_up_calls = 10;
  int64_t min_calls = 10;
};

inline double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

inline Timing Summarize(std::vector<double> us) {
  Timing timing;
  timing.calls = static_cast<int64_t>(us.size());
  if (us.empty()) return timing;
  std::sort(us.begin(), us.end());
  const auto at = [&](double part) { return us[static_cast<size_t>(part * (us.size() - 1))]; };
  timing.median_us = at(0.5);
  timing.p10_us = at(0.1);
  timing.p90_us = at(0.9);
  return timing;
}

// Microseconds a call, one value for each sample. Short calls are timed several at a time, so that
// reading the clock is not part of what is measured.
template <typename Fn>
std::vector<double> CollectCalls(Fn&& fn, const TimingOptions& options) {
  constexpr double kSampleUs = 50;
  for (int64_t i = 0; i < options.warm_up_calls; ++i) fn();
  const auto first = std::chrono::steady_clock::now();
  fn();
  const auto calls =
      static_cast<int64_t>(std::clamp(kSampleUs / (MicrosecondsSince(first) + 0.01), 1.0, 1e3));
  std::vector<double> us;
  const auto start = std::chrono::steady_clock::now();
  while (static_cast<int64_t>(us.size()) < options.min_calls ||
         MicrosecondsSince(start) < options.seconds * 1e6) {
    const auto sample = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < calls; ++i) fn();
    us.push_back(MicrosecondsSince(sample) / calls);
  }
  return us;
}

template <typename Fn>
Timing TimeCalls(Fn&& fn, const TimingOptions& options = {}) {
  return Summarize(CollectCalls(fn, options));
}

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_TIMING_H_
