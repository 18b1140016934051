// From a traced block to a model on disk. Not for users: HybridBlock::Export.
#ifndef TANDEM_FRONTENDS_CPP_MODEL_FILE_H_
#define TANDEM_FRONTENDS_CPP_MODEL_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {
class HybridBlock;
struct ExportOptions;
}  // namespace tandem

namespace tandem::internal {

absl::Status WriteModel(const HybridBlock& block, const TracedGraph& traced,
                        const std::string& prefix, int epoch, const ExportOptions& options);

}  // namespace tandem::internal

#endif  // TANDEM_FRONTENDS_CPP_MODEL_FILE_H_
