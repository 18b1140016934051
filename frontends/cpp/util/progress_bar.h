// ProgressBar: how far long work is, how fast it goes, and when it will end.
//
//   ProgressBar bar("epoch 1", 235, "batch");
//   for (...) bar.Advance(1, "loss 0.53");
//   bar.Finish("accuracy 0.87");
//
// On a terminal one line is redrawn:
//   epoch 1 [######------]  50% 118/235 batch, 210/s, 0.6 s left  loss 0.53
// elsewhere (a file, CI) a line appears every few seconds and at the end.
// Thread rules: one thread.
#ifndef TANDEM_FRONTENDS_CPP_UTIL_PROGRESS_BAR_H_
#define TANDEM_FRONTENDS_CPP_UTIL_PROGRESS_BAR_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace tandem {

struct ProgressBarOptions {
  std::FILE* out = stderr;
  // Redraw at most this often; 0: 0.1 s on a terminal, 5 s elsewhere.
  double interval_seconds = 0;
  int width = 24;  // of the bar itself, characters
};

class ProgressBar {
 public:
  using Options = ProgressBarOptions;
  // `total` steps; 0: unknown, then the bar only counts.
  ProgressBar(std::string title, int64_t total, std::string unit = "step", Options options = {});
  // Finishes, if nobody did.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Advance(int64_t steps = 1, const std::string& note = "");
  void Finish(const std::string& note = "");

 private:
  void Draw(bool last);

  const std::string title_;
  const int64_t total_;
  const std::string unit_;
  Options options_;
  bool terminal_;
  int64_t done_ = 0;
  bool finished_ = false;
  std::string note_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_UTIL_PROGRESS_BAR_H_
