// Models on disk: a graph, its parameters, and how to call it.
//
//   Model model{.graph = graph, .parameters = {{"dense0_weight", weight}}};
//   TANDEM_RETURN_IF_ERROR(SaveModel(model, "mlp", /*epoch=*/0));
//   // mlp-symbol.json (readable with `head`), mlp-0000.params (safetensors)
//   TANDEM_ASSIGN_OR_RETURN(Model same, LoadModel("mlp-symbol.json", "mlp-0000.params", *device,
//                                                 OpRegistry::Global()));
//
// Three forms on disk, told apart by content and never by name: JSON (the default), the same
// message as binary protobuf, and one packed file with everything. docs/format.md describes them
// for readers in other languages.
//
// A model is data: to load one reads the named files, puts tensors on the device, and touches
// nothing else. Any bytes may be in a file: a reader checks every size against the bytes that are
// there before it allocates, takes at most 4 times the size of the files and 64 MB, and answers
// with a Status.
//
// Thread rules: pure functions, from any thread. Two writers of one path leave the file of one of
// them.
#ifndef TANDEM_SERIALIZATION_NATIVE_MODEL_H_
#define TANDEM_SERIALIZATION_NATIVE_MODEL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/serialization/native/byte_source.h"
#include "tandem/serialization/native/safetensors.h"

namespace tandem {

// The newest version. LoadModel reads 1.0 up to it; SaveModel writes the oldest one that can hold the
// model, so that older readers read what they can: 1.1 if the graph has bodies, else 1.0.
inline constexpr int kFormatMajor = 1;
inline constexpr int kFormatMinor = 1;

// A block of the net that was traced: for people, and for front ends that build it again.
struct BlockInfo {
  std::string name;     // full path: "lenet0/conv0"
  std::string type;     // class: "Conv2D"
  int32_t parent = -1;  // index of a block before this one; -1 for the root
  std::vector<std::pair<std::string, std::string>> config;  // constructor arguments, as text
  std::vector<std::string> parameters;  // its own ones: names of inputs of the graph
};

struct Model {
  // With the shapes of its trace.
  Graph graph;
  // A tensor for every input of kind parameter, state and capture, by name. A loaded model has them
  // in the order of the graph's inputs. (A random state is not stored: who runs the model seeds
  // it.)
  std::vector<NamedTensor> parameters;
  // For each argument, in order: its shape, kDynamic where each call may have another size. Empty
  // when saving: SaveOptions decides. A loaded model always has it.
  std::vector<Shape> signature;
  // Parents before children. May be empty.
  std::vector<BlockInfo> blocks;
};

struct SaveOptions {
  // Write `<prefix>-symbol.pb` (protobuf's binary encoding) instead of the JSON.
  bool binary = false;
  // Write one file `<prefix>.tandem` with everything: a safetensors file with the JSON among its
  // metadata.
  bool packed = false;
  // Where the model has no signature: axis 0 of every argument (the batch) may differ from call to
  // call.
  bool dynamic_batch = true;
};

// Where SaveModel writes. `params` is empty for a packed model.
struct ModelPaths {
  std::string symbol;
  std::string params;
};
// INVALID_ARGUMENT for a negative epoch, or binary and packed at once.
absl::StatusOr<ModelPaths> PathsOfModel(absl::string_view prefix, int epoch,
                                        const SaveOptions& options = {});

// Writes the files, each at once or not at all (atomic_file.h), the parameters first.
// INVALID_ARGUMENT names the input whose tensor is missing, given twice, or unlike the graph's; the
// signature or block that cannot be; text that is not UTF-8.
absl::Status SaveModel(const Model& model, absl::string_view prefix, int epoch = 0,
                       const SaveOptions& options = {});

struct LoadOptions {
  // False: take tensors whose checksum differs, such as those that another program changed.
  bool verify_checksums = true;
};

// Reads a model and puts its tensors on `device`. An empty `params_path`: a packed model brings its
// parameters; of another one only the graph is read, `parameters` stays empty, and constants that
// stand in the parameter file are an error. With a packed model, a `params_path` takes the place of
// its own parameters.
//
// NOT_FOUND: no such file. INVALID_ARGUMENT: not a model, or one that is inconsistent; the text
// names the node, tensor or block. UNIMPLEMENTED: an op that `registry` does not have, or a newer
// version of the format (says which). DATA_LOSS: torn, or a checksum differs (names the tensor).
// RESOURCE_EXHAUSTED: it would take more memory than allowed.
absl::StatusOr<Model> LoadModel(absl::string_view symbol_path, absl::string_view params_path,
                                Device& device, const OpRegistry& registry,
                                const LoadOptions& options = {});

// The same from bytes that are anywhere. `params` may be null.
absl::StatusOr<Model> LoadModel(const ByteSource& symbol, const ByteSource* params, Device& device,
                                const OpRegistry& registry, const LoadOptions& options = {});

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_MODEL_H_
