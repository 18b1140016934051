#include "tandem/serialization/native/symbol_file.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/json_util.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/serialization/native/model.h"
#include "tandem/serialization/native/symbol_scan.h"

namespace tandem {
namespace {

constexpr int64_t kMemoryFloor = int64_t{60} << 20;

// What the message and graph of a symbol file may take: with the file itself, and protobuf's own
// copy of it, below 4 times its size and 64 MB.
absl::Status CheckMemory(const SymbolScan& scan, size_t size) {
  if (static_cast<int64_t>(size) > kMaxSymbolBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it has ", size, " bytes; a symbol file has at most ", kMaxSymbolBytes));
  }
  const int64_t limit = 2 * static_cast<int64_t>(size) + kMemoryFloor;
  if (scan.memory <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "its ", size, " bytes would take about ", scan.memory, " in memory; the limit is ", limit));
}

absl::Status CheckVersion(const SymbolScan& scan) {
  if (scan.format != kModelFormat) {
    return absl::InvalidArgumentError(absl::StrCat("it is not a Tandem model: its \"format\" is \"",
                                                   absl::Utf8SafeCEscape(scan.format), "\", not \"",
                                                   kModelFormat, "\""));
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(scan.format_version, '.');
  int major = 0;
  int minor = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &major) ||
      !absl::SimpleAtoi(parts[1], &minor) || major < 1 || minor < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::Utf8SafeCEscape(scan.format_version),
                     "\" is not a version of the format; it should be like \"1.0\""));
  }
  if (major == kFormatMajor && minor <= kFormatMinor) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("it has version ", major, ".", minor, " of the format, this library reads ",
                   kFormatMajor, ".0 to ", kFormatMajor, ".", kFormatMinor,
                   "; it needs a Tandem that reads ", major, ".", minor));
}

// Puts lists without objects on one line: [\n 1,\n 2\n ] becomes [1, 2].
std::string JoinShortLists(absl::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size();) {
    // The text up to the next list, with texts skipped, which may hold brackets.
    bool in_text = false;
    size_t start = at;
    for (; start < json.size() && (in_text || json[start] != '['); ++start) {
      if (in_text && json[start] == '\\') {
        ++start;
      } else if (json[start] == '"') {
        in_text = !in_text;
      }
    }
    if (start >= json.size()) {
      absl::StrAppend(&out, json.substr(at));
      break;
    }
    absl::StrAppend(&out, json.substr(at, start + 1 - at));
    at = start + 1;
    std::string items;
    size_t end = at;
    for (in_text = false; end < json.size(); ++end) {
      const char c = json[end];
      if (!in_text && (c == '[' || c == '{' || c == ']')) break;
      if (in_text && c == '\\') {
        items += c;
        if (++end < json.size()) items += json[end];
        continue;
      }
      if (c == '"') in_text = !in_text;
      if (in_text || !absl::ascii_isspace(c)) items += c;
      if (!in_text && c == ',') items += ' ';
    }
    if (end < json.size() && json[end] == ']') {
      out.append(items);
      at = end;
    }
  }
  return out;
}

absl::Status FromProtobuf(const google::protobuf::util::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::Utf8SafeCEscape(
      absl::string_view(status.message().data(), status.message().size()).substr(0, 400)));
}

// Unknown fields anywhere in the message, which within a version means damage.
bool HasUnknownFields(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (HasUnknownFields(reflection.GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (HasUnknownFields(reflection.GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

absl::StatusOr<proto::Model> Decode(std::string bytes, SymbolEncoding encoding) {
  const bool json = encoding == SymbolEncoding::kJson;
  TANDEM_ASSIGN_OR_RETURN(const SymbolScan scan, json ? ScanJson(bytes) : ScanBinary(bytes));
  TANDEM_RETURN_IF_ERROR(CheckVersion(scan));
  TANDEM_RETURN_IF_ERROR(CheckMemory(scan, bytes.size()));
  proto::Model model;
  if (json) {
    TANDEM_RETURN_IF_ERROR(
        FromProtobuf(google::protobuf::util::JsonStringToMessage(bytes, &model)));
  } else if (!model.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("protobuf cannot parse it; it may be torn");
  } else if (HasUnknownFields(model)) {
    return absl::InvalidArgumentError("it has fields that its version of the format does not have");
  }
  return model;
}

}  // namespace

absl::StatusOr<std::string> EncodeSymbol(const proto::Model& model, SymbolEncoding encoding) {
  std::string bytes;
  if (encoding == SymbolEncoding::kBinary) {
    if (!model.SerializeToString(&bytes)) {
      return absl::ResourceExhaustedError("the model is above protobuf's limit of 2 GB");
    }
    TANDEM_ASSIGN_OR_RETURN(const SymbolScan scan, ScanBinary(bytes));
    TANDEM_RETURN_IF_ERROR(CheckMemory(scan, bytes.size()));
    return bytes;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  TANDEM_RETURN_IF_ERROR(
      FromProtobuf(google::protobuf::util::MessageToJsonString(model, &bytes, options)));
  bytes = JoinShortLists(bytes);
  TANDEM_ASSIGN_OR_RETURN(const SymbolScan scan, ScanJson(bytes));
  TANDEM_RETURN_IF_ERROR(CheckMemory(scan, bytes.size()));
  return bytes;
}

absl::StatusOr<proto::Model> DecodeSymbol(std::string bytes, absl::string_view name) {
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    return absl::DataLossError(absl::StrCat(name, " is empty; it may be torn"));
  }
  // A binary message starts with the tag of its field 1, which is a line feed, and the length of
  // "tandem.model", which is not white space, nor '{'.
  const SymbolEncoding encoding =
      bytes[first] == '{' ? SymbolEncoding::kJson : SymbolEncoding::kBinary;
  absl::StatusOr<proto::Model> model = Decode(std::move(bytes), encoding);
  if (!model.ok()) {
    return Annotate(model.status(), absl::StrCat(name, " cannot be read as a model"));
  }
  return model;
}

absl::StatusOr<bool> LooksLikeSafetensors(const ByteSource& source) {
  // A length, of which the high bytes are 0, and an object. Neither JSON nor the text at the start
  // of a binary symbol file has zero bytes.
  if (source.size() < 9) return false;
  char start[9];
  TANDEM_RETURN_IF_ERROR(source.Read(0, start, sizeof(start)));
  return start[5] == 0 && start[6] == 0 && start[7] == 0 && start[8] == '{';
}

}  // namespace tandem
