#include "tandem/benchmarks/peers/peer_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::benchmarks {
namespace {

using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PeerProcessTest : public ::testing::Test {
 protected:
  PeerProcessTest() {
    request_ = {"mlp", 1, 1, ::testing::TempDir()};
    std::ofstream(request_.Path(kExpectedFile)) << "bytes";
  }
  static absl::StatusOr<std::unique_ptr<PeerProcess>> Start(const std::string& kind) {
    return PeerProcess::Start({.program = {"benchmarks/peers/fake_peer", kind},
                               .cores = {AllowedCores().at(0)},
                               .start_seconds = 20,
                               .load_seconds = kind == "hangs" ? 0.2 : 20});
  }
  LoadRequest request_;
};

TEST_F(PeerProcessTest, AnswersAgainAndAgain) {
  auto peer = Start("right");
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ((*peer)->version(), "1.2");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*peer)->Load(request_).ok());
    const auto us = (*peer)->Time(0.001);
    ASSERT_TRUE(us.ok()) << us.status();
    EXPECT_THAT(*us, SizeIs(Gt(2u)));
    EXPECT_THAT(*us, Each(Gt(5.0)));  // it sleeps for 10
  }
}

// The state of a process: R, S, T (stopped), …
char StateOf(const std::string& status) { return status[status.find("State:\t") + 7]; }

TEST_F(PeerProcessTest, IsStoppedBetweenRequestsAndPinned) {
  auto peer = Start("right");
  ASSERT_TRUE(peer.ok()) << peer.status();
  // The only child.
  std::ifstream children(absl::StrCat("/proc/self/task/", getpid(), "/children"));
  int pid = 0;
  if (!(children >> pid)) GTEST_SKIP() << "the system does not list children";
  const auto status = [&] {
    std::stringstream text;
    text << std::ifstream(absl::StrCat("/proc/", pid, "/status")).rdbuf();
    return text.str();
  };
  for (int i = 0; i < 500 && StateOf(status()) != 'T'; ++i) usleep(10'000);
  EXPECT_EQ(StateOf(status()), 'T');
  EXPECT_THAT(status(), HasSubstr(absl::StrCat("Cpus_allowed_list:\t", AllowedCores()[0], "\n")));
  EXPECT_TRUE((*peer)->Load(request_).ok());
}

TEST_F(PeerProcessTest, TellsWhyItIsNotThere) {
  EXPECT_THAT(Start("missing").status().ToString(), HasSubstr("no such library"));
  EXPECT_TRUE(absl::IsUnavailable(Start("missing").status()));
  EXPECT_THAT(Start("babbles").status().ToString(), HasSubstr("'hello'"));
  const auto nothing = PeerProcess::Start({.program = {"/no/such/program"}, .cores = {0}});
  EXPECT_TRUE(absl::IsNotFound(nothing.status())) << nothing.status();
  EXPECT_THAT(nothing.status().ToString(), HasSubstr("/no/such/program"));
  EXPECT_TRUE(absl::IsInvalidArgument(PeerProcess::Start({}).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(PeerProcess::Start({.program = {"true"}, .cores = {-1}}).status()));
}

TEST_F(PeerProcessTest, SaysWhatItDoesNotHave) {
  auto peer = Start("picky");
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_FALSE((*peer)->Time(0).ok());
  request_.net = "lenet";
  EXPECT_TRUE(absl::IsUnimplemented((*peer)->Load(request_)));
  request_.net = "mlp";
  EXPECT_TRUE((*peer)->Load(request_).ok());
}

TEST_F(PeerProcessTest, TheEndIsReported) {
  auto peer = Start("dies");
  ASSERT_TRUE(peer.ok()) << peer.status();
  const absl::Status ended = (*peer)->Load(request_);
  EXPECT_TRUE(absl::IsUnavailable(ended)) << ended;
  EXPECT_THAT(ended.ToString(), HasSubstr("exit status 3"));
  EXPECT_FALSE((*peer)->alive());
  EXPECT_TRUE(absl::IsUnavailable((*peer)->Load(request_)));

  peer = Start("dies-later");
  ASSERT_TRUE(peer.ok()) << peer.status();
  ASSERT_TRUE((*peer)->Load(request_).ok());
  EXPECT_THAT((*peer)->Time(0).status().ToString(), HasSubstr("signal 9"));
}

TEST_F(PeerProcessTest, SilenceIsEnded) {
  auto peer = Start("hangs");
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*peer)->Load(request_)));
  EXPECT_FALSE((*peer)->alive());
}

TEST_F(PeerProcessTest, ExceptionsAreErrors) {
  auto peer = Start("throws");
  ASSERT_TRUE(peer.ok()) << peer.status();
  ASSERT_TRUE((*peer)->Load(request_).ok());
  const absl::Status status = (*peer)->Time(0).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("out of luck"));
  EXPECT_TRUE((*peer)->alive());
}

}  // namespace
}  // namespace tandem::benchmarks
