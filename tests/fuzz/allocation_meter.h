// How much memory a piece of code takes: peak bytes of operator new on all threads, for tests that
// a reader does not allocate what a damaged file asks for.
//
//   AllocationMeter meter;
//   Load(damaged);
//   EXPECT_LE(meter.peak_bytes(), 4 * damaged.size() + (64 << 20));
//
// Linking this replaces the program's operator new and delete by counting ones, on top of malloc,
// so that sanitizers still see every allocation. One request above kLargestRequest ends the program
// with a message: it is what the test looks for, and would otherwise make the machine swap. Thread
// rules: any; two meters at a time measure the same thing.
#ifndef TANDEM_TESTS_FUZZ_ALLOCATION_METER_H_
#define TANDEM_TESTS_FUZZ_ALLOCATION_METER_H_

#include <cstddef>
#include <cstdint>

namespace tandem::fuzz {

inline constexpr size_t kLargestRequest = size_t{1} << 30;

class AllocationMeter {
 public:
  AllocationMeter();  // starts measuring
  // The most bytes that were in use at once since the start, above what was in use then.
  int64_t peak_bytes() const;

 private:
  int64_t start_;
};

}  // namespace tandem::fuzz

#endif  // TANDEM_TESTS_FUZZ_ALLOCATION_METER_H_
