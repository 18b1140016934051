#include "tandem/frontends/cpp/util/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tandem {
namespace {

double Seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

std::string Duration(double seconds) {
  if (seconds < 60) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 3600) return absl::StrFormat("%d:%02d min", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d h", whole / 3600, whole / 60 % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string title, int64_t total, std::string unit, Options options)
    : title_(std::move(title)),
      total_(total),
      unit_(std::move(unit)),
      options_(options),
      terminal_(isatty(fileno(options.out)) != 0),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {
  if (options_.interval_seconds <= 0) options_.interval_seconds = terminal_ ? 0.1 : 5.0;
}

ProgressBar::~ProgressBar() { Finish(note_); }

void ProgressBar::Advance(int64_t steps, const std::string& note) {
  done_ += steps;
  note_ = note;
  if (Seconds(std::chrono::steady_clock::now() - drawn_) >= options_.interval_seconds) Draw(false);
}

void ProgressBar::Finish(const std::string& note) {
  if (finished_) return;
  finished_ = true;
  note_ = note;
  Draw(true);
}

void ProgressBar::Draw(bool last) {
  const auto now = std::chrono::steady_clock::now();
  const double elapsed = Seconds(now - start_);
  const double rate = elapsed > 0 ? done_ / elapsed : 0;
  std::string line = title_;
  if (total_ > 0) {
    const double part = std::clamp(static_cast<double>(done_) / total_, 0.0, 1.0);
    const int filled = static_cast<int>(part * options_.width);
    absl::StrAppend(&line, " [", std::string(filled, '#'),
                    std::string(options_.width - filled, '-'), "] ",
                    absl::StrFormat("%3.0f%% %d/%d", 100 * part, done_, total_));
  } else {
    absl::StrAppend(&line, " ", done_);
  }
  absl::StrAppend(&line, " ", unit_, absl::StrFormat(", %.3g/s, ", rate));
  if (last || total_ <= 0 || rate <= 0) {
    absl::StrAppend(&line, Duration(elapsed));
  } else {
    absl::StrAppend(&line, Duration(std::max<double>(total_ - done_, 0) / rate), " left");
  }
  if (!note_.empty()) absl::StrAppend(&line, "  ", note_);
  // \r and "erase to the end of the line", so that a shorter line leaves nothing behind.
  std::fprintf(options_.out, terminal_ ? "\r%s\033[K%s" : "%s%s", line.c_str(),
               terminal_ && !last ? "" : "\n");
  std::fflush(options_.out);
  drawn_ = now;
}

}  // namespace tandem
