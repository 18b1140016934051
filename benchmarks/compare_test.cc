// The driver with Tandem's own workers and fake peers: what it prints, and what it refuses to time.

#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/cpp/runfiles/runfiles.h"

namespace tandem::benchmarks {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;

std::string Runfile(const std::string& path) {
  static const auto* const kRunfiles = bazel::tools::cpp::runfiles::Runfiles::CreateForTest();
  return kRunfiles->Rlocation("tandem/benchmarks/" + path);
}

struct Output {
  std::string text;
  int status;
};

Output Compare(const std::string& flags) {
  const std::string command = absl::StrCat("'", Runfile("compare"), "' ", flags, " 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  Output output;
  char bytes[4096];
  while (const size_t count = fread(bytes, 1, sizeof(bytes), pipe))
    output.text.append(bytes, count);
  output.status = WEXITSTATUS(pclose(pipe));
  return output;
}

// The last line is the object; progress stands before it.
nlohmann::json CompareAsJson(const std::string& flags) {
  const Output output = Compare("--json --seconds=0.001 --rounds=2 " + flags);
  EXPECT_EQ(output.status, 0) << output.text;
  const size_t end = output.text.find_last_not_of('\n');
  const size_t begin = output.text.rfind('\n', end) + 1;
  return nlohmann::json::parse(output.text.substr(begin));
}

// The flag that adds fake peers.
std::string Peers(const std::vector<std::string>& kinds) {
  std::vector<std::string> peers;
  for (const std::string& kind : kinds) {
    peers.push_back(absl::StrCat(kind, "=", Runfile("peers/fake_peer"), " ", kind));
  }
  return absl::StrCat("'--peers=", absl::StrJoin(peers, ","), "' ");
}

std::vector<std::string> SystemsIn(const nlohmann::json& list) {
  std::vector<std::string> systems;
  for (const auto& item : list) systems.push_back(item["system"]);
  return systems;
}

TEST(Compare, AllSystemsAreTimedOrTheirAbsenceTold) {
  // A Python that has none of the peers, wherever the test runs.
  const auto json = CompareAsJson("--only=mlp:1 --python=/no/such/python " + Peers({"right"}));
  EXPECT_THAT(SystemsIn(json["cases"]),
              IsSupersetOf({"tandem-static", "tandem-eager", "ideal", "right"}));
  EXPECT_THAT(SystemsIn(json["absent"]),
              IsSupersetOf({"onnxruntime", "pytorch-eager", "torchscript-frozen"}));
  for (const auto& item : json["absent"]) {
    // Of these one may have been built.
    const char* words = item["system"] == "libtorch" ? "TANDEM_LIBTORCH" : "/no/such/python";
    EXPECT_THAT(item["reason"].get<std::string>(), HasSubstr(words));
  }
  for (const auto& c : json["cases"]) {
    EXPECT_EQ(c["net"], "mlp");
    EXPECT_EQ(c["batch"], 1);
    EXPECT_EQ(c["threads"], 1);
    EXPECT_FALSE(c["version"].get<std::string>().empty());
    EXPECT_GT(c["us"], 0);
    EXPECT_LE(c["p10"], c["us"]);
    EXPECT_GE(c["p90"], c["us"]);
    EXPECT_GT(c["ratio"], 0);
    EXPECT_GE(c["max_error"], 0);
  }
}

TEST(Compare, EveryNetworkRunsAndIsRight) {
  // Each network once, the elementwise chains with a length that is no multiple of anything.
  const auto json = CompareAsJson(
      "--only=mlp:3,lenet:2,resnet18:1,transformer:1,cheap:5003,mixed:5003,mlp-train:5,"
      "lenet-train:3 --systems=tandem-static,tandem-eager,ideal");
  // The ideal loops have the two chains.
  EXPECT_EQ(json["cases"].size(), 8u * 2 + 2);
  EXPECT_THAT(SystemsIn(json["absent"]), AllOf(Each("ideal"), ::testing::SizeIs(6)));
  for (const auto& c : json["cases"]) {
    if (c["system"] != "ideal") {
      EXPECT_LT(c["max_error"], 1e-6) << c;
    }
  }
}

TEST(Compare, WhatIsWrongOrBrokenIsNotTimed) {
  const auto json = CompareAsJson(
      "--only=mlp:1,mlp:2 --systems=tandem-static,right,wrong,silent,missing,babbles,dies,"
      "dies-later,throws " +
      Peers({"right", "wrong", "silent", "missing", "babbles", "dies", "dies-later", "throws"}));
  EXPECT_THAT(SystemsIn(json["cases"]),
              UnorderedElementsAre("tandem-static", "right", "tandem-static", "right"));
  int wrong = 0;
  for (const auto& item : json["absent"]) {
    const std::string reason = item["reason"];
    if (item["system"] == "wrong") {
      EXPECT_THAT(reason, HasSubstr("WRONG RESULT"));
      ++wrong;
    } else if (item["system"] == "missing") {
      EXPECT_THAT(reason, HasSubstr("no such library"));
      // Told once, not for each workload.
      EXPECT_FALSE(item.contains("net"));
    } else if (item["system"] == "throws") {
      EXPECT_THAT(reason, HasSubstr("round 1: "));
    }
  }
  EXPECT_EQ(wrong, 2);
  // Two systems are not there; the other five say so for both workloads, for a process that ended
  // is started again.
  EXPECT_EQ(json["absent"].size(), 2u + 5 * 2);
}

TEST(Compare, PythonsWorkerSaysWhatIsMissing) {
  // Without site-packages.
  const auto json =
      CompareAsJson(absl::StrCat("--only=mlp:1 --systems=bare '--peers=bare=python3 -S ",
                                 Runfile("peers/worker.py"), " onnxruntime'"));
  EXPECT_EQ(json["cases"].size(), 0u);
  ASSERT_EQ(json["absent"].size(), 1u);
  EXPECT_THAT(json["absent"][0]["reason"].get<std::string>(),
              AllOf(HasSubstr("No module named"), HasSubstr("requirements.txt")));
}

TEST(Compare, PrintsATable) {
  const Output output = Compare(
      "--only=cheap:1000 --seconds=0 --rounds=1 --systems=tandem-static,right " + Peers({"right"}));
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("against tandem-static"));
  EXPECT_THAT(output.text, HasSubstr("1 comparisons with peers"));
}

TEST(Compare, RefusesWhatItDoesNotKnow) {
  for (const auto& [flags, words] : std::vector<std::pair<std::string, std::string>>{
           {"--only=vgg:1", "there are mlp, lenet"},
           {"--only=mlp:0", "positive batch"},
           {"--only=mlp", "positive batch"},
           {"--systems=abacus", "there is no abacus"},
           {"--threads=0", "is not between 1 and"},
           {"--threads=100000", "is not between 1 and"},
           {"--rounds=0", "--rounds must be at least 1"},
           {"--peers=abacus", "name=program"},
           {"--worker=abacus", "there is no abacus"}}) {
    const Output output = Compare(flags);
    EXPECT_EQ(output.status, 1) << flags;
    EXPECT_THAT(output.text, HasSubstr(words)) << flags;
  }
}

}  // namespace
}  // namespace tandem::benchmarks
