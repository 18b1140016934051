#include "tandem/benchmarks/peers/report.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace tandem::benchmarks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report Example() {
  Report report;
  report.Add({.net = "mlp",
              .batch = 1,
              .threads = 1,
              .system = "tandem-static",
              .version = "this",
              .max_error = 0,
              .rounds = {{4, 5, 6}, {10, 10, 10}, {5, 5, 5}}});
  // Slower in every round by another factor; faster in the second.
  report.Add({.net = "mlp",
              .batch = 1,
              .threads = 1,
              .system = "slow",
              .version = "1.0",
              .max_error = 1e-7,
              .rounds = {{10, 10, 10}, {9, 9, 9}, {8, 8, 8}}});
  report.Add({.net = "mlp",
              .batch = 1,
              .threads = 1,
              .system = "fast",
              .version = "\"2\"",
              .max_error = 1e-7,
              .rounds = {{4, 4, 4}, {8, 8, 8}, {6, 6, 6}}});
  report.Add({.net = "mlp",
              .batch = 1,
              .threads = 1,
              .system = "ideal",
              .version = "-",
              .max_error = 0,
              .rounds = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}});
  report.Add({.net = "mlp",
              .batch = 1,
              .threads = 2,
              .system = "fast",
              .version = "\"2\"",
              .max_error = 0,
              .rounds = {{1, 1, 1}}});
  report.Add(Absence{"gone", 1, "", 0, "not installed"});
  report.Add(Absence{"slow", 1, "lenet", 16, "WRONG \xff RESULT"});
  report.Add(Absence{"slow", 1, "lenet", 256, "WRONG \xff RESULT"});
  return report;
}

TEST(Report, RatiosAreTakenWithinRounds) {
  const Report report = Example();
  const Ratio slow = report.RatioOf(report.cases()[1]);
  EXPECT_DOUBLE_EQ(slow.median, 1.6);
  EXPECT_DOUBLE_EQ(slow.low, 0.9);
  EXPECT_DOUBLE_EQ(slow.high, 2.0);
  EXPECT_EQ(report.RatioOf(report.cases()[0]).median, 1);
  // There is no tandem-static on two threads.
  EXPECT_EQ(report.RatioOf(report.cases()[4]).median, 0);
}

TEST(Report, OnlyAFasterPeerIsALoss) {
  const Report report = Example();
  const bool expected[] = {false, false, true, false, false};
  for (size_t i = 0; i < report.cases().size(); ++i) {
    EXPECT_EQ(report.IsLoss(report.cases()[i]), expected[i]) << i;
  }
}

TEST(Report, TheTableLeavesNothingOut) {
  std::ostringstream out;
  Example().PrintTable(out);
  EXPECT_THAT(out.str(), HasSubstr("LOSS"));
  EXPECT_THAT(out.str(), HasSubstr("1.60x (0.90 to 2.00)"));
  EXPECT_THAT(out.str(), HasSubstr("gone, 1 thread: not installed"));
  EXPECT_THAT(out.str(), HasSubstr("slow, 1 thread: WRONG \xff RESULT (lenet:16 lenet:256)\n"));
  EXPECT_THAT(out.str(), HasSubstr("2 comparisons with peers, 1 of them losses"));
  EXPECT_THAT(out.str(), Not(HasSubstr("ideal: \n")));
}

TEST(Report, JsonHasEveryCase) {
  std::ostringstream out;
  Example().PrintJson(out);
  const auto json = nlohmann::json::parse(out.str());
  ASSERT_EQ(json["cases"].size(), 5u);
  const auto& fast = json["cases"][2];
  EXPECT_EQ(fast["net"], "mlp");
  EXPECT_EQ(fast["batch"], 1);
  EXPECT_EQ(fast["threads"], 1);
  EXPECT_EQ(fast["system"], "fast");
  EXPECT_EQ(fast["version"], "\"2\"");
  EXPECT_EQ(fast["us"], 6);
  EXPECT_EQ(fast["p10"], 4);
  EXPECT_EQ(fast["p90"], 8);
  EXPECT_EQ(fast["ratio"], 0.8);
  EXPECT_EQ(fast["loss"], true);
  EXPECT_FALSE(json["cases"][4].contains("ratio"));
  ASSERT_EQ(json["absent"].size(), 3u);
  EXPECT_EQ(json["absent"][0]["reason"], "not installed");
  EXPECT_FALSE(json["absent"][0].contains("net"));
  EXPECT_EQ(json["absent"][1]["batch"], 16);
}

}  // namespace
}  // namespace tandem::benchmarks
