// CompileCache: a bounded map from keys to entries; the least recently used leave first.
//
//   CompileCache<CompileKey, Entry> cache({.max_entries = 64});
//   if (Ref<Entry> entry = cache.Find(key)) ...
//   cache.Insert(key, entry, entry->bytes());
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_GRAPH_COMPILE_COMPILE_CACHE_H_
#define TANDEM_GRAPH_COMPILE_COMPILE_CACHE_H_

#include <cstdint>
#include <list>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"

namespace tandem {

struct CacheLimits {
  int64_t max_entries = 64;
  int64_t max_bytes = 0;  // 0: no bound
};

struct CacheStats {
  int64_t hits = 0;
  int64_t misses = 0;
  int64_t evictions = 0;
  int64_t entries = 0;
  int64_t bytes = 0;
};

template <typename Key, typename Value>
class CompileCache {
 public:
  explicit CompileCache(CacheLimits limits) : limits_(limits) {}

  // The most recently used entry, if `matches(entry)`; counts as a hit. No hashing.
  template <typename Matches>
  Ref<Value> FindLast(const Matches& matches) {
    LightMutexLock lock(&mutex_);
    if (order_.empty() || !matches(*order_.front().value)) return nullptr;
    ++stats_.hits;
    return order_.front().value;
  }

  // Null if there is none. Counts a hit or a miss.
  Ref<Value> Find(const Key& key) {
    LightMutexLock lock(&mutex_);
    auto it = map_.find(key);
    if (it == map_.end()) {
      ++stats_.misses;
      return nullptr;
    }
    ++stats_.hits;
    order_.splice(order_.begin(), order_, it->second);
    return it->second->value;
  }

  // The same without counting, and without making it the most recently used.
  Ref<Value> Peek(const Key& key) const {
    LightMutexLock lock(&mutex_);
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : it->second->value;
  }

  // Replaces an entry of the same key. Evicts until the limits hold, but never the new entry.
  void Insert(const Key& key, Ref<Value> value, int64_t bytes) {
    LightMutexLock lock(&mutex_);
    EraseLocked(key);
    order_.push_front({key, std::move(value), bytes});
    map_[key] = order_.begin();
    stats_.bytes += bytes;
    EvictLocked();
  }
  // An entry has another size now. Does nothing if `key` has another entry by now, or none. Evicts
  // until the limits hold; the entry itself leaves only in its turn.
  void Resize(const Key& key, const Value& value, int64_t bytes) {
    LightMutexLock lock(&mutex_);
    auto it = map_.find(key);
    if (it == map_.end() || it->second->value.get() != &value) return;
    stats_.bytes += bytes - it->second->bytes;
    it->second->bytes = bytes;
    EvictLocked();
  }

  // Erases this entry: one that another thread has put in its place since stays.
  void Erase(const Key& key, const Value& value) {
    LightMutexLock lock(&mutex_);
    auto it = map_.find(key);
    if (it != map_.end() && it->second->value.get() == &value) EraseLocked(key);
  }
  void Clear() {
    LightMutexLock lock(&mutex_);
    map_.clear();
    order_.clear();
    stats_.bytes = 0;
  }
  // The most recently used entry, or null.
  Ref<Value> Latest() const {
    LightMutexLock lock(&mutex_);
    return order_.empty() ? nullptr : order_.front().value;
  }
  CacheStats stats() const {
    LightMutexLock lock(&mutex_);
    CacheStats stats = stats_;
    stats.entries = static_cast<int64_t>(order_.size());
    return stats;
  }

 private:
  struct Item {
    Key key;
    Ref<Value> value;
    int64_t bytes;
  };

  void EvictLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (order_.size() > 1 && (static_cast<int64_t>(order_.size()) > limits_.max_entries ||
                                 (limits_.max_bytes > 0 && stats_.bytes > limits_.max_bytes))) {
      const Key oldest = order_.back().key;
      EraseLocked(oldest);
      ++stats_.evictions;
    }
  }
  void EraseLocked(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto it = map_.find(key);
    if (it == map_.end()) return;
    stats_.bytes -= it->second->bytes;
    order_.erase(it->second);
    map_.erase(it);
  }

  const CacheLimits limits_;
  mutable LightMutex mutex_;
  std::list<Item> order_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  absl::flat_hash_map<Key, typename std::list<Item>::iterator> map_ ABSL_GUARDED_BY(mutex_);
  CacheStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_COMPILE_CACHE_H_
