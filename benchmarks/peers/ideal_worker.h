// The limit as a worker of the peer benchmark: the loops of ideal_kernels.h, on threads that wait by
// spinning, for the MLP at batch 1 and the elementwise chains. Of two ways to do the same the faster
// one, which depends on the machine, is chosen when the workload is loaded.
//
// Thread rules: one thread.
#ifndef TANDEM_BENCHMARKS_PEERS_IDEAL_WORKER_H_
#define TANDEM_BENCHMARKS_PEERS_IDEAL_WORKER_H_

#include "absl/strings/string_view.h"
#include "tandem/benchmarks/peers/worker.h"

namespace tandem::benchmarks {

inline constexpr absl::string_view kIdeal = "ideal";

Loader IdealLoader();

}  // namespace tandem::benchmarks

#endif  // TANDEM_BENCHMARKS_PEERS_IDEAL_WORKER_H_
