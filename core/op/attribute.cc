#include "tandem/core/op/attribute.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tandem {
namespace {

std::string FormatDouble(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest text that parses back, whatever the locale is.
  char buffer[32];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// Bit equality: a NaN attribute equals itself, and 0.0 differs from -0.0.
bool SameBits(double a, double b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace

absl::string_view AttributeTypeName(AttributeType type) {
  constexpr absl::string_view kNames[] = {"bool",  "int",  "double",  "string",
                                          "dtype", "ints", "doubles", "body"};
  return kNames[static_cast<int>(type)];
}

std::string AttributeValue::ToString() const {
  struct Printer {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return absl::StrCat(v); }
    std::string operator()(double v) const { return FormatDouble(v); }
    std::string operator()(const std::string& v) const {
      return absl::StrCat("\"", absl::CEscape(v), "\"");
    }
    std::string operator()(DType v) const { return std::string(DTypeName(v)); }
    std::string operator()(const Ints& v) const {
      return v.empty() ? "ints[]" : absl::StrCat("[", absl::StrJoin(v, ","), "]");
    }
    std::string operator()(const Doubles& v) const {
      if (v.empty()) return "doubles[]";
      return absl::StrCat("[", absl::StrJoin(v, ",", [](std::string* out, double d) {
                            *out += FormatDouble(d);
                          }), "]");
    }
    std::string operator()(const Body& v) const { return v.body ? v.body->ToString() : "none"; }
  };
  return std::visit(Printer(), value_);
}

bool operator==(const AttributeValue& a, const AttributeValue& b) {
  if (const double* x = a.get<double>()) {
    const double* y = b.get<double>();
    return y != nullptr && SameBits(*x, *y);
  }
  if (const auto* x = a.get<AttributeValue::Doubles>()) {
    const auto* y = b.get<AttributeValue::Doubles>();
    return y != nullptr && std::equal(x->begin(), x->end(), y->begin(), y->end(), SameBits);
  }
  return a.value_ == b.value_;
}

AttributeDef AttributeDef::Required(std::string name, AttributeType type, std::string doc) {
  AttributeDef def;
  def.name = std::move(name);
  def.type = type;
  def.required = true;
  def.doc = std::move(doc);
  return def;
}

AttributeDef AttributeDef::Optional(std::string name, AttributeValue default_value,
                                    std::string doc) {
  AttributeDef def;
  def.name = std::move(name);
  def.type = default_value.type();
  def.default_value = std::move(default_value);
  def.doc = std::move(doc);
  return def;
}

AttributeDef AttributeDef::Choice(std::string name, std::string default_value,
                                  std::vector<std::string> choices, std::string doc) {
  AttributeDef def = Optional(std::move(name), std::move(default_value), std::move(doc));
  def.choices = std::move(choices);
  return def;
}

int AttributeSchema::Find(absl::string_view name) const {
  for (int i = 0; i < static_cast<int>(defs_.size()); ++i) {
    if (defs_[i].name == name) return i;
  }
  return -1;
}

const AttributeSchema& AttributeMap::Empty() {
  static const auto* schema = new AttributeSchema;
  return *schema;
}

absl::StatusOr<AttributeMap> AttributeMap::Create(const AttributeSchema& schema,
                                                  absl::Span<const AttributeInit> values) {
  AttributeMap map;
  map.schema_ = &schema;
  const std::vector<AttributeDef>& defs = schema.defs();
  absl::InlinedVector<bool, 8> given(defs.size(), false);
  map.values_.resize(defs.size());
  for (const auto& [name, value] : values) {
    const int index = schema.Find(name);
    if (index < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no attribute '", name.substr(0, 64), "'; known: ",
          defs.empty() ? "none" : absl::StrJoin(defs, ", ", [](std::string* out, const auto& def) {
            *out += def.name;
          })));
    }
    const AttributeDef& def = defs[index];
    if (given[index]) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is given twice"));
    }
    given[index] = true;
    AttributeValue converted = value;
    if (def.type == AttributeType::kDouble && value.type() == AttributeType::kInt) {
      converted = static_cast<double>(*value.get<int64_t>());
    }
    if (converted.type() != def.type) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", name, "' is ", AttributeTypeName(def.type), ", not ",
                       AttributeTypeName(value.type()), " (", value.ToString(), ")"));
    }
    if (def.type == AttributeType::kBody && converted.body() == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is no body"));
    }
    if (!def.choices.empty()) {
      const std::string& choice = *converted.get<std::string>();
      if (std::find(def.choices.begin(), def.choices.end(), choice) == def.choices.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("attribute '", name, "' is '", choice.substr(0, 64), "'; choices: ",
                         absl::StrJoin(def.choices, ", ")));
      }
    }
    map.values_[index] = std::move(converted);
  }
  for (size_t i = 0; i < defs.size(); ++i) {
    if (given[i]) continue;
    if (defs[i].required) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", defs[i].name, "' (", AttributeTypeName(defs[i].type),
                       ") is missing: ", defs[i].doc));
    }
    map.values_[i] = defs[i].default_value;
  }
  return map;
}

std::string AttributeMap::ToString() const {
  std::string text;
  for (int i = 0; i < size(); ++i) {
    const AttributeDef& def = schema_->defs()[i];
    if (!def.required && values_[i] == def.default_value) continue;
    absl::StrAppend(&text, text.empty() ? "{" : ", ", def.name, "=", values_[i].ToString());
  }
  return text.empty() ? text : text + "}";
}

}  // namespace tandem
