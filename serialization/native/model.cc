#include "tandem/serialization/native/model.h"

#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/serialization/native/graph_proto.h"
#include "tandem/serialization/native/symbol_file.h"
#include "tandem/serialization/proto/model.pb.h"

namespace tandem {
namespace {

// Under this key the metadata of a packed model holds the JSON of its symbol file.
constexpr char kPackedKey[] = "tandem.model";

std::string Shown(absl::string_view text) { return absl::Utf8SafeCEscape(text.substr(0, 80)); }

bool IsStored(InputKind kind) {
  return kind == InputKind::kParameter || kind == InputKind::kState || kind == InputKind::kCapture;
}

// The model's tensors in the order of the graph's inputs.
absl::StatusOr<std::vector<NamedTensor>> OrderedParameters(const Model& model) {
  absl::flat_hash_map<absl::string_view, const Tensor*> by_name;
  for (const NamedTensor& named : model.parameters) {
    const int32_t input = model.graph.FindInput(named.name);
    if (input < 0 || !IsStored(model.graph.inputs()[input].kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the graph has no parameter, state or capture '", Shown(named.name), "'"));
    }
    if (!by_name.emplace(named.name, &named.tensor).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter '", Shown(named.name), "' is given twice"));
    }
  }
  std::vector<NamedTensor> ordered;
  for (const GraphInput& input : model.graph.inputs()) {
    if (!IsStored(input.kind)) continue;
    const auto it = by_name.find(input.name);
    if (it == by_name.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(InputKindName(input.kind), " '", Shown(input.name), "' has no tensor"));
    }
    const Tensor& tensor = *it->second;
    const TensorSpec& spec = model.graph.spec(input.value);
    if (!tensor.defined() || tensor.spec() != spec) {
      return absl::InvalidArgumentError(
          absl::StrCat(InputKindName(input.kind), " '", Shown(input.name), "' is ", spec.ToString(),
                       " in the graph, its tensor is ",
                       tensor.defined() ? tensor.spec().ToString() : "not defined"));
    }
    ordered.push_back({input.name, tensor});
  }
  return ordered;
}

// A signature fits a traced shape if the ranks agree and every size that is given is the traced
// one.
absl::Status CheckSignature(absl::string_view name, const Shape& traced, const Shape& signature) {
  bool fits = traced.rank() == signature.rank() && !signature.overflowed();
  for (int i = 0; fits && i < traced.rank(); ++i) {
    fits = signature[i] == traced[i] || signature[i] == kDynamic;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("argument '", Shown(name), "': the signature ",
                                                 signature.ToString(), " does not fit the graph's ",
                                                 traced.ToString()));
}

absl::Status SignatureToProto(const Model& model, const SaveOptions& options,
                              proto::Model* message) {
  size_t index = 0;
  for (const GraphInput& input : model.graph.inputs()) {
    if (input.kind != InputKind::kArgument) continue;
    TensorSpec spec = model.graph.spec(input.value);
    if (!model.signature.empty()) {
      if (index >= model.signature.size()) {
        return absl::InvalidArgumentError(absl::StrCat("the signature has ", model.signature.size(),
                                                       " shapes, the graph has more arguments: '",
                                                       Shown(input.name), "'"));
      }
      const Shape& shape = model.signature[index++];
      TANDEM_RETURN_IF_ERROR(CheckSignature(input.name, spec.shape, shape));
      spec.shape = shape;
    } else if (options.dynamic_batch && spec.shape.rank() > 0) {
      spec.shape[0] = kDynamic;
    }
    proto::Argument* argument = message->add_signature();
    argument->set_name(input.name);
    argument->set_type(spec.ToString());
  }
  if (index < model.signature.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the signature has ", model.signature.size(),
                                                   " shapes, the graph ", index, " arguments"));
  }
  return absl::OkStatus();
}

absl::Status CheckParent(int index, int32_t parent) {
  if (parent >= -1 && parent < index && (parent == -1) == (index == 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its parent is ", parent, "; the first block is the root (-1), every other one ",
                   "comes after its parent"));
}

absl::Status CheckBlockParameter(const Graph& graph, absl::string_view name) {
  const int32_t input = graph.FindInput(name);
  if (input >= 0 && IsStored(graph.inputs()[input].kind)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the graph has no parameter '", Shown(name), "'"));
}

absl::Status BlocksToProto(const Model& model, proto::Model* message) {
  for (size_t i = 0; i < model.blocks.size(); ++i) {
    const BlockInfo& block = model.blocks[i];
    const std::string label = absl::StrCat("block '", Shown(block.name), "'");
    TANDEM_RETURN_IF_ERROR(Annotate(CheckParent(static_cast<int>(i), block.parent), label));
    TANDEM_RETURN_IF_ERROR(CheckUtf8("block", block.name));
    TANDEM_RETURN_IF_ERROR(Annotate(CheckUtf8("type", block.type), label));
    proto::Block* out = message->add_blocks();
    out->set_name(block.name);
    out->set_type(block.type);
    out->set_parent(block.parent);
    for (const auto& [key, value] : block.config) {
      TANDEM_RETURN_IF_ERROR(Annotate(CheckUtf8("key", key), label));
      TANDEM_RETURN_IF_ERROR(Annotate(CheckUtf8("value", value), label));
      proto::Config* config = out->add_config();
      config->set_key(key);
      config->set_value(value);
    }
    for (const std::string& parameter : block.parameters) {
      TANDEM_RETURN_IF_ERROR(Annotate(CheckBlockParameter(model.graph, parameter), label));
      out->add_parameters(parameter);
    }
  }
  return absl::OkStatus();
}

// --- reading ---

// The tensors that the symbol file promises, by name, and the file that has them.
class StoredTensors {
 public:
  StoredTensors(const proto::Model& message, const SafetensorsReader* reader, Device& device,
                const LoadOptions& options, absl::string_view symbol_name)
      : reader_(reader), device_(device), options_(options), symbol_name_(symbol_name) {
    for (const proto::StoredTensor& stored : message.tensors()) {
      if (!by_name_.emplace(stored.name(), &stored).second && duplicate_.empty()) {
        duplicate_ = stored.name();
      }
    }
  }

  absl::Status Check() const {
    if (duplicate_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("stored tensor '", Shown(duplicate_), "' stands twice"));
  }

  absl::StatusOr<Tensor> Load(absl::string_view name, const TensorSpec& spec) const {
    const std::string label = absl::StrCat("tensor '", Shown(name), "'");
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(label, " is not among the stored tensors of ", symbol_name_));
    }
    const proto::StoredTensor& stored = *it->second;
    const std::string wanted = spec.ToString();
    if (stored.type() != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(label, " is ", wanted, " in the graph, but ",
                                                     Shown(stored.type()),
                                                     " in the list of stored tensors"));
    }
    if (reader_ == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          label, " stands in the parameter file; give the path of that file (…-0000.params) too"));
    }
    const SafetensorsEntry* entry = reader_->Find(name);
    if (entry == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(reader_->source().name(), " has no ", label,
                                                     " ", wanted, "; does it belong to ",
                                                     symbol_name_, "?"));
    }
    if (entry->spec != spec) {
      return absl::InvalidArgumentError(absl::StrCat(label, " is ", wanted, " in ", symbol_name_,
                                                     ", but ", entry->spec.ToString(), " in ",
                                                     reader_->source().name()));
    }
    return reader_->ReadTensor(*entry, device_, options_.verify_checksums, stored.crc32c());
  }

 private:
  const SafetensorsReader* reader_;
  Device& device_;
  const LoadOptions& options_;
  absl::string_view symbol_name_;
  absl::flat_hash_map<absl::string_view, const proto::StoredTensor*> by_name_;
  std::string duplicate_;
};

absl::Status SignatureFromProto(const proto::Model& message, Model* model) {
  int index = 0;
  for (const GraphInput& input : model->graph.inputs()) {
    if (input.kind != InputKind::kArgument) continue;
    const std::string label = absl::StrCat("argument '", Shown(input.name), "'");
    if (index >= message.signature_size() || message.signature(index).name() != input.name) {
      return absl::InvalidArgumentError(
          absl::StrCat(label, " is not in its place in the signature"));
    }
    const absl::StatusOr<TensorSpec> spec = ParseTensorSpec(message.signature(index++).type());
    if (!spec.ok()) return Annotate(spec.status(), label);
    const TensorSpec& traced = model->graph.spec(input.value);
    if (spec->dtype != traced.dtype) {
      return absl::InvalidArgumentError(absl::StrCat(
          label, ": the signature says ", spec->ToString(), ", the graph ", traced.ToString()));
    }
    TANDEM_RETURN_IF_ERROR(CheckSignature(input.name, traced.shape, spec->shape));
    model->signature.push_back(spec->shape);
  }
  if (index != message.signature_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the signature has ", message.signature_size(),
                                                   " arguments, the graph ", index));
  }
  return absl::OkStatus();
}

absl::Status BlocksFromProto(const proto::Model& message, Model* model) {
  for (const proto::Block& in : message.blocks()) {
    const std::string label = absl::StrCat("block '", Shown(in.name()), "'");
    BlockInfo block;
    block.name = in.name();
    block.type = in.type();
    block.parent = in.parent();
    TANDEM_RETURN_IF_ERROR(
        Annotate(CheckParent(static_cast<int>(model->blocks.size()), block.parent), label));
    for (const proto::Config& config : in.config()) {
      block.config.emplace_back(config.key(), config.value());
    }
    for (const std::string& parameter : in.parameters()) {
      TANDEM_RETURN_IF_ERROR(Annotate(CheckBlockParameter(model->graph, parameter), label));
      block.parameters.push_back(parameter);
    }
    model->blocks.push_back(std::move(block));
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> FromProto(const proto::Model& message, const SafetensorsReader* reader,
                                Device& device, const OpRegistry& registry,
                                const LoadOptions& options, absl::string_view symbol_name) {
  const StoredTensors stored(message, reader, device, options, symbol_name);
  TANDEM_RETURN_IF_ERROR(stored.Check());
  const auto load = [&](absl::string_view name, const TensorSpec& spec) {
    return stored.Load(name, spec);
  };
  Model model;
  TANDEM_ASSIGN_OR_RETURN(model.graph, GraphFromProto(message.graph(), registry, device, load));
  TANDEM_RETURN_IF_ERROR(SignatureFromProto(message, &model));
  TANDEM_RETURN_IF_ERROR(BlocksFromProto(message, &model));
  if (reader == nullptr) return model;
  for (const GraphInput& input : model.graph.inputs()) {
    if (!IsStored(input.kind)) continue;
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor, stored.Load(input.name, model.graph.spec(input.value)));
    model.parameters.push_back({input.name, std::move(tensor)});
  }
  return model;
}

}  // namespace

absl::StatusOr<ModelPaths> PathsOfModel(absl::string_view prefix, int epoch,
                                        const SaveOptions& options) {
  if (prefix.empty()) return absl::InvalidArgumentError("the prefix of a model's files is empty");
  if (epoch < 0) {
    return absl::InvalidArgumentError(absl::StrCat("the epoch is ", epoch, "; it counts from 0"));
  }
  if (options.packed && options.binary) {
    return absl::InvalidArgumentError(
        "SaveOptions: packed and binary exclude each other; a packed model holds JSON");
  }
  if (options.packed) return ModelPaths{absl::StrCat(prefix, ".tandem"), ""};
  return ModelPaths{absl::StrCat(prefix, options.binary ? "-symbol.pb" : "-symbol.json"),
                    absl::StrFormat("%s-%04d.params", prefix, epoch)};
}

absl::Status SaveModel(const Model& model, absl::string_view prefix, int epoch,
                       const SaveOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const ModelPaths paths, PathsOfModel(prefix, epoch, options));
  proto::Model message;
  message.set_format(kModelFormat.data(), kModelFormat.size());
  message.set_format_version(absl::StrCat(kFormatMajor, ".", HasBodies(model.graph) ? 1 : 0));
  message.set_producer("Tandem");
  TANDEM_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors, OrderedParameters(model));
  TANDEM_RETURN_IF_ERROR(GraphToProto(model.graph, message.mutable_graph(), &tensors));
  TANDEM_RETURN_IF_ERROR(SignatureToProto(model, options, &message));
  TANDEM_RETURN_IF_ERROR(BlocksToProto(model, &message));
  std::vector<uint32_t> checksums;
  for (const NamedTensor& named : tensors) {
    absl::StatusOr<uint32_t> checksum = ChecksumOf(named.tensor);
    if (!checksum.ok()) {
      return Annotate(checksum.status(), absl::StrCat("tensor '", Shown(named.name), "'"));
    }
    proto::StoredTensor* stored = message.add_tensors();
    stored->set_name(named.name);
    stored->set_type(named.tensor.spec().ToString());
    stored->set_crc32c(ChecksumText(*checksum));
    checksums.push_back(*checksum);
  }
  TANDEM_ASSIGN_OR_RETURN(
      std::string symbol,
      EncodeSymbol(message, options.binary ? SymbolEncoding::kBinary : SymbolEncoding::kJson));
  // Metadata that the readers of other libraries show. "pt" would claim PyTorch's names.
  SafetensorsMetadata metadata = {{"format", "tandem"}};
  if (options.packed) metadata[kPackedKey] = std::move(symbol);

  TANDEM_ASSIGN_OR_RETURN(AtomicFile params,
                          AtomicFile::Create(options.packed ? paths.symbol : paths.params));
  TANDEM_RETURN_IF_ERROR(WriteSafetensors(tensors, checksums, metadata, &params));
  TANDEM_RETURN_IF_ERROR(params.Commit());
  return options.packed ? absl::OkStatus() : WriteFileAtomically(paths.symbol, symbol);
}

absl::StatusOr<Model> LoadModel(absl::string_view symbol_path, absl::string_view params_path,
                                Device& device, const OpRegistry& registry,
                                const LoadOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(
      const std::unique_ptr<FileSource> symbol,
      FileSource::Open(symbol_path,
                       "a model is named by the path of its -symbol.json, -symbol.pb or .tandem"));
  std::unique_ptr<FileSource> params;
  if (!params_path.empty()) {
    TANDEM_ASSIGN_OR_RETURN(params,
                            FileSource::Open(params_path,
                                             "parameters are in the -0000.params (the epoch, four "
                                             "digits) that was exported with the symbol file"));
  }
  return LoadModel(*symbol, params.get(), device, registry, options);
}

absl::StatusOr<Model> LoadModel(const ByteSource& symbol, const ByteSource* params, Device& device,
                                const OpRegistry& registry, const LoadOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const bool packed, LooksLikeSafetensors(symbol));
  std::optional<SafetensorsReader> reader;
  std::string bytes;
  if (packed) {
    TANDEM_ASSIGN_OR_RETURN(reader, SafetensorsReader::Open(symbol));
    const auto it = reader->metadata().find(kPackedKey);
    if (it == reader->metadata().end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(symbol.name(),
                       " holds parameters, but no graph; give the -symbol.json as the model, and "
                       "this file as its parameters"));
    }
    bytes = std::move(it->second);
    reader->metadata().erase(it);
  } else {
    if (symbol.size() > kMaxSymbolBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(symbol.name(), " has ", symbol.size(),
                                                       " bytes; a symbol file has at most ",
                                                       kMaxSymbolBytes));
    }
    TANDEM_ASSIGN_OR_RETURN(bytes, symbol.ReadString(0, symbol.size()));
  }
  TANDEM_ASSIGN_OR_RETURN(const proto::Model message,
                          DecodeSymbol(std::move(bytes), symbol.name()));
  if (params != nullptr) {
    TANDEM_ASSIGN_OR_RETURN(reader, SafetensorsReader::Open(*params));
  }
  absl::StatusOr<Model> model = FromProto(message, reader.has_value() ? &*reader : nullptr, device,
                                          registry, options, symbol.name());
  if (!model.ok()) return Annotate(model.status(), symbol.name());
  return model;
}

}  // namespace tandem
