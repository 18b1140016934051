// Every library of third_party/deps.bzl compiles, links and runs.

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/hash/hash.h"
#include "absl/numeric/int128.h"
#include "absl/random/random.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tandem/tests/build/probe.pb.h"

namespace tandem::probe {
namespace {

TEST(ThirdPartyTest, Absl) {
  absl::flat_hash_map<std::string, int> map = {{"a", 1}};
  absl::Mutex mutex;
  bool cleaned = false;
  {
    absl::MutexLock lock(&mutex);
    absl::Cleanup cleanup = [&] { cleaned = true; };
    absl::AnyInvocable<int(absl::Span<const int>)> first = [](auto span) { return span.front(); };
    EXPECT_EQ(first({map.at("a")}), 1);
  }
  EXPECT_TRUE(cleaned);
  absl::BitGen gen;
  EXPECT_LT(absl::Uniform(gen, 0, 10), 10);
  EXPECT_EQ(absl::StrFormat("%d", absl::int128(7)), "7");
  EXPECT_EQ(absl::HashOf(1, 2), absl::HashOf(1, 2));
  EXPECT_EQ(absl::FormatDuration(absl::Seconds(90)), "1m30s");
}

TEST(ThirdPartyTest, Protobuf) {
  Probe probe;
  probe.set_name("x");
  probe.mutable_time()->set_seconds(0);
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(probe, &json).ok());
  EXPECT_EQ(json, R"({"name":"x","time":"1970-01-01T00:00:00Z"})");
}

TEST(ThirdPartyTest, NlohmannJson) {
  EXPECT_EQ(nlohmann::json::parse(R"({"shape": [2, 3]})")["shape"][1], 3);
}

// Bazel puts `data` where a test finds it from its working directory.
TEST(ThirdPartyTest, FashionMnistThroughZlib) {
  gzFile file = gzopen("../fashion_mnist/t10k-images-idx3-ubyte.gz", "rb");
  ASSERT_NE(file, nullptr);
  std::vector<uint8_t> header(8);
  EXPECT_EQ(gzread(file, header.data(), 8), 8);
  gzclose(file);
  EXPECT_EQ(header, (std::vector<uint8_t>{0, 0, 8, 3, 0, 0, 0x27, 0x10}));
}

TEST(ThirdPartyTest, Benchmark) { EXPECT_GT(benchmark::CPUInfo::Get().num_cpus, 0); }

}  // namespace
}  // namespace tandem::probe
