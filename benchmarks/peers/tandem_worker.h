// Tandem as a worker of the peer benchmark: what the peers are compared with.
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_PEERS_TANDEM_WORKER_H_
#define TANDEM_BENCHMARKS_PEERS_TANDEM_WORKER_H_

#include "absl/strings/string_view.h"
#include "tandem/benchmarks/peers/worker.h"

namespace tandem::benchmarks {

inline constexpr absl::string_view kTandemEager = "tandem-eager";    // imperative
inline constexpr absl::string_view kTandemStatic = "tandem-static";  // static_alloc, static_shape

// The answer to `load` of one of the two systems above.
Loader TandemLoader(absl::string_view system);

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_TANDEM_WORKER_H_
