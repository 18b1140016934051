#include "tandem/graph/ir/parse_attributes.h"

#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/ir/literal.h"

namespace tandem {
namespace {

constexpr int64_t kBodyValueBytes =
    kGrown<TensorSpec> + 2 * kGrown<std::pair<std::string, int32_t>>;

}  // namespace

absl::Status TextBudget::Take(int64_t bytes) {
  left_ -= bytes;
  if (left_ >= 0) return absl::OkStatus();
  return lexer_->At(lexer_->position(),
                    absl::ResourceExhaustedError(
                        "what stands up to here would take more than 4 times the text and 64 MB in "
                        "memory; save graphs of this size as models"));
}

absl::StatusOr<TextLabel> ParseLabel(TextLexer& lexer) {
  TextLabel label;
  label.position = lexer.position();
  TANDEM_RETURN_IF_ERROR(lexer.Expect("%"));
  TANDEM_ASSIGN_OR_RETURN(label.name, lexer.AnyName("the name of a value"));
  label.text = label.name.quoted ? InputLabel(label.name.text) : "%" + label.name.text;
  return label;
}

std::string ShownLabel(absl::string_view label) {
  return absl::Utf8SafeCEscape(label.substr(0, 64));
}

int64_t NumOutputs(const OpDef& op, const AttributeMap& attrs) {
  return op.num_outputs ? op.num_outputs(attrs) : static_cast<int64_t>(op.outputs.size());
}

absl::StatusOr<AttributeMap> AttributeParser::Attributes(const OpDef& op) {
  std::vector<AttributeInit> values;
  const size_t position = lexer_.position();
  if (lexer_.Consume("{")) {
    TANDEM_RETURN_IF_ERROR(lexer_.List("}", [&]() -> absl::Status {
      const size_t at = lexer_.position();
      TANDEM_ASSIGN_OR_RETURN(const absl::string_view name, lexer_.Word("an attribute"));
      const int index = op.attributes.Find(name);
      if (index < 0) {  // Create says which ones there are
        return lexer_.At(
            at, Annotate(AttributeMap::Create(op.attributes, {{name, true}}).status(), op.name));
      }
      TANDEM_RETURN_IF_ERROR(lexer_.Expect("="));
      TANDEM_ASSIGN_OR_RETURN(AttributeValue value, Value(op.attributes.defs()[index].type));
      values.emplace_back(name, std::move(value));
      return absl::OkStatus();
    }));
  }
  absl::StatusOr<AttributeMap> attrs = AttributeMap::Create(op.attributes, values);
  if (!attrs.ok()) return lexer_.At(position, Annotate(attrs.status(), op.name));
  return attrs;
}

absl::StatusOr<AttributeValue> AttributeParser::Value(AttributeType type) {
  const size_t position = lexer_.position();
  switch (type) {
    case AttributeType::kBool: {
      TANDEM_ASSIGN_OR_RETURN(const bool value, Number<bool>(DType::kBool));
      return AttributeValue(value);
    }
    case AttributeType::kInt: {
      TANDEM_ASSIGN_OR_RETURN(const int64_t value, Int());
      return AttributeValue(value);
    }
    case AttributeType::kDouble: {
      TANDEM_ASSIGN_OR_RETURN(const double value, Number<double>(DType::kF64));
      return AttributeValue(value);
    }
    case AttributeType::kString: {
      TANDEM_ASSIGN_OR_RETURN(std::string value, lexer_.String("text"));
      return AttributeValue(std::move(value));
    }
    case AttributeType::kDType: {
      TANDEM_ASSIGN_OR_RETURN(const absl::string_view name, lexer_.Word("a dtype"));
      absl::StatusOr<DType> dtype = ParseDType(name);
      if (!dtype.ok()) return lexer_.At(position, dtype.status());
      return AttributeValue(*dtype);
    }
    case AttributeType::kInts: {
      lexer_.Consume("ints");
      TANDEM_ASSIGN_OR_RETURN(AttributeValue::Ints values, Numbers<int64_t>(DType::kI64));
      return AttributeValue(std::move(values));
    }
    case AttributeType::kDoubles: {
      lexer_.Consume("doubles");
      TANDEM_ASSIGN_OR_RETURN(AttributeValue::Doubles values, Numbers<double>(DType::kF64));
      return AttributeValue(std::move(values));
    }
    case AttributeType::kBody: {
      if (depth_ == OpBody::kMaxDepth) {
        return lexer_.ErrorAt(
            position, absl::StrCat("bodies are nested more than ", OpBody::kMaxDepth, " deep"));
      }
      ++depth_;
      absl::StatusOr<Ref<const OpBody>> body = Body();
      --depth_;
      if (!body.ok()) return std::move(body).status();
      return AttributeValue(*std::move(body));
    }
  }
  return lexer_.ErrorAt(position, "an attribute of an unknown type");
}

// (%0: f32[2], %1: f32[2]) { %2 = add(%0, %1) : f32[2]; return %2 }
absl::StatusOr<Ref<const OpBody>> AttributeParser::Body() {
  TANDEM_RETURN_IF_ERROR(budget_.Take(sizeof(OpBody)));
  const size_t position = lexer_.position();
  Labels labels;
  std::vector<TensorSpec> inputs;
  TANDEM_RETURN_IF_ERROR(lexer_.Expect("("));
  TANDEM_RETURN_IF_ERROR(lexer_.List(")", [&]() -> absl::Status {
    TANDEM_RETURN_IF_ERROR(budget_.Take(kBodyValueBytes));
    TANDEM_ASSIGN_OR_RETURN(const TextLabel label, ParseLabel(lexer_));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect(":"));
    const size_t at = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, lexer_.Type());
    TANDEM_RETURN_IF_ERROR(lexer_.At(at, spec.shape.Validate()));
    TANDEM_RETURN_IF_ERROR(Define(label, static_cast<int32_t>(inputs.size()), labels));
    inputs.push_back(spec);
    return absl::OkStatus();
  }));
  TANDEM_RETURN_IF_ERROR(lexer_.Expect("{"));
  OpBody::Builder builder(std::move(inputs));
  while (!lexer_.Consume("return")) TANDEM_RETURN_IF_ERROR(BodyStep(builder, labels));
  TANDEM_ASSIGN_OR_RETURN(std::vector<int32_t> outputs, Uses("}", labels));
  absl::StatusOr<Ref<const OpBody>> body = builder.Finish(std::move(outputs));
  if (!body.ok()) return lexer_.At(position, body.status());
  return body;
}

// %a, %b = op(%x, %y) {axis=1} : f32[2], f32[2];
absl::Status AttributeParser::BodyStep(OpBody::Builder& builder, Labels& labels) {
  TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<OpBody::Step>));
  std::vector<TextLabel> results;
  do {
    TANDEM_RETURN_IF_ERROR(budget_.Take(kBodyValueBytes + kGrown<TextLabel>));
    TANDEM_ASSIGN_OR_RETURN(TextLabel label, ParseLabel(lexer_));
    results.push_back(std::move(label));
  } while (lexer_.Consume(","));
  TANDEM_RETURN_IF_ERROR(lexer_.Expect("="));
  const size_t position = lexer_.position();
  TANDEM_ASSIGN_OR_RETURN(const absl::string_view name, lexer_.Word("an op"));
  absl::StatusOr<const OpDef*> op = registry_.Get(name);
  if (!op.ok()) return lexer_.At(position, op.status());
  TANDEM_RETURN_IF_ERROR(lexer_.Expect("("));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<int32_t> inputs, Uses(")", labels));
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, Attributes(**op));
  if (const int64_t outputs = NumOutputs(**op, attrs);
      outputs != static_cast<int64_t>(results.size())) {
    return lexer_.ErrorAt(position, absl::StrCat(name, " has ", outputs, " results, but ",
                                                 results.size(), " are defined here"));
  }
  absl::StatusOr<int32_t> first = builder.Add(**op, attrs, inputs);
  if (!first.ok()) return lexer_.At(position, first.status());
  TANDEM_RETURN_IF_ERROR(lexer_.Expect(":"));
  for (size_t i = 0; i < results.size(); ++i) {
    if (i > 0) TANDEM_RETURN_IF_ERROR(lexer_.Expect(","));
    const size_t at = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, lexer_.Type());
    const int32_t value = *first + static_cast<int32_t>(i);
    if (builder.spec(value) != spec) {
      return lexer_.ErrorAt(
          at, absl::StrCat(ShownLabel(results[i].text), " is ", spec.ToString(),
                           " in the text, but ", builder.spec(value).ToString(), " by inference"));
    }
    TANDEM_RETURN_IF_ERROR(Define(results[i], value, labels));
  }
  return lexer_.Expect(";");
}

absl::StatusOr<std::vector<int32_t>> AttributeParser::Uses(absl::string_view end,
                                                           const Labels& labels) {
  std::vector<int32_t> uses;
  TANDEM_RETURN_IF_ERROR(lexer_.List(end, [&]() -> absl::Status {
    TANDEM_RETURN_IF_ERROR(budget_.Take(2 * kGrown<int32_t>));
    TANDEM_ASSIGN_OR_RETURN(const int32_t value, Use(labels));
    uses.push_back(value);
    return absl::OkStatus();
  }));
  return uses;
}

absl::StatusOr<int32_t> AttributeParser::Use(const Labels& labels) {
  TANDEM_ASSIGN_OR_RETURN(const TextLabel label, ParseLabel(lexer_));
  const auto it = labels.find(label.text);
  if (it != labels.end()) return it->second;
  return lexer_.ErrorAt(label.position,
                        absl::StrCat(ShownLabel(label.text), " is not defined in this body"));
}

absl::Status AttributeParser::Define(const TextLabel& label, int32_t value, Labels& labels) {
  if (labels.emplace(label.text, value).second) return absl::OkStatus();
  return lexer_.ErrorAt(label.position, absl::StrCat(ShownLabel(label.text), " is defined twice"));
}

template <typename T>
absl::StatusOr<T> AttributeParser::Number(DType dtype) {
  const size_t position = lexer_.position();
  TANDEM_ASSIGN_OR_RETURN(const absl::string_view literal, lexer_.Literal("a value"));
  std::vector<std::byte> bytes;
  TANDEM_RETURN_IF_ERROR(lexer_.At(position, ParseLiteral(literal, dtype, &bytes)));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

template <typename T>
absl::StatusOr<std::vector<T>> AttributeParser::Numbers(DType dtype) {
  std::vector<T> values;
  TANDEM_RETURN_IF_ERROR(lexer_.Expect("["));
  TANDEM_RETURN_IF_ERROR(lexer_.List("]", [&]() -> absl::Status {
    TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<T>));
    TANDEM_ASSIGN_OR_RETURN(const T value, Number<T>(dtype));
    values.push_back(value);
    return absl::OkStatus();
  }));
  return values;
}

template absl::StatusOr<int64_t> AttributeParser::Number<int64_t>(DType);

}  // namespace tandem
