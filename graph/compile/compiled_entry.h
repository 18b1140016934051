// CompiledEntry: one function, compiled for one key. What a HybridFunction's cache holds.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<CompiledEntry> entry,
//                           CompiledEntry::Compile(name, body, key, inputs, options));
//   std::string stale;
//   TANDEM_ASSIGN_OR_RETURN(TensorList y, entry->Run(inputs, &stale));
//
// Thread rules: Compile runs user code, so the caller sees to it that one thread at a time does;
// the rest from any thread.
#ifndef TANDEM_GRAPH_COMPILE_COMPILED_ENTRY_H_
#define TANDEM_GRAPH_COMPILE_COMPILED_ENTRY_H_

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/callable.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/compile/compile_key.h"
#include "tandem/graph/compile/explain.h"
#include "tandem/graph/compile/gradient_trace.h"
#include "tandem/graph/compile/hybrid_options.h"
#include "tandem/graph/compile/optimize.h"
#include "tandem/graph/compile/weight_binding.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

// The explanation of an entry; it outlives the entry, so that evicted ones can be explained, too.
class EntryRecord : public RefCounted {
 public:
  EntryRecord(std::string key, std::string reason) {
    explanation_.key = std::move(key);
    explanation_.reason = std::move(reason);
  }
  EntryExplanation Get() const {
    absl::MutexLock lock(&mutex_);
    return explanation_;
  }
  // The first programs are kept; an entry may compile any number of backward programs.
  void Add(ProgramExplanation program) {
    absl::MutexLock lock(&mutex_);
    if (explanation_.programs.size() == kMaxPrograms) return;
    explanation_.programs.push_back(std::move(program));
  }

 private:
  static constexpr size_t kMaxPrograms = 64;

  mutable absl::Mutex mutex_;
  EntryExplanation explanation_ ABSL_GUARDED_BY(mutex_);
};

class CompiledEntry : public RefCounted {
 public:
  // Backward programs that are kept; the least recently used leaves first. There is one for each
  // set of output gradients and of wanted inputs, and each way in which they lie in memory.
  static constexpr size_t kMaxBackwardPrograms = 8;

  // Traces the body (twice with check_trace), optimizes and compiles. `reason` is why.
  static absl::StatusOr<Ref<CompiledEntry>> Compile(const std::string& name, const TraceBody& body,
                                                    CompileKey key, absl::Span<const Tensor> inputs,
                                                    const HybridOptions& options,
                                                    std::string reason);

  ~CompiledEntry() override;

  const CompileKey& key() const { return key_; }
  const TracedGraph& traced() const { return traced_; }
  const Graph& optimized() const { return forward_.optimized; }
  const Executable& executable() const { return *forward_.executable; }
  const Ref<EntryRecord>& record() const { return record_; }
  // What it keeps from run to run: of the forward program and of the backward programs.
  int64_t bytes() const {
    return forward_.executable->bytes() + backward_bytes_.load(std::memory_order_relaxed);
  }
  // `on_resize(entry)` is called when bytes() has changed, on whichever thread that happens. To be
  // set before other threads know the entry.
  void SetOnResize(std::function<void(const CompiledEntry&)> on_resize) {
    on_resize_ = std::move(on_resize);
  }

  // Runs on inputs that fit the key. If a variable is not what it was compiled for, nothing runs,
  // `stale` says so, and the result is ABORTED: compile anew.
  absl::StatusOr<TensorList> Run(absl::Span<const Tensor> inputs, std::string* stale) const;
  absl::StatusOr<DifferentiableRun> RunForGradient(absl::Span<const Tensor> inputs,
                                                   std::string* stale);

 private:
  using Feed = absl::InlinedVector<Tensor, 12>;

  using BackwardKey = std::pair<std::vector<bool>, std::vector<bool>>;
  // A backward graph, compiled for one way in which its inputs lie.
  struct BackwardProgram {
    const BackwardGraph* graph;
    std::vector<Dims> layouts;
    Ref<Executable> executable;
  };

  explicit CompiledEntry(CompileKey key) : key_(std::move(key)) {}
  template <typename T, typename... Args>
  friend Ref<T> MakeRef(Args&&... args);

  // The tensors behind the graph's inputs as they are now: those that variables and captures feed
  // (the others are left undefined), and then those that differ from call to call. Random state is
  // drawn last, once nothing else can go wrong.
  absl::Status GatherWeights(Feed& feed, std::string* stale) const;
  absl::StatusOr<Tensor> GatherOpen(absl::Span<const Tensor> inputs, size_t input) const;
  absl::StatusOr<Ref<const BoundInputs>> BindWeights(std::string* stale) const;
  // Runs on all inputs and writes variables back.
  absl::StatusOr<RunResult> Execute(absl::Span<const Tensor> inputs, Feed& feed,
                                    std::string* stale) const;
  // The gradient graph for output gradients that are `defined`, of the inputs that are `wanted`.
  absl::StatusOr<const BackwardGraph*> BackwardFor(const std::vector<bool>& defined,
                                                   const std::vector<bool>& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Ref<Executable>> BackwardExecutable(const BackwardGraph& backward,
                                                     absl::Span<const Tensor> inputs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gradients of all graph inputs.
  absl::StatusOr<std::vector<Tensor>> RunBackward(absl::Span<const Tensor> feed,
                                                  absl::Span<const Tensor> residuals,
                                                  absl::Span<const Tensor> output_grads,
                                                  const std::vector<bool>& wanted);

  const CompileKey key_;
  HybridOptions options_;
  TracedGraph traced_;
  std::vector<TensorLayout> layouts_;  // of the graph's inputs
  CompiledProgram forward_;
  Ref<EntryRecord> record_;
  // The inputs that differ from call to call; `arguments_only_`: they are the arguments, in order.
  std::vector<size_t> open_;
  bool arguments_only_ = false;
  // Null where runs change variables, or autograd looks at each of them.
  Ref<WeightBinding> weights_;

  absl::Mutex mutex_;
  std::unique_ptr<GradientTrace> gradient_;  // null unless key_.gradient; Backward under mutex_
  // All that were ever asked for: to make one again would add its nodes to the trace again.
  absl::flat_hash_map<BackwardKey, std::unique_ptr<const BackwardGraph>> backwards_
      ABSL_GUARDED_BY(mutex_);
  std::list<BackwardProgram> programs_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  std::atomic<int64_t> backward_bytes_{0};                       // of `programs_`
  std::function<void(const CompiledEntry&)> on_resize_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_COMPILED_ENTRY_H_
