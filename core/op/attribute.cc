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

// Of a longer text the first `most` bytes, without a part of a character, and "…".
std::string Cut(std::string text, size_t most) {
  if (text.size() <= most) return text;
  // Bytes 10xxxxxx continue a character.
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  text.resize(most);
  return text + "…";
}

// "[1,2]", or "ints[]".
template <typename T, typename Append>
void AppendList(absl::string_view type, const std::vector<T>& list, const Append& append,
                std::string* out, size_t most) {
  absl::StrAppend(out, list.empty() ? type : "", "[");
  for (size_t i = 0; i < list.size() && out->size() <= most; ++i) {
    if (i > 0) *out += ",";
    append(list[i]);
  }
  *out += "]";
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
  std::string text;
  AppendTo(&text, std::string::npos);
  return text;
}

void AttributeValue::AppendTo(std::string* out, size_t most) const {
  struct Printer {
    void operator()(bool v) const { *out += v ? "true" : "false"; }
    void operator()(int64_t v) const { absl::StrAppend(out, v); }
    void operator()(double v) const { *out += FormatDouble(v); }
    void operator()(const std::string& v) const {
      absl::StrAppend(out, "\"", absl::CEscape(absl::string_view(v).substr(0, most)), "\"");
    }
    void operator()(DType v) const { absl::StrAppend(out, DTypeName(v)); }
    void operator()(const Ints& v) const {
      AppendList(
          "ints", v, [this](int64_t i) { absl::StrAppend(out, i); }, out, most);
    }
    void operator()(const Doubles& v) const {
      AppendList(
          "doubles", v, [this](double d) { *out += FormatDouble(d); }, out, most);
    }
    void operator()(const Body& v) const {
      if (v.body) {
        v.body->AppendTo(out, most);
      } else {
        *out += "none";
      }
    }
    std::string* out;
    size_t most;
  };
  std::visit(Printer{out, most}, value_);
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
      constexpr size_t kMostShown = 64;
      std::string shown;
      value.AppendTo(&shown, kMostShown);
      return absl::InvalidArgumentError(absl::StrCat(
          "attribute '", name, "' is ", AttributeTypeName(def.type), ", not ",
          AttributeTypeName(value.type()), " (", Cut(std::move(shown), kMostShown), ")"));
    }
    if (def.type == AttributeType::kBody && converted.body() == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is no body"));
    }
    if (!def.choices.empty()) {
      const std::string& choice = *converted.get<std::string>();
      if (std::find(def.choices.begin(), def.choices.end(), choice) == def.choices.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("attribute '", name, "' is '", choice.substr(0, 64),
                         "'; choices: ", absl::StrJoin(def.choices, ", ")));
      }
    }
    map.values_[index] = std::move(converted);
  }
  for (size_t i = 0; i < defs.size(); ++i) {
    if (given[i]) continue;
    if (defs[i].required) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", defs[i].name, "' (",
                                                     AttributeTypeName(defs[i].type),
                                                     ") is missing: ", defs[i].doc));
    }
    map.values_[i] = defs[i].default_value;
  }
  return map;
}

void AttributeMap::AppendTo(std::string* out, size_t most) const {
  bool any = false;
  for (int i = 0; i < size() && out->size() <= most; ++i) {
    const AttributeDef& def = schema_->defs()[i];
    if (!def.required && values_[i] == def.default_value) continue;
    absl::StrAppend(out, any ? ", " : "{", def.name, "=");
    values_[i].AppendTo(out, most);
    any = true;
  }
  if (any) *out += "}";
}

std::string AttributeMap::ToString() const {
  std::string text;
  AppendTo(&text, std::string::npos);
  return text;
}

std::string AttributeMap::Shortened(size_t most) const {
  std::string text;
  AppendTo(&text, most);
  return Cut(std::move(text), most);
}

}  // namespace tandem
