#include "tandem/graph/compile/compile_cache.h"

#include <string>

#include "gtest/gtest.h"

namespace tandem {
namespace {

struct Entry : public RefCounted {
  explicit Entry(int id) : id(id) {}
  int id;
};
using Cache = CompileCache<std::string, Entry>;

TEST(CompileCache, TheLeastRecentlyUsedLeavesFirst) {
  Cache cache({.max_entries = 2});
  cache.Insert("a", MakeRef<Entry>(1), 10);
  cache.Insert("b", MakeRef<Entry>(2), 10);
  EXPECT_EQ(cache.Find("a")->id, 1);
  cache.Insert("c", MakeRef<Entry>(3), 10);
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_EQ(cache.Find("a")->id, 1);
  EXPECT_EQ(cache.Find("c")->id, 3);
  const CacheStats stats = cache.stats();
  EXPECT_EQ(stats.hits, 3);
  EXPECT_EQ(stats.misses, 1);
  EXPECT_EQ(stats.evictions, 1);
  EXPECT_EQ(stats.entries, 2);
  EXPECT_EQ(stats.bytes, 20);
}

TEST(CompileCache, BytesAreBoundedButTheNewestStays) {
  Cache cache({.max_entries = 10, .max_bytes = 100});
  cache.Insert("a", MakeRef<Entry>(1), 60);
  cache.Insert("b", MakeRef<Entry>(2), 60);
  EXPECT_EQ(cache.Peek("a"), nullptr);
  cache.Insert("c", MakeRef<Entry>(3), 1000);
  EXPECT_EQ(cache.Peek("b"), nullptr);
  EXPECT_EQ(cache.Latest()->id, 3);
  EXPECT_EQ(cache.stats().bytes, 1000);
}

TEST(CompileCache, AnEvictedEntryLivesWhileItIsUsed) {
  Cache cache({.max_entries = 1});
  Ref<Entry> entry = MakeRef<Entry>(1);
  cache.Insert("a", entry, 1);
  Ref<Entry> used = cache.Find("a");
  cache.Insert("b", MakeRef<Entry>(2), 1);
  EXPECT_EQ(used->id, 1);
}

TEST(CompileCache, InsertReplacesTheSameKey) {
  Cache cache({.max_entries = 4});
  cache.Insert("a", MakeRef<Entry>(1), 5);
  cache.Insert("a", MakeRef<Entry>(2), 7);
  EXPECT_EQ(cache.Find("a")->id, 2);
  EXPECT_EQ(cache.stats().bytes, 7);
  EXPECT_EQ(cache.stats().evictions, 0);
}

TEST(CompileCache, EraseSparesAnEntryThatTookThePlace) {
  Cache cache({.max_entries = 4});
  const Ref<Entry> stale = MakeRef<Entry>(1);
  const Ref<Entry> fresh = MakeRef<Entry>(2);
  cache.Insert("a", stale, 5);
  cache.Insert("a", fresh, 7);
  cache.Erase("a", *stale);
  EXPECT_EQ(cache.Peek("a"), fresh);
  cache.Erase("a", *fresh);
  cache.Erase("a", *fresh);
  EXPECT_EQ(cache.stats().entries, 0);
  EXPECT_EQ(cache.stats().bytes, 0);
}

TEST(CompileCache, AnEntryThatGrowsPushesOthersOut) {
  Cache cache({.max_entries = 4, .max_bytes = 100});
  const Ref<Entry> a = MakeRef<Entry>(1);
  const Ref<Entry> b = MakeRef<Entry>(2);
  cache.Insert("a", a, 30);
  cache.Insert("b", b, 30);
  cache.Resize("b", *b, 60);
  EXPECT_EQ(cache.stats().bytes, 90);
  EXPECT_EQ(cache.stats().entries, 2);
  cache.Resize("b", *a, 1000);  // not what is there
  EXPECT_EQ(cache.stats().bytes, 90);
  cache.Resize("b", *b, 80);
  EXPECT_EQ(cache.Peek("a"), nullptr);
  EXPECT_EQ(cache.Peek("b"), b);
  EXPECT_EQ(cache.stats().bytes, 80);
  EXPECT_EQ(cache.stats().evictions, 1);
}

}  // namespace
}  // namespace tandem
