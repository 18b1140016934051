#include "tandem/serialization/native/symbol_scan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"
#include "tandem/serialization/native/utf8.h"
#include "tandem/serialization/proto/model.pb.h"

namespace tandem {
namespace {

// Upper estimates, bytes, with the slack of lists that double as they grow.
constexpr int64_t kMessage = 256;
constexpr int64_t kElement = 384;  // more: what the graph makes of a node, an input, a constant
constexpr int64_t kValue = 192;    // more: what it makes of a type, which is a value
constexpr int64_t kText = 48;      // and its characters
constexpr int64_t kNumber = 32;

// Where things stand in the JSON, as the number of objects and lists around them.
constexpr int kElementDepth = 3;  // {"graph": {"nodes": [ … and "inputs", "constants", "outputs"
constexpr int kTypeDepth = 5;     // {"graph": {"nodes": [{"types": [ …
// A body in an attribute is so much deeper than what it stands in: {"attributes": [{"body": {"steps":
// [{ … Whatever stands at such a depth is counted as a step, or the type of one.
constexpr int kBodyDepth = 5;

// The deepest path is model, graph, nodes, node, attributes, attribute, ints, values, with bodies
// between; there is room for what may be added.
constexpr int kMaxDepth = 16 + kBodyDepth * OpBody::kMaxDepth;

class JsonScanner : public nlohmann::json_sax<nlohmann::json> {
 public:
  SymbolScan scan;
  std::string error;

  bool null() override { return Value(kNumber); }
  bool boolean(bool) override { return Value(kNumber); }
  bool number_integer(number_integer_t) override { return Value(kNumber); }
  bool number_unsigned(number_unsigned_t) override { return Value(kNumber); }
  bool number_float(number_float_t, const string_t&) override { return Value(kNumber); }
  bool binary(binary_t&) override { return Value(kText); }
  bool string(string_t& value) override {
    if (depth_ == 1 && key_ == "format") scan.format = value.substr(0, 64);
    // Protobuf's mapping allows both spellings of a name.
    if (depth_ == 1 && (key_ == "formatVersion" || key_ == "format_version")) {
      scan.format_version = value.substr(0, 64);
    }
    // Types of inputs of bodies stand in lists of that name; in graphs those are numbers.
    const bool is_type = IsAt(kTypeDepth) || key_ == "inputs";
    return Value(kText + static_cast<int64_t>(value.size()) + (is_type ? kValue : 0));
  }
  bool start_object(std::size_t) override {
    scan.memory += kMessage + (IsAt(kElementDepth) ? kElement : 0);
    return Enter();
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override { return Leave(); }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error = absl::StrCat("it is not JSON from byte ", position, " on; it may be torn");
    return false;
  }

 private:
  bool Value(int64_t cost) {
    scan.memory += cost;
    return true;
  }
  // At `depth`, or as deep in a body.
  bool IsAt(int depth) const { return depth_ >= depth && (depth_ - depth) % kBodyDepth == 0; }
  bool Enter() {
    if (++depth_ > kMaxDepth) error = "its JSON is nested deeper than a model's";
    return depth_ <= kMaxDepth;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  std::string key_;
  int depth_ = 0;
};

// Walks protobuf's wire format (https://protobuf.dev/programming-guides/encoding) along the schema.
class WireScanner {
 public:
  explicit WireScanner(SymbolScan* scan) : scan_(scan) {}

  absl::Status Message(const google::protobuf::Descriptor& type, absl::string_view bytes) {
    const bool is_body = &type == proto::Body::descriptor();
    if (is_body && ++bodies_ > OpBody::kMaxDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat("bodies are nested more than ", OpBody::kMaxDepth, " deep"));
    }
    TANDEM_RETURN_IF_ERROR(Fields(type, bytes));
    if (is_body) --bodies_;
    return absl::OkStatus();
  }

 private:
  absl::Status Fields(const google::protobuf::Descriptor& type, absl::string_view bytes) {
    scan_->memory += kMessage;
    while (!bytes.empty()) {
      uint64_t tag = 0;
      TANDEM_RETURN_IF_ERROR(Varint(&bytes, &tag));
      if (tag > UINT32_MAX) return Torn();
      const google::protobuf::FieldDescriptor* field =
          type.FindFieldByNumber(static_cast<int>(tag >> 3));
      uint64_t value = 0;
      switch (tag & 7) {
        case 0:
          TANDEM_RETURN_IF_ERROR(Varint(&bytes, &value));
          break;
        case 1:
        case 5: {
          const size_t size = (tag & 7) == 1 ? 8 : 4;
          if (bytes.size() < size) return Torn();
          bytes.remove_prefix(size);
          break;
        }
        case 2: {
          TANDEM_RETURN_IF_ERROR(Varint(&bytes, &value));
          if (value > bytes.size()) return Torn();
          TANDEM_RETURN_IF_ERROR(Delimited(field, bytes.substr(0, value)));
          bytes.remove_prefix(value);
          continue;
        }
        default:
          return Torn();
      }
      // A field that is not known is kept as an object by the parser.
      scan_->memory += field == nullptr ? kText : kNumber;
    }
    return absl::OkStatus();
  }

  absl::Status Torn() const {
    return absl::InvalidArgumentError("it is not a protobuf message; it may be torn");
  }

  absl::Status Varint(absl::string_view* bytes, uint64_t* value) const {
    *value = 0;
    for (int i = 0; i < 10 && i < static_cast<int>(bytes->size()); ++i) {
      const auto byte = static_cast<uint8_t>((*bytes)[i]);
      *value |= uint64_t{byte & 0x7Fu} << (7 * i);
      if (byte < 0x80) {
        bytes->remove_prefix(i + 1);
        return absl::OkStatus();
      }
    }
    return Torn();
  }

  // But for bodies, whose depth is bounded, the schema has no recursive type.
  absl::Status Delimited(const google::protobuf::FieldDescriptor* field, absl::string_view bytes) {
    using Field = google::protobuf::FieldDescriptor;
    if (field != nullptr && field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      if (field->containing_type() == proto::Graph::descriptor() ||
          field->containing_type() == proto::Body::descriptor()) {
        scan_->memory += kElement;
      }
      return Message(*field->message_type(), bytes);
    }
    const auto size = static_cast<int64_t>(bytes.size());
    // Protobuf would refuse it too, but writes a line to stderr for each.
    if (field != nullptr && field->type() == Field::TYPE_STRING && !IsValidUtf8(bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a text in field ", field->full_name(), " is not UTF-8"));
    }
    if (field == nullptr || field->cpp_type() == Field::CPPTYPE_STRING) {
      scan_->memory += kText + size;
      if (field != nullptr && ((field->containing_type() == proto::Node::descriptor() &&
                                field->number() == proto::Node::kTypesFieldNumber) ||
                               field->containing_type() == proto::Body::descriptor())) {
        scan_->memory += kValue;
      }
      if (field != nullptr && field->containing_type() == proto::Model::descriptor()) {
        if (field->number() == proto::Model::kFormatFieldNumber) {
          scan_->format = std::string(bytes.substr(0, 64));
        }
        if (field->number() == proto::Model::kFormatVersionFieldNumber) {
          scan_->format_version = std::string(bytes.substr(0, 64));
        }
      }
      return absl::OkStatus();
    }
    // A packed list of numbers, each of one byte at least.
    scan_->memory += kText + kNumber * size;
    return absl::OkStatus();
  }

  SymbolScan* scan_;
  int bodies_ = 0;  // around the place that is scanned
};

}  // namespace

absl::StatusOr<SymbolScan> ScanJson(absl::string_view bytes) {
  JsonScanner scanner;
  if (!nlohmann::json::sax_parse(bytes.data(), bytes.data() + bytes.size(), &scanner)) {
    return absl::InvalidArgumentError(scanner.error.empty() ? "it is not JSON" : scanner.error);
  }
  return std::move(scanner.scan);
}

absl::StatusOr<SymbolScan> ScanBinary(absl::string_view bytes) {
  SymbolScan scan;
  TANDEM_RETURN_IF_ERROR(WireScanner(&scan).Message(*proto::Model::descriptor(), bytes));
  return scan;
}

}  // namespace tandem
