// LightMutex: for critical sections of a few instructions on the path of every run.
//
// Distributions build absl::Mutex with deadlock detection, which costs about 80 ns for each lock;
// this one costs about 10 ns. For anything else use absl::Mutex.
//
//   LightMutex mutex_;
//   Tensor value_ ABSL_GUARDED_BY(mutex_);
//   ...
//   LightMutexLock lock(&mutex_);
//
// Thread rules: any thread; not recursive.
#ifndef TANDEM_CORE_BASE_LIGHT_MUTEX_H_
#define TANDEM_CORE_BASE_LIGHT_MUTEX_H_

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace tandem {

class ABSL_LOCKABLE LightMutex {
 public:
  LightMutex() = default;
  LightMutex(const LightMutex&) = delete;
  LightMutex& operator=(const LightMutex&) = delete;
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE LightMutexLock {
 public:
  explicit LightMutexLock(LightMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~LightMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  LightMutexLock(const LightMutexLock&) = delete;
  LightMutexLock& operator=(const LightMutexLock&) = delete;

 private:
  LightMutex* const mutex_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_LIGHT_MUTEX_H_
