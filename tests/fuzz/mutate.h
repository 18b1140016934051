// Damaged copies of an input, for tests that a reader survives any bytes.
//
// Why not a fuzzing engine: these tests run in every build, in seconds, and must give the same
// cases on every machine. A case is its seed; a failing one is repeated by its seed alone.
//
//   for (uint64_t seed = 0; seed < 2000; ++seed) {
//     SCOPED_TRACE(absl::StrCat("seed ", seed));
//     const std::string damaged = Mutate(good_file, seed);
//     absl::StatusOr<Model> model = Load(damaged);  // a Status or a model, never an abort
//   }
//
// Thread rules: pure functions.
#ifndef TANDEM_TESTS_FUZZ_MUTATE_H_
#define TANDEM_TESTS_FUZZ_MUTATE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>

#include "absl/strings/string_view.h"

namespace tandem::fuzz {

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014):
// the same numbers with every standard library, unlike the distributions of <random>.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // In [0, bound); 0 if bound is 0. The bias of the remainder does not matter here.
  size_t Below(size_t bound) { return bound == 0 ? 0 : Next() % bound; }

 private:
  uint64_t state_;
};

namespace internal {

// Numbers that readers get wrong: borders of the integer types, as text.
inline constexpr absl::string_view kNumbers[] = {"-1",
                                                 "0",
                                                 "1",
                                                 "255",
                                                 "65536",
                                                 "2147483647",
                                                 "2147483648",
                                                 "-2147483649",
                                                 "4294967296",
                                                 "9223372036854775807",
                                                 "9223372036854775808",
                                                 "-9223372036854775808",
                                                 "18446744073709551616",
                                                 "1e308",
                                                 "1e999",
                                                 "NaN"};

// Texts with a meaning in our formats.
inline constexpr absl::string_view kTokens[] = {"{",
                                                "}",
                                                "[",
                                                "]",
                                                "\"",
                                                ",",
                                                ":",
                                                "(",
                                                ")",
                                                "%",
                                                "->",
                                                "null",
                                                "true",
                                                "\\u0000",
                                                "\\ud800",
                                                "[[[[[[[[[[[[[[[[",
                                                "{\"a\":{\"a\":{\"a\":",
                                                "\n",
                                                "\xff\xfe",
                                                "=",
                                                "<",
                                                ">",
                                                "inf",
                                                "f32[2,2]"};

inline void OverwriteNumber(Random& random, std::string* text) {
  const size_t start = random.Below(text->size());
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto first = std::find_if(text->begin() + start, text->end(), digit);
  if (first == text->end()) return;
  const auto last = std::find_if_not(first, text->end(), digit);
  const absl::string_view number = kNumbers[random.Below(std::size(kNumbers))];
  text->replace(first, last, number.begin(), number.end());
}

inline void OverwriteBinaryInteger(Random& random, std::string* bytes) {
  static constexpr uint64_t kValues[] = {
      0,          1,          0x7F,      0x80,       0xFF,       0x7FFFFFFF,    0x80000000,
      0xFFFFFFFF, 1ull << 40, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 7};
  const uint64_t value = kValues[random.Below(std::size(kValues))];
  const size_t size = size_t{1} << random.Below(4);
  if (bytes->size() < size) return;
  std::memcpy(&(*bytes)[random.Below(bytes->size() - size + 1)], &value, size);
}

inline void MutateOnce(Random& random, std::string* bytes) {
  const size_t size = bytes->size();
  if (size == 0) {
    bytes->push_back(static_cast<char>(random.Next()));
    return;
  }
  const size_t at = random.Below(size);
  // Mostly short ranges, sometimes long ones.
  const size_t length =
      std::min(size - at, 1 + random.Below(random.Below(4) == 0 ? size : size_t{24}));
  switch (random.Below(10)) {
    case 0:  // torn
      bytes->resize(at);
      break;
    case 1:
    case 2:
      (*bytes)[at] ^= static_cast<char>(1u << random.Below(8));
      break;
    case 3:
      (*bytes)[at] = static_cast<char>(random.Next());
      break;
    case 4:
      bytes->erase(at, length);
      break;
    case 5: {  // a range, once more elsewhere
      const std::string range = bytes->substr(at, length);
      bytes->insert(random.Below(size + 1), range);
      break;
    }
    case 6: {
      const std::string range = bytes->substr(at, length);
      bytes->replace(random.Below(size - length + 1), length, range);
      break;
    }
    case 7:
      OverwriteNumber(random, bytes);
      break;
    case 8:
      OverwriteBinaryInteger(random, bytes);
      break;
    default: {
      const absl::string_view token = kTokens[random.Below(std::size(kTokens))];
      bytes->insert(at, token.data(), token.size());
    }
  }
}

}  // namespace internal

// `original` with one to four kinds of damage: torn, bits flipped, ranges lost, doubled or moved,
// numbers replaced by borders of their types. The result is at most a few times as long, and may by
// chance be equal to the original.
inline std::string Mutate(absl::string_view original, uint64_t seed) {
  Random random(seed);
  std::string bytes(original);
  const size_t times = 1 + random.Below(4);
  for (size_t i = 0; i < times; ++i) internal::MutateOnce(random, &bytes);
  return bytes;
}

}  // namespace tandem::fuzz

#endif  // TANDEM_TESTS_FUZZ_MUTATE_H_
