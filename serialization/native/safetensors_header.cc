#include "tandem/serialization/native/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

constexpr absl::string_view kDTypeNames[kNumDTypes] = {"F16", "BF16", "F32", "F64", "I8",
                                                       "U8",  "I16",  "I32", "I64", "BOOL"};
constexpr absl::string_view kMetadataKey = "__metadata__";

// Names in messages: short, and safe to print.
std::string Shown(absl::string_view name) { return absl::Utf8SafeCEscape(name.substr(0, 80)); }

absl::StatusOr<DType> ParseSafetensorsDType(absl::string_view name) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (kDTypeNames[i] == name) return static_cast<DType>(i);
  }
  return absl::UnimplementedError(
      absl::StrCat("the dtype '", Shown(name),
                   "' is not supported; dtypes: F16 BF16 F32 F64 I8 U8 I16 I32 I64 BOOL"));
}

// Receives the parts of the JSON. Every method returns false to stop, after it has set the status.
class Handler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Handler(int64_t memory_limit) : memory_left_(memory_limit) {}

  absl::Status status() const { return status_; }
  SafetensorsHeader header;

  bool null() override { return Fail("null has no meaning in the header"); }
  bool boolean(bool) override { return Fail("a boolean has no meaning in the header"); }
  bool number_float(number_float_t, const string_t& text) override {
    return Fail(absl::StrCat("'", Shown(text), "' is not a size"));
  }
  bool binary(binary_t&) override { return Fail("binary data in JSON"); }
  bool number_integer(number_integer_t value) override {
    return Fail(absl::StrCat(value, " is negative"));
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Fail(absl::StrCat(value, " is out of range"));
    }
    const auto number = static_cast<int64_t>(value);
    if (state_ == State::kShape) {
      entry_.spec.shape.push_back(number);
      if (entry_.spec.shape.overflowed()) {
        return Fail(absl::StrCat("a shape has at most ", kMaxRank, " dimensions"));
      }
      return true;
    }
    if (state_ == State::kOffsets) {
      if (num_offsets_ == 2) return Fail("data_offsets has more than two numbers");
      (num_offsets_++ == 0 ? entry_.begin : entry_.end) = number;
      return true;
    }
    return Fail("a number stands where none belongs");
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      if (!Take(static_cast<int64_t>(value.size() + key_.size()) + 128)) return false;
      if (!header.metadata.emplace(std::move(key_), std::move(value)).second) {
        return Fail("a key stands twice in __metadata__");
      }
      return true;
    }
    if (state_ == State::kEntry && key_ == "dtype") {
      absl::StatusOr<DType> dtype = ParseSafetensorsDType(value);
      if (!dtype.ok()) return Fail(dtype.status());
      entry_.spec.dtype = *dtype;
      return true;
    }
    return Fail("a text stands where none belongs");
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) return Enter(State::kRoot);
    if (state_ != State::kRoot) return Fail("an object stands where none belongs");
    if (key_ == kMetadataKey) {
      if (std::exchange(has_metadata_, true)) return Fail("__metadata__ stands twice");
      return Enter(State::kMetadata);
    }
    entry_ = {};
    entry_.name = std::move(key_);
    seen_ = 0;
    num_offsets_ = 0;
    state_ = State::kEntry;
    // The entry in the list (which doubles as it grows), its name here, in the set, and in the
    // index of the reader.
    if (!Take(static_cast<int64_t>(4 * sizeof(SafetensorsEntry) + 3 * entry_.name.size()))) {
      return false;
    }
    if (!names_.insert(entry_.name).second) return Fail("the name stands twice");
    return true;
  }

  bool key(string_t& value) override {
    key_ = std::move(value);
    if (state_ != State::kEntry) return true;
    const int bit = key_ == "dtype" ? 1 : key_ == "shape" ? 2 : key_ == "data_offsets" ? 4 : 0;
    if (bit == 0) return Fail(absl::StrCat("the key '", Shown(key_), "' is unknown"));
    if ((seen_ & bit) != 0) return Fail(absl::StrCat("'", key_, "' stands twice"));
    seen_ |= bit;
    return true;
  }

  bool end_object() override {
    if (state_ == State::kEntry) {
      if (seen_ != 7) return Fail("dtype, shape and data_offsets are not all there");
      if (absl::Status status = entry_.spec.shape.Validate(); !status.ok()) return Fail(status);
      header.entries.push_back(std::move(entry_));
      entry_ = {};
      return Enter(State::kRoot);
    }
    return Enter(state_ == State::kMetadata ? State::kRoot : State::kEnd);
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kEntry && key_ == "shape") return Enter(State::kShape);
    if (state_ == State::kEntry && key_ == "data_offsets") return Enter(State::kOffsets);
    return Fail("a list stands where none belongs");
  }

  bool end_array() override {
    if (state_ == State::kOffsets && num_offsets_ != 2)
      return Fail("data_offsets needs two numbers");
    return Enter(State::kEntry);
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("the header is not JSON from byte ", position, " on"));
  }

 private:
  enum class State { kStart, kRoot, kMetadata, kEntry, kShape, kOffsets, kEnd };

  bool Enter(State state) {
    state_ = state;
    return true;
  }
  bool Fail(const absl::Status& status) {
    const bool in_entry =
        state_ == State::kEntry || state_ == State::kShape || state_ == State::kOffsets;
    status_ = Annotate(status, in_entry ? absl::StrCat("tensor '", Shown(entry_.name), "'")
                                        : std::string("header"));
    return false;
  }
  bool Fail(absl::string_view text) { return Fail(absl::InvalidArgumentError(text)); }
  bool Take(int64_t bytes) {
    memory_left_ -= bytes;
    return memory_left_ >= 0 ||
           Fail(absl::ResourceExhaustedError("its tables would take too much memory for its size"));
  }

  int64_t memory_left_;
  absl::Status status_;
  State state_ = State::kStart;
  std::string key_;
  SafetensorsEntry entry_;
  int seen_ = 0;  // keys of the entry
  int num_offsets_ = 0;
  bool has_metadata_ = false;
  absl::flat_hash_set<std::string> names_;
};

absl::Status CheckLayout(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes) {
  int64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto error = [&](const auto&... pieces) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", Shown(entry.name), "' ", entry.spec.ToString(), " at bytes ",
                       entry.begin, " to ", entry.end, ": ", pieces...));
    };
    if (entry.begin > entry.end) return error("it ends before it begins");
    if (entry.end > data_bytes) {
      const absl::Status status = error("the data has ", data_bytes, " bytes");
      return absl::DataLossError(absl::StrCat(status.message(), "; the file may be torn"));
    }
    if (entry.end - entry.begin != entry.spec.num_bytes()) {
      return error("its shape needs ", entry.spec.num_bytes(), " bytes");
    }
    if (entry.begin < end) return error("overlaps the tensor before it, which ends at ", end);
    if (entry.begin > end) return error("leaves a gap after byte ", end);
    end = entry.end;
  }
  if (end != data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tensors end at byte ", end, " of ", data_bytes, " of the data"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view SafetensorsDTypeName(DType dtype) { return kDTypeNames[static_cast<int>(dtype)]; }

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, int64_t data_bytes,
                                                         int64_t memory_limit) {
  Handler handler(memory_limit);
  if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &handler)) {
    return handler.status().ok() ? absl::InvalidArgumentError("the header is not JSON")
                                 : handler.status();
  }
  SafetensorsHeader header = std::move(handler.header);
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  TANDEM_RETURN_IF_ERROR(CheckLayout(header.entries, data_bytes));
  return header;
}

}  // namespace tandem
