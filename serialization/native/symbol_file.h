// The symbol file: proto::Model as JSON or as binary protobuf.
//
//   TANDEM_ASSIGN_OR_RETURN(std::string json, EncodeSymbol(message, SymbolEncoding::kJson));
//   TANDEM_ASSIGN_OR_RETURN(proto::Model same, DecodeSymbol(std::move(json), "mlp-symbol.json"));
//
// The JSON is protobuf's own mapping, laid out for people and for diff: one field a line, lists of
// numbers and texts on one line.
//
// Thread rules: pure functions.
#ifndef TANDEM_SERIALIZATION_NATIVE_SYMBOL_FILE_H_
#define TANDEM_SERIALIZATION_NATIVE_SYMBOL_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/serialization/native/byte_source.h"
#include "tandem/serialization/proto/model.pb.h"

namespace tandem {

// The first field of every symbol file.
inline constexpr absl::string_view kModelFormat = "tandem.model";

// The largest symbol file: far above any graph, and below the 2 GB that protobuf can parse.
inline constexpr int64_t kMaxSymbolBytes = int64_t{512} << 20;

enum class SymbolEncoding { kJson, kBinary };

// RESOURCE_EXHAUSTED if DecodeSymbol would refuse the result: a graph of hundreds of thousands of
// nodes.
absl::StatusOr<std::string> EncodeSymbol(const proto::Model& model, SymbolEncoding encoding);

// Tells the encoding by the first byte. Errors start with `name`, the file's. Checks the version
// (UNIMPLEMENTED says which it would need), the memory that the message would take, and that no
// field is unknown; not what the message says.
absl::StatusOr<proto::Model> DecodeSymbol(std::string bytes, absl::string_view name);

// Is this a safetensors file (parameters, or a packed model) rather than a symbol file?
absl::StatusOr<bool> LooksLikeSafetensors(const ByteSource& source);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_SYMBOL_FILE_H_
