// Names of blocks and parameters: unique, and the same in every run (R17).
//
// A block's name is a prefix for the names below it. A child's comes from its parent: what it was
// registered as ("fc1"), or, in a Sequential, its type and a number ("dense0"). A block without a
// parent is named by its type and a number that counts such blocks in the NameScope.
//
//   HybridSequential net;               // "hybridsequential0"
//   net.Add(Dense(256), Dense(10));     // "hybridsequential0_dense1_weight", …
//   {
//     NameScope scope;                  // counts from 0 again, until the end of the scope
//     HybridSequential other;           // "hybridsequential0"
//   }
//
// Names are settled when they are first used (a forward, a look at the name), so that a block can
// be built before its parent. Thread rules: each thread has its own scopes; outside of them the
// numbers are the process's.
#ifndef TANDEM_FRONTENDS_CPP_NAME_SCOPE_H_
#define TANDEM_FRONTENDS_CPP_NAME_SCOPE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "tandem/core/base/light_mutex.h"

namespace tandem {

class NameScope {
 public:
  // Names get `prefix` in front.
  explicit NameScope(std::string prefix = "");
  ~NameScope();
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

  // "dense0", "dense1", …, in the innermost scope of this thread.
  static std::string Unique(absl::string_view hint);

 private:
  std::string prefix_;
  NameScope* outer_;
  absl::flat_hash_map<std::string, int64_t> counts_;
};

namespace internal {

// Who tells what a name without a parent starts with: "dense".
class HintSource {
 public:
  virtual ~HintSource() = default;
  virtual std::string NameHint() const = 0;
};

// Who a block is, apart from the block, so that a block can be moved while its children and
// parameters know where they belong. The names may be asked for by many threads at once.
class BlockIdentity {
 public:
  explicit BlockIdentity(const HintSource* source) : source_(source) {}

  // The block has moved, or (null) ended.
  void set_source(const HintSource* source) { source_ = source; }
  // Names a root.
  void SetLocal(std::string local);
  // Puts the block below another one, which it tells of its changes from now on. Only the first
  // parent names it.
  void SetParent(const std::shared_ptr<BlockIdentity>& parent, const std::string& local);

  // The full name: "hybridsequential0_dense0". Settles it.
  std::string Name();
  // The name below the parent, or the whole name of a root. Settles it.
  const std::string& Local();

  // Counts changes of the block's structure and of its parameters' roles: compiled graphs of
  // another version are out of date.
  int64_t version() const { return version_.load(std::memory_order_acquire); }
  // One more change, here and in all blocks above.
  void Changed();

 private:
  LightMutex mutex_;
  const HintSource* source_;
  std::string local_;  // constant once `named_`
  std::atomic<bool> named_{false};
  std::weak_ptr<BlockIdentity> parent_;                // who names it
  std::vector<std::weak_ptr<BlockIdentity>> parents_;  // all, the one above too
  std::atomic<int64_t> version_{0};
};

}  // namespace internal
}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_NAME_SCOPE_H_
