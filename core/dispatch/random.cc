#include "tandem/core/dispatch/random.h"

#include "absl/base/attributes.h"
#include "absl/synchronization/mutex.h"

namespace tandem {
namespace {

ABSL_CONST_INIT absl::Mutex mutex(absl::kConstInit);
// Fixed until SeedRandom: a program without a seed is repeatable, too.
RandomOffset generator ABSL_GUARDED_BY(mutex) = {0, 0};

}  // namespace

void SeedRandom(uint64_t seed) {
  absl::MutexLock lock(&mutex);
  generator = {seed, 0};
}

RandomOffset ReserveRandom(int64_t blocks) {
  absl::MutexLock lock(&mutex);
  const RandomOffset start = generator;
  generator.offset += static_cast<uint64_t>(blocks);
  return start;
}

}  // namespace tandem
