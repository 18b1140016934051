// ArenaPool: arenas that wait for the next run.
//
//   Ref<Buffer> arena = pool.Take();   // null if all are in use: allocate one
//   ...
//   pool.Give(std::move(arena));
//
// The arena used last is kept in one atomic cell, so that a single thread never takes a lock.
// Thread rules: all methods from any thread.
#ifndef TANDEM_GRAPH_EXEC_ARENA_POOL_H_
#define TANDEM_GRAPH_EXEC_ARENA_POOL_H_

#include <atomic>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/buffer.h"

namespace tandem {

class ArenaPool {
 public:
  ArenaPool() = default;
  ArenaPool(const ArenaPool&) = delete;
  ArenaPool& operator=(const ArenaPool&) = delete;
  ~ArenaPool() { Ref<Buffer>::Adopt(first_.exchange(nullptr)); }

  Ref<Buffer> Take() {
    if (Buffer* buffer = first_.exchange(nullptr, std::memory_order_acq_rel)) {
      return Ref<Buffer>::Adopt(buffer);
    }
    LightMutexLock lock(&mutex_);
    if (rest_.empty()) return nullptr;
    Ref<Buffer> buffer = std::move(rest_.back());
    rest_.pop_back();
    return buffer;
  }

  void Give(Ref<Buffer> buffer) {
    Buffer* expected = nullptr;
    if (first_.compare_exchange_strong(expected, buffer.get(), std::memory_order_acq_rel)) {
      buffer.release();
      return;
    }
    LightMutexLock lock(&mutex_);
    rest_.push_back(std::move(buffer));
  }

 private:
  std::atomic<Buffer*> first_{nullptr};
  LightMutex mutex_;
  std::vector<Ref<Buffer>> rest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_ARENA_POOL_H_
