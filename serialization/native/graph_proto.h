// Graph to message and back.
//
//   std::vector<NamedTensor> stored;  // constants that are too large to stand in the message
//   TANDEM_RETURN_IF_ERROR(GraphToProto(graph, &message, &stored));
//   TANDEM_ASSIGN_OR_RETURN(Graph same, GraphFromProto(message, registry, *device, load));
//
// The graph that comes back is equal: values have the numbers they had. It is built by Graph's own
// methods, so that it is as valid as one that was traced, and the types in the message are compared
// with those that inference gives.
//
// Thread rules: pure functions.
#ifndef TANDEM_SERIALIZATION_NATIVE_GRAPH_PROTO_H_
#define TANDEM_SERIALIZATION_NATIVE_GRAPH_PROTO_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/serialization/native/safetensors.h"
#include "tandem/serialization/proto/model.pb.h"

namespace tandem {

// Constants up to this size stand in the message.
inline constexpr int64_t kMaxInlineConstantBytes = 256;

// INVALID_ARGUMENT names the text that is not UTF-8. Names of `large_constants` differ from each
// other and from those of the graph's inputs.
absl::Status GraphToProto(const Graph& graph, proto::Graph* message,
                          std::vector<NamedTensor>* large_constants);

// Whether a node has a body in an attribute, which files before version 1.1 cannot hold.
bool HasBodies(const Graph& graph);

// Finds the tensor of a constant that does not stand in the message.
using ConstantLoader =
    std::function<absl::StatusOr<Tensor>(absl::string_view name, const TensorSpec& spec)>;

// INVALID_ARGUMENT names the node, input or constant that is wrong, and why: a value that is used
// before it is defined (a cycle), a type that is not the inferred one (both are named), an
// attribute. UNIMPLEMENTED names an op that `registry` does not have, and the most similar one.
absl::StatusOr<Graph> GraphFromProto(const proto::Graph& message, const OpRegistry& registry,
                                     Device& device, const ConstantLoader& load_constant);

// INVALID_ARGUMENT "<what> '<text>' is not UTF-8".
absl::Status CheckUtf8(absl::string_view what, absl::string_view text);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_GRAPH_PROTO_H_
