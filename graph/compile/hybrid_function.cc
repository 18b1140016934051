#include "tandem/graph/compile/hybrid_function.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/graph/compile/compile_cache.h"
#include "tandem/graph/compile/compile_key.h"
#include "tandem/graph/compile/compiled_entry.h"
#include "tandem/graph/compile/verify.h"

namespace tandem {
namespace {

// How many traces Explain() remembers.
constexpr size_t kMaxHistory = 256;
// A variable that another thread keeps changing must not keep a call for ever.
constexpr int kMaxAttempts = 4;

}  // namespace

struct HybridFunction::State {
  using Cache = CompileCache<CompileKey, CompiledEntry>;

  State(std::string name, Body body, HybridOptions options)
      : name(std::move(name)),
        body(std::move(body)),
        options(std::move(options)),
        cache_owner(std::make_shared<Cache>(
            CacheLimits{this->options.max_entries, this->options.max_bytes})),
        cache(*cache_owner) {}

  // The entry for a call; compiles it if there is none. `reason`, if not empty, is why an entry
  // that was there did not fit.
  absl::StatusOr<Ref<CompiledEntry>> Find(absl::Span<const Tensor> inputs, bool gradient,
                                          const std::string& reason);
  absl::StatusOr<Ref<CompiledEntry>> Compile(CompileKey key, absl::Span<const Tensor> inputs,
                                             std::string reason);
  std::string ReasonFor(const CompileKey& key);
  absl::Status CheckInputs(absl::Span<const Tensor> inputs) const;
  void WarnOfRetraces(int64_t count, absl::string_view reason);

  // Calls `run(entry, &stale)` with a fitting entry until the variables hold still.
  template <typename Result, typename RunEntry>
  absl::StatusOr<Result> RunEntryOf(absl::Span<const Tensor> inputs, bool gradient,
                                    const RunEntry& run);

  const std::string name;
  const Body body;
  const HybridOptions options;
  // Shared with those entries that a tape keeps alive, which grow when they compile a backward pass.
  const std::shared_ptr<Cache> cache_owner;
  Cache& cache;

  absl::Mutex trace_mutex;  // held while the body runs with symbols
  std::atomic<std::thread::id> tracer{std::thread::id()};

  mutable absl::Mutex mutex;
  std::deque<Ref<EntryRecord>> history ABSL_GUARDED_BY(mutex);
  std::deque<CompileKey> keys ABSL_GUARDED_BY(mutex);  // of `history`
  int64_t traces ABSL_GUARDED_BY(mutex) = 0;
};

absl::Status HybridFunction::State::CheckInputs(absl::Span<const Tensor> inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "': argument ", i, " is undefined"));
    }
  }
  return absl::OkStatus();
}

std::string HybridFunction::State::ReasonFor(const CompileKey& key) {
  absl::MutexLock lock(&mutex);
  if (keys.empty()) return "first call";
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
    return "traced before, but its entry left the cache";
  }
  return key.Difference(keys.back());
}

void HybridFunction::State::WarnOfRetraces(int64_t count, absl::string_view reason) {
  if (options.retrace_warning <= 0 || count != options.retrace_warning) return;
  const std::string text = absl::StrCat(
      "'", name, "' was traced ", count, " times (last: ", reason,
      "); each trace costs far more than a run. Pad to fewer shapes, or pass what changes as a "
      "tensor; Explain() lists all traces");
  if (options.warning_sink) {
    options.warning_sink(text);
  } else {
    std::fprintf(stderr, "tandem: %s\n", text.c_str());
  }
}

absl::StatusOr<Ref<CompiledEntry>> HybridFunction::State::Compile(CompileKey key,
                                                                  absl::Span<const Tensor> inputs,
                                                                  std::string reason) {
  bool first;
  {
    absl::MutexLock lock(&mutex);
    first = history.empty();
  }
  if (options.forbid_retrace && !first) {
    return absl::FailedPreconditionError(absl::StrCat("'", name, "' would be traced again for ",
                                                      key.ToString(), " (", reason,
                                                      "), which forbid_retrace does not allow"));
  }
  // The trace's user code may throw; the thread is let go of all the same.
  struct Tracer {
    explicit Tracer(std::atomic<std::thread::id>& id) : id(id) { id = std::this_thread::get_id(); }
    ~Tracer() { id = std::thread::id(); }
    std::atomic<std::thread::id>& id;
  } tracing(tracer);
  TANDEM_ASSIGN_OR_RETURN(Ref<CompiledEntry> entry,
                          CompiledEntry::Compile(name, body, key, inputs, options, reason));
  int64_t count;
  {
    absl::MutexLock lock(&mutex);
    count = ++traces;
    history.push_back(entry->record());
    keys.push_back(key);
    if (history.size() > kMaxHistory) {
      history.pop_front();
      keys.pop_front();
    }
  }
  entry->SetOnResize([shared = std::weak_ptr<Cache>(cache_owner)](const CompiledEntry& resized) {
    if (const auto locked = shared.lock()) {
      locked->Resize(resized.key(), resized, resized.bytes());
    }
  });
  cache.Insert(key, entry, entry->bytes());
  WarnOfRetraces(count, reason);
  return entry;
}

absl::StatusOr<Ref<CompiledEntry>> HybridFunction::State::Find(absl::Span<const Tensor> inputs,
                                                               bool gradient,
                                                               const std::string& reason) {
  TANDEM_RETURN_IF_ERROR(CheckInputs(inputs));
  CompileKey key = CompileKey::Of(inputs, gradient);
  if (Ref<CompiledEntry> entry = cache.Find(key)) return entry;
  if (tracer.load() == std::this_thread::get_id()) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", name, "' calls itself while it is traced"));
  }
  absl::MutexLock lock(&trace_mutex);
  // Another thread may have compiled it in the meantime.
  if (Ref<CompiledEntry> entry = cache.Peek(key)) return entry;
  return Compile(key, inputs, reason.empty() ? ReasonFor(key) : reason);
}

template <typename Result, typename RunEntry>
absl::StatusOr<Result> HybridFunction::State::RunEntryOf(absl::Span<const Tensor> inputs,
                                                         bool gradient, const RunEntry& run) {
  for (const Tensor& input : inputs) {
    if (!input.defined()) [[unlikely]]
      return CheckInputs(inputs);
  }
  std::string stale;
  Ref<CompiledEntry> entry = cache.FindLast(
      [&](const CompiledEntry& candidate) { return candidate.key().Matches(inputs, gradient); });
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (entry == nullptr) {
      TANDEM_ASSIGN_OR_RETURN(entry, Find(inputs, gradient, stale));
    }
    stale.clear();
    absl::StatusOr<Result> result = run(*entry, &stale);
    if (stale.empty()) return result;
    cache.Erase(entry->key(), *entry);
    entry = nullptr;
  }
  return absl::AbortedError(
      absl::StrCat("'", name, "': its variables keep changing (", stale, ")"));
}

HybridFunction::HybridFunction(std::unique_ptr<State> state) : state_(std::move(state)) {}
HybridFunction::~HybridFunction() = default;

absl::StatusOr<Ref<HybridFunction>> HybridFunction::Create(std::string name, Body body,
                                                           HybridOptions options) {
  TANDEM_RETURN_IF_ERROR(Annotate(options.Validate(), absl::StrCat("'", name, "'")));
  if (!body) return absl::InvalidArgumentError(absl::StrCat("'", name, "' has no body"));
  return MakeRef<HybridFunction>(
      std::make_unique<State>(std::move(name), std::move(body), std::move(options)));
}

std::string HybridFunction::name() const { return state_->name; }
const HybridOptions& HybridFunction::options() const { return state_->options; }

absl::StatusOr<TensorList> HybridFunction::Run(absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (!input.defined() || !input.is_symbolic()) continue;
    // Symbols have no values to run on: the trace they belong to takes the body in.
    Interpreter* const recorder = input.symbol()->interpreter();
    if (recorder == nullptr) return input.symbol()->ValueError(state_->name);
    return recorder->Call(*this, inputs);
  }
  return state_->RunEntryOf<TensorList>(
      inputs, /*gradient=*/false,
      [&](const CompiledEntry& entry, std::string* stale) { return entry.Run(inputs, stale); });
}

absl::StatusOr<DifferentiableRun> HybridFunction::RunForGradient(absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.defined() && input.is_symbolic()) {
      return input.symbol()->ValueError(absl::StrCat("running '", state_->name, "'"));
    }
  }
  return state_->RunEntryOf<DifferentiableRun>(inputs, /*gradient=*/true,
                                               [&](CompiledEntry& entry, std::string* stale) {
                                                 return entry.RunForGradient(inputs, stale);
                                               });
}

absl::StatusOr<TensorList> HybridFunction::Inline(absl::Span<const Tensor> inputs) {
  return state_->body(inputs);
}

absl::Status HybridFunction::Warm(absl::Span<const Tensor> inputs) {
  return state_->Find(inputs, /*gradient=*/false, "").status();
}

absl::StatusOr<TracedGraph> HybridFunction::traced() const {
  const Ref<CompiledEntry> entry = state_->cache.Latest();
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", state_->name, "' has no graph yet: call it once"));
  }
  return entry->traced();
}

absl::StatusOr<Graph> HybridFunction::optimized() const {
  const Ref<CompiledEntry> entry = state_->cache.Latest();
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", state_->name, "' has no graph yet: call it once"));
  }
  return entry->optimized();
}

HybridStats HybridFunction::stats() const {
  const CacheStats cache = state_->cache.stats();
  HybridStats stats{cache.hits, cache.misses, cache.evictions, 0, cache.entries, cache.bytes};
  absl::MutexLock lock(&state_->mutex);
  stats.traces = state_->traces;
  return stats;
}

void HybridFunction::Clear() {
  state_->cache.Clear();
  absl::MutexLock lock(&state_->mutex);
  state_->history.clear();
  state_->keys.clear();
}

Explanation HybridFunction::Explain() const {
  Explanation explanation;
  explanation.function = state_->name;
  absl::MutexLock lock(&state_->mutex);
  for (const Ref<EntryRecord>& record : state_->history) {
    explanation.entries.push_back(record->Get());
  }
  return explanation;
}

absl::Status HybridFunction::Verify(absl::Span<const Tensor> inputs) {
  TANDEM_ASSIGN_OR_RETURN(const Ref<CompiledEntry> entry,
                          state_->Find(inputs, /*gradient=*/false, ""));
  return VerifyAgainstEager(state_->name, state_->body, inputs, entry->traced(), entry->optimized(),
                            entry->executable());
}

}  // namespace tandem
