#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/crc32c.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(CheckedMath, OverflowIsAnError) {
  EXPECT_EQ(*CheckedMul(6, 7), 42);
  EXPECT_EQ(CheckedMul(kMax, 2).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CheckedAdd(kMax, 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*CheckedAlignUp(65, 64), 128);
  EXPECT_FALSE(CheckedAlignUp(kMax, 64).ok());
  EXPECT_EQ(DivideRoundUp(7, 3), 3);
}

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(Crc32c("123456789", 9), 0xE3069283u);
  // RFC 3720, appendix B.4.
  const std::string zeros(32, '\0');
  EXPECT_EQ(Crc32c(zeros.data(), zeros.size()), 0x8A9136AAu);
  const std::string ones(32, '\xFF');
  EXPECT_EQ(Crc32c(ones.data(), ones.size()), 0x62A8AB43u);
}

TEST(Crc32c, ContinuesFromAnyPlace) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(i * 37);
  const uint32_t whole = Crc32c(text.data(), text.size());
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = Crc32c(text.data(), cut);
    EXPECT_EQ(Crc32c(text.data() + cut, text.size() - cut, first), whole) << cut;
  }
}

struct Counted : RefCounted {
  explicit Counted(int* alive) : alive(alive) { ++*alive; }
  ~Counted() override { --*alive; }
  int* alive;
};

TEST(Ref, OwnsUntilTheLast) {
  int alive = 0;
  {
    Ref<Counted> a = MakeRef<Counted>(&alive);
    EXPECT_TRUE(a->unique());
    Ref<Counted> b = a;
    EXPECT_FALSE(a->unique());
    Ref<Counted> c = RefFrom(b.get());
    a = nullptr;
    b = std::move(c);
    EXPECT_EQ(alive, 1);
    EXPECT_TRUE(b->unique());
    Ref<RefCounted> base = b;
    EXPECT_FALSE(b->unique());
  }
  EXPECT_EQ(alive, 0);
}

TEST(Ref, CountsAcrossThreads) {
  int alive = 0;
  {
    Ref<Counted> shared = MakeRef<Counted>(&alive);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([shared] {
        for (int k = 0; k < 10000; ++k) Ref<Counted> copy = shared;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(shared->unique());
  }
  EXPECT_EQ(alive, 0);
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}
absl::StatusOr<int> Quarter(int x) {
  TANDEM_ASSIGN_OR_RETURN(const int half, Half(x));
  TANDEM_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusMacros, PropagateTheFirstError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

TEST(StatusMacros, AnnotateKeepsCodeAndPayload) {
  absl::Status status = absl::NotFoundError("x");
  status.SetPayload("url", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "while looking");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(annotated.message(), "while looking: x");
  EXPECT_EQ(*annotated.GetPayload("url"), "payload");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "nothing").ok());
}

}  // namespace
}  // namespace tandem
