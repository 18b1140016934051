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

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

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

// Who a block is, apart from the block, so that a block can be moved while its children and
// parameters know where they belong.
struct BlockIdentity {
  std::string hint;   // "dense"; empty: not known yet
  std::string local;  // the name below the parent, or the whole name of a root; empty: not settled
  std::weak_ptr<BlockIdentity> parent;
  // Counts changes of the block's structure and of its parameters' roles: compiled graphs with
  // another number are out of date.
  std::atomic<int64_t> version{0};

  // The full name: "hybridsequential0_dense0".
  std::string Name();
  // Settled; what BlockScope shows below the parent.
  const std::string& Local();
  // One more change, here and above.
  void Changed();
};

}  // namespace internal
}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_NAME_SCOPE_H_
