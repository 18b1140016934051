// Attributes: the constants of one use of an op (axes, strides, names of modes), typed and checked
// against the op's schema.
//
//   // In the op's definition:
//   schema.Add(AttributeDef::Int("axis", -1, "axis to normalize over"));
//   // In a use of it:
//   TANDEM_ASSIGN_OR_RETURN(AttributeMap attrs, AttributeMap::Create(schema, {{"axis", 1}}));
//   attrs.Int("axis");  // 1
//
// An AttributeMap always holds a value for every attribute of its schema, in the schema's order.
// Thread rules: value types; a schema is constant once its op is registered.
#ifndef TANDEM_CORE_OP_ATTRIBUTE_H_
#define TANDEM_CORE_OP_ATTRIBUTE_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/tensor/dtype.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

enum class AttributeType : uint8_t {
  kBool,
  kInt,
  kDouble,
  kString,
  kDType,
  kInts,
  kDoubles,
  kBody,
};
absl::string_view AttributeTypeName(AttributeType type);

// A program as the value of an attribute: what a fused op computes. Its one kind is OpBody
// (op_body.h), which is made of ops and so of attributes; this is what attributes know of it.
// Thread rules: immutable.
class AttributeBody : public RefCounted {
 public:
  // One line that the parser of graphs reads: "(%0: f32[2]) { %1 = exp(%0) : f32[2]; return %1 }".
  std::string ToString() const {
    std::string text;
    AppendTo(&text, std::string::npos);
    return text;
  }
  // Appends that, but stops, wherever it is, soon after `out` has more than `most` bytes: bodies may
  // be of any length, and messages show their beginning.
  virtual void AppendTo(std::string* out, size_t most) const = 0;
  // By content.
  virtual bool Equals(const AttributeBody& other) const = 0;
  // Equal bodies have one hash.
  virtual size_t Hash() const = 0;
};

// The value of an attribute. The alternatives stand in the order of AttributeType.
class AttributeValue {
 public:
  using Ints = std::vector<int64_t>;
  using Doubles = std::vector<double>;

  AttributeValue() : value_(false) {}
  AttributeValue(bool v) : value_(v) {}                      // NOLINT(google-explicit-constructor)
  AttributeValue(int v) : value_(int64_t{v}) {}              // NOLINT(google-explicit-constructor)
  AttributeValue(int64_t v) : value_(v) {}                   // NOLINT(google-explicit-constructor)
  AttributeValue(double v) : value_(v) {}                    // NOLINT(google-explicit-constructor)
  AttributeValue(const char* v) : value_(std::string(v)) {}  // NOLINT(google-explicit-constructor)
  AttributeValue(std::string v) : value_(std::move(v)) {}    // NOLINT(google-explicit-constructor)
  AttributeValue(DType v) : value_(v) {}                     // NOLINT(google-explicit-constructor)
  AttributeValue(Ints v) : value_(std::move(v)) {}           // NOLINT(google-explicit-constructor)
  AttributeValue(Doubles v) : value_(std::move(v)) {}        // NOLINT(google-explicit-constructor)
  AttributeValue(const Dims& v)                              // NOLINT(google-explicit-constructor)
      : value_(Ints(v.begin(), v.end())) {}
  // Null: an op without a program, which no op accepts.
  AttributeValue(Ref<const AttributeBody> v)  // NOLINT(google-explicit-constructor)
      : value_(Body{std::move(v)}) {}
  template <typename T, typename = std::enable_if_t<std::is_base_of_v<AttributeBody, T>>>
  AttributeValue(const Ref<T>& v)  // NOLINT(google-explicit-constructor)
      : AttributeValue(Ref<const AttributeBody>(v)) {}

  AttributeType type() const { return static_cast<AttributeType>(value_.index()); }
  // Null if the value has another type.
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&value_);
  }
  // Null if the value is no body.
  const AttributeBody* body() const {
    const Body* held = std::get_if<Body>(&value_);
    return held == nullptr ? nullptr : held->body.get();
  }
  // true, -1, 0.5, "max", f32, [1,2], [0.5,1], a body in parentheses and braces. Doubles print so
  // that they parse back exactly, always with a '.', 'e', "inf" or "nan", so that they are not read
  // as integers; empty lists print with their type ("ints[]", "doubles[]").
  std::string ToString() const;
  // Appends that, but stops soon after `out` has more than `most` bytes.
  void AppendTo(std::string* out, size_t most) const;
  friend bool operator==(const AttributeValue& a, const AttributeValue& b);
  template <typename H>
  friend H AbslHashValue(H h, const AttributeValue& v) {
    h = H::combine(std::move(h), v.value_.index());
    return std::visit([&h](const auto& x) { return H::combine(std::move(h), x); }, v.value_);
  }

 private:
  struct Body {
    Ref<const AttributeBody> body;
    friend bool operator==(const Body& a, const Body& b) {
      return a.body == b.body || (a.body && b.body && a.body->Equals(*b.body));
    }
    template <typename H>
    friend H AbslHashValue(H h, const Body& b) {
      return H::combine(std::move(h), b.body ? b.body->Hash() : 0);
    }
  };

  std::variant<bool, int64_t, double, std::string, DType, Ints, Doubles, Body> value_;
};

// One attribute of an op: name, type, default, documentation.
struct AttributeDef {
  std::string name;
  AttributeType type = AttributeType::kInt;
  bool required = false;
  AttributeValue default_value;      // of `type`; meaningless if required
  std::vector<std::string> choices;  // kString only: the allowed values; empty: any
  std::string doc;

  static AttributeDef Required(std::string name, AttributeType type, std::string doc);
  // The type is that of the default.
  static AttributeDef Optional(std::string name, AttributeValue default_value, std::string doc);
  static AttributeDef Choice(std::string name, std::string default_value,
                             std::vector<std::string> choices, std::string doc);
};

class AttributeSchema {
 public:
  AttributeSchema() = default;
  AttributeSchema(std::initializer_list<AttributeDef> defs) : defs_(defs) {}
  explicit AttributeSchema(std::vector<AttributeDef> defs) : defs_(std::move(defs)) {}
  const std::vector<AttributeDef>& defs() const { return defs_; }
  int Find(absl::string_view name) const;  // -1 if there is none

 private:
  std::vector<AttributeDef> defs_;
};

using AttributeInit = std::pair<absl::string_view, AttributeValue>;

class AttributeMap {
 public:
  // For an op without attributes.
  AttributeMap() : schema_(&Empty()) {}
  // Checks names, types and choices, and fills in the defaults. An int is accepted where a double
  // is wanted. INVALID_ARGUMENT names the attribute and the valid ones. `schema` must outlive the
  // map (an op's schema lives for ever).
  static absl::StatusOr<AttributeMap> Create(const AttributeSchema& schema,
                                             absl::Span<const AttributeInit> values);

  const AttributeSchema& schema() const { return *schema_; }
  const AttributeValue& value(int index) const { return values_[index]; }
  int size() const { return static_cast<int>(values_.size()); }

  // The attribute `name`, which must be in the schema with that type. (An op's own code asks for
  // its own attributes, so a wrong name is a mistake in that code; it gets a zero value.)
  bool Bool(absl::string_view name) const { return Get<bool>(name); }
  int64_t Int(absl::string_view name) const { return Get<int64_t>(name); }
  double Double(absl::string_view name) const { return Get<double>(name); }
  const std::string& String(absl::string_view name) const { return Get<std::string>(name); }
  DType Type(absl::string_view name) const { return Get<DType>(name); }
  const std::vector<int64_t>& Ints(absl::string_view name) const {
    return Get<std::vector<int64_t>>(name);
  }
  const std::vector<double>& Doubles(absl::string_view name) const {
    return Get<std::vector<double>>(name);
  }
  // Null if there is none.
  const AttributeBody* Body(absl::string_view name) const {
    const int index = schema_->Find(name);
    return index < 0 ? nullptr : values_[index].body();
  }

  // "{axis=1, keepdims=true}", defaults left out; "" if nothing is left.
  std::string ToString() const;
  // Appends that, but stops soon after `out` has more than `most` bytes.
  void AppendTo(std::string* out, size_t most) const;
  // For messages: of a longer text the first `most` bytes, without a part of a character, and "…".
  std::string Shortened(size_t most) const;
  friend bool operator==(const AttributeMap& a, const AttributeMap& b) {
    return a.schema_ == b.schema_ && a.values_ == b.values_;
  }
  template <typename H>
  friend H AbslHashValue(H h, const AttributeMap& m) {
    return H::combine(std::move(h), m.schema_, m.values_);
  }

 private:
  static const AttributeSchema& Empty();
  template <typename T>
  const T& Get(absl::string_view name) const {
    static const T kZero{};
    const int index = schema_->Find(name);
    const T* value = index < 0 ? nullptr : values_[index].template get<T>();
    return value != nullptr ? *value : kZero;
  }

  const AttributeSchema* schema_;
  absl::InlinedVector<AttributeValue, 2> values_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_ATTRIBUTE_H_
