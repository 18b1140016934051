#include "tandem/frontends/cpp/codegen/op_writer.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace tandem::codegen {
namespace {

// Runs of text up to 100 columns, each line after `prefix`.
std::string Wrapped(absl::string_view text, absl::string_view prefix, size_t columns = 100) {
  std::string out;
  for (absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::string line(prefix);
    bool empty = true;
    for (absl::string_view word : absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      if (!empty && line.size() + 1 + word.size() > columns) {
        absl::StrAppend(&out, line, "\n");
        line = std::string(prefix);
        empty = true;
      }
      if (!empty) line += ' ';
      absl::StrAppend(&line, word);
      empty = false;
    }
    if (!empty) absl::StrAppend(&out, line, "\n");
  }
  return out;
}

// Parameters go one by one, indented under the opening parenthesis.
std::string Signature(absl::string_view head, const std::vector<std::string>& parameters) {
  std::string out(head);
  out += '(';
  const std::string indent(out.size(), ' ');
  size_t column = out.size();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool last = i + 1 == parameters.size();
    const size_t width = parameters[i].size() + (last ? 2 : 1);
    if (i > 0 && column + 1 + width > 100) {
      absl::StrAppend(&out, "\n", indent);
      column = indent.size();
    } else if (i > 0) {
      out += ' ';
      ++column;
    }
    absl::StrAppend(&out, parameters[i], last ? "" : ",");
    column += width;
  }
  return out + ")";
}

std::string DTypeConstant(DType dtype) {
  std::string name(DTypeName(dtype));
  if (name == "bool") return "DType::kBool";
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return absl::StrCat("DType::k", name);
}

std::string MemberType(AttributeType type) {
  switch (type) {
    case AttributeType::kBool:
      return "bool";
    case AttributeType::kInt:
      return "int64_t";
    case AttributeType::kDouble:
      return "double";
    case AttributeType::kString:
      return "std::string";
    case AttributeType::kDType:
      return "DType";
    case AttributeType::kInts:
      return "IntList";
    case AttributeType::kDoubles:
      return "std::vector<double>";
    case AttributeType::kBody:
      return "Ref<const OpBody>";
  }
  return "void";
}

std::string ParameterType(AttributeType type) {
  const std::string member = MemberType(type);
  switch (type) {
    case AttributeType::kString:
    case AttributeType::kInts:
    case AttributeType::kDoubles:
    case AttributeType::kBody:
      return absl::StrCat("const ", member, "&");
    default:
      return member;
  }
}

// A default value as C++.
std::string Literal(const AttributeValue& value) {
  switch (value.type()) {
    case AttributeType::kString:
      return absl::StrCat("\"", *value.get<std::string>(), "\"");
    case AttributeType::kDType:
      return DTypeConstant(*value.get<DType>());
    case AttributeType::kInts:
      return absl::StrCat("{", absl::StrJoin(*value.get<std::vector<int64_t>>(), ", "), "}");
    case AttributeType::kDoubles:
      return absl::StrCat("{", absl::StrJoin(*value.get<std::vector<double>>(), ", "), "}");
    default:
      return value.ToString();
  }
}

std::vector<const AttributeDef*> Attributes(const OpDef& op, bool required) {
  std::vector<const AttributeDef*> result;
  for (const AttributeDef& def : op.attributes.defs()) {
    if (def.required == required) result.push_back(&def);
  }
  return result;
}

bool HasOptions(const OpDef& op) { return !Attributes(op, false).empty(); }
bool ManyOutputs(const OpDef& op) { return op.outputs.size() > 1 && !op.num_outputs; }

std::string ReturnType(const OpDef& op) {
  if (op.num_outputs) return "TensorList";
  return ManyOutputs(op) ? absl::StrCat(CamelCase(op.name), "Outputs") : "Tensor";
}

// `declaration`: with default arguments.
std::vector<std::string> Parameters(const OpDef& op, bool declaration) {
  std::vector<std::string> result;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const bool list = op.variadic && i + 1 == op.inputs.size();
    result.push_back(
        absl::StrCat(list ? "absl::Span<const Tensor> " : "const Tensor& ", op.inputs[i].name));
  }
  for (const AttributeDef* def : Attributes(op, true)) {
    result.push_back(absl::StrCat(ParameterType(def->type), " ", def->name));
  }
  if (HasOptions(op)) {
    result.push_back(
        absl::StrCat("const ", CamelCase(op.name), "Options& options", declaration ? " = {}" : ""));
  }
  if (op.inputs.empty()) {
    result.push_back(absl::StrCat("Device* device", declaration ? " = nullptr" : ""));
  }
  result.push_back(
      absl::StrCat("SourceLocation loc", declaration ? " = SourceLocation::current()" : ""));
  return result;
}

std::string Documentation(const OpDef& op) {
  std::string out = Wrapped(op.doc, "// ");
  auto item = [&](absl::string_view name, absl::string_view doc) {
    if (!doc.empty()) out += Wrapped(absl::StrCat(name, ": ", doc), "//   ");
  };
  for (const OpInput& input : op.inputs) item(input.name, input.doc);
  for (const AttributeDef* def : Attributes(op, true)) item(def->name, def->doc);
  if (op.inputs.empty()) item("device", "where; null: the default device");
  return out;
}

std::string OptionsStruct(const OpDef& op) {
  std::string out = absl::StrCat("struct ", CamelCase(op.name), "Options {\n");
  for (const AttributeDef* def : Attributes(op, false)) {
    std::string doc = def->doc;
    if (!def->choices.empty()) {
      absl::StrAppend(&doc, doc.empty() ? "one of " : "; one of ",
                      absl::StrJoin(def->choices, ", ", [](std::string* text, const auto& choice) {
                        absl::StrAppend(text, "\"", choice, "\"");
                      }));
    }
    if (!doc.empty()) out += Wrapped(doc, "  // ");
    absl::StrAppend(&out, "  ", MemberType(def->type), " ", def->name, " = ",
                    Literal(def->default_value), ";\n");
  }
  return out + "};\n";
}

std::string OutputsStruct(const OpDef& op) {
  std::string out = absl::StrCat("struct ", CamelCase(op.name), "Outputs {\n");
  for (const std::string& name : op.outputs) absl::StrAppend(&out, "  Tensor ", name, ";\n");
  return out + "};\n";
}

// How an attribute is handed over.
std::string Argument(const AttributeDef& def) {
  const std::string name = def.required ? def.name : absl::StrCat("options.", def.name);
  return def.type == AttributeType::kInts ? name + ".values()" : name;
}

std::string Inputs(const OpDef& op) {
  if (!op.variadic) {
    return absl::StrCat(
        "{",
        absl::StrJoin(op.inputs, ", ",
                      [](std::string* out, const OpInput& i) { absl::StrAppend(out, i.name); }),
        "}");
  }
  const std::string& last = op.inputs.back().name;
  if (op.inputs.size() == 1) return last;
  std::vector<std::string> first;
  for (size_t i = 0; i + 1 < op.inputs.size(); ++i) first.push_back(op.inputs[i].name);
  return absl::StrCat("internal::Join({", absl::StrJoin(first, ", "), "}, ", last, ")");
}

std::string Definition(const OpDef& op) {
  std::string out =
      Signature(absl::StrCat(ReturnType(op), " ", CamelCase(op.name)), Parameters(op, false));
  absl::StrAppend(&out, " {\n  static const OpDef& op = internal::FindOp(\"", op.name, "\");\n");
  std::string attrs = "attrs";
  if (op.attributes.defs().empty()) {
    absl::StrAppend(&out, "  static const AttributeMap attrs = internal::DefaultAttributes(op);\n");
  } else {
    attrs = absl::StrCat("{",
                         absl::StrJoin(op.attributes.defs(), ", ",
                                       [](std::string* text, const auto& def) {
                                         absl::StrAppend(text, "{\"", def.name, "\", ",
                                                         Argument(def), "}");
                                       }),
                         "}");
  }
  absl::StrAppend(&out, "  TensorList outputs = internal::CallOp(op, ", Inputs(op), ", ", attrs,
                  ", loc", op.inputs.empty() ? ", device" : "", ");\n");
  if (op.num_outputs) {
    out += "  return outputs;\n";
  } else if (ManyOutputs(op)) {
    std::vector<std::string> moved;
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      moved.push_back(absl::StrCat("internal::Take(outputs, ", i, ")"));
    }
    absl::StrAppend(&out, "  return {", absl::StrJoin(moved, ", "), "};\n");
  } else {
    out += "  return internal::Take(outputs, 0);\n";
  }
  return out + "}\n";
}

constexpr char kHeaderStart[] = R"(// Generated from the op registry by frontends/cpp/codegen.
//
// One function for each op. They run on this thread's interpreter: at once, or, for symbols and in
// a hybridized block's trace, into the graph. Errors are thrown as tandem::Error with the op, the
// shapes, the rule and the line that called.
//
//   Tensor y = Sum(x, {.axes = {0}, .keepdims = true});
//
// Thread rules: any thread.
#ifndef TANDEM_FRONTENDS_CPP_OPS_H_
#define TANDEM_FRONTENDS_CPP_OPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/int_list.h"

namespace tandem {

)";

constexpr char kSourceStart[] = R"(// Generated from the op registry by frontends/cpp/codegen.

#include "tandem/frontends/cpp/ops.h"

#include "tandem/frontends/cpp/op_call.h"

namespace tandem {

)";

constexpr char kReferenceStart[] = R"(# Ops

Generated from the op registry: do not edit, run
`bazel run //frontends/cpp/codegen:update_reference`.

A signature lists inputs, then attributes with their defaults (none: required). The C++ function of
an op is its name in camel case; optional attributes are the members of its options.
)";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}

std::string ReferenceEntry(const OpDef& op) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const bool list = op.variadic && i + 1 == op.inputs.size();
    parts.push_back(absl::StrCat(op.inputs[i].name, list ? "..." : ""));
  }
  for (const AttributeDef& def : op.attributes.defs()) {
    parts.push_back(def.required ? absl::StrCat(def.name, ": ", AttributeTypeName(def.type))
                                 : absl::StrCat(def.name, "=", def.default_value.ToString()));
  }
  std::string out =
      absl::StrCat("\n### `", op.name, "`\n\n`", op.name, "(", absl::StrJoin(parts, ", "), ") -> ",
                   absl::StrJoin(op.outputs, ", "), op.num_outputs ? "..." : "", "`\n\n");
  out += Wrapped(op.doc, "", 120);
  std::string rows;
  for (const OpInput& input : op.inputs) {
    if (!input.doc.empty()) {
      absl::StrAppend(&rows, "| `", input.name, "` | input | ", Escaped(input.doc), " |\n");
    }
  }
  for (const AttributeDef& def : op.attributes.defs()) {
    std::string doc = def.doc;
    if (!def.choices.empty()) {
      absl::StrAppend(&doc, doc.empty() ? "" : "; ", "one of ", absl::StrJoin(def.choices, ", "));
    }
    absl::StrAppend(&rows, "| `", def.name, "` | ", AttributeTypeName(def.type), " | ",
                    Escaped(doc), " |\n");
  }
  if (!rows.empty()) absl::StrAppend(&out, "\n| name | kind | |\n|---|---|---|\n", rows);
  std::vector<std::string> facts;
  if (op.scalar) facts.push_back("elementwise");
  if (op.view) facts.push_back("a view where memory allows");
  if (op.decompose) facts.push_back("made of other ops where there is no kernel");
  if (!op.traits.differentiable) facts.push_back("no gradient");
  if (!facts.empty()) absl::StrAppend(&out, "\n", absl::StrJoin(facts, "; "), ".\n");
  return out;
}

// The ops family by family; families in the order in which they first appear.
std::vector<std::pair<std::string, std::vector<const OpDef*>>> ByFamily(
    const std::vector<const OpDef*>& ops) {
  std::vector<std::pair<std::string, std::vector<const OpDef*>>> families;
  for (const OpDef* op : ops) {
    auto family = families.begin();
    while (family != families.end() && family->first != op->family) ++family;
    if (family == families.end()) family = families.insert(family, {op->family, {}});
    family->second.push_back(op);
  }
  return families;
}

}  // namespace

std::string CamelCase(absl::string_view name) {
  if (name == "matmul") return "MatMul";
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

std::string CppHeader(const std::vector<const OpDef*>& ops) {
  std::string out = kHeaderStart;
  for (const auto& [family, members] : ByFamily(ops)) {
    absl::StrAppend(&out, "// --- ", family, " ",
                    std::string(92 - std::min<size_t>(family.size(), 80), '-'), "\n\n");
    for (const OpDef* op : members) {
      if (HasOptions(*op)) absl::StrAppend(&out, OptionsStruct(*op), "\n");
      if (ManyOutputs(*op)) absl::StrAppend(&out, OutputsStruct(*op), "\n");
      absl::StrAppend(
          &out, Documentation(*op),
          Signature(absl::StrCat(ReturnType(*op), " ", CamelCase(op->name)), Parameters(*op, true)),
          ";\n\n");
    }
  }
  return out + "}  // namespace tandem\n\n#endif  // TANDEM_FRONTENDS_CPP_OPS_H_\n";
}

std::string CppSource(const std::vector<const OpDef*>& ops) {
  std::string out = kSourceStart;
  for (const OpDef* op : ops) absl::StrAppend(&out, Definition(*op), "\n");
  return out + "}  // namespace tandem\n";
}

std::string Reference(const std::vector<const OpDef*>& ops) {
  std::string out = kReferenceStart;
  for (const auto& [family, members] : ByFamily(ops)) {
    absl::StrAppend(&out, "\n## ", family, "\n");
    for (const OpDef* op : members) out += ReferenceEntry(*op);
  }
  return out;
}

}  // namespace tandem::codegen
