#include <cstdio>
#include <regex>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "tandem/frontends/cpp/util/benchmark.h"
#include "tandem/frontends/cpp/util/progress_bar.h"

namespace tandem {
namespace {

// R54
TEST(Benchmark, PrintsTextAndSeconds) {
  std::ostringstream out;
  { Benchmark timing("sum of two", out); }
  EXPECT_TRUE(std::regex_match(out.str(), std::regex("sum of two: [0-9]+\\.[0-9]{4} sec\n")))
      << out.str();
}

std::string Drawn(int64_t total, int64_t steps, double interval) {
  std::FILE* file = std::tmpfile();
  {
    ProgressBar bar("epoch 1", total, "batch",
                    {.out = file, .interval_seconds = interval, .width = 4});
    for (int64_t i = 0; i < steps; ++i) bar.Advance(1, "loss 0.5");
    bar.Finish("accuracy 0.9");
  }
  std::string text(std::ftell(file), '\0');
  std::rewind(file);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  return text;
}

TEST(ProgressBar, LinesInAFile) {
  const std::string text = Drawn(4, 4, 1e-9);
  EXPECT_NE(text.find("epoch 1 [##--]  50% 2/4 batch, "), std::string::npos) << text;
  EXPECT_NE(text.find("epoch 1 [####] 100% 4/4 batch, "), std::string::npos) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos) << "no redrawing outside of a terminal";
  EXPECT_EQ(text.substr(text.rfind("  ")), "  accuracy 0.9\n");
}

TEST(ProgressBar, ALongIntervalGivesOneLine) {
  const std::string text = Drawn(1000, 1000, 3600);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(ProgressBar, AnUnknownTotalIsCounted) {
  EXPECT_NE(Drawn(0, 7, 3600).find("epoch 1 7 batch"), std::string::npos);
}

}  // namespace
}  // namespace tandem
