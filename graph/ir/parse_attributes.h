// Reads the attributes of a node, and the bodies that stand in them; a part of the parser of text.h.
//
//   TextBudget budget(&lexer, /*bytes=*/1 << 20);
//   AttributeParser parser(&lexer, &budget, registry);
//   TANDEM_ASSIGN_OR_RETURN(AttributeMap attrs, parser.Attributes(*op));  // {axis=1} or nothing
//
// A body may stand in an attribute of a step of a body, OpBody::kMaxDepth deep and no deeper: that is
// the only recursion there is.
// Thread rules: belongs to one thread.
#ifndef TANDEM_GRAPH_IR_PARSE_ATTRIBUTES_H_
#define TANDEM_GRAPH_IR_PARSE_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/dtype.h"
#include "tandem/core/tensor/tensor_spec.h"
#include "tandem/graph/ir/lexer.h"

namespace tandem {

// A vector that grows holds, while it moves, up to three times what is in it.
template <typename T>
inline constexpr int64_t kGrown = 3 * sizeof(T);

// The memory that what a text says may still take.
class TextBudget {
 public:
  TextBudget(TextLexer* lexer, int64_t bytes) : lexer_(lexer), left_(bytes) {}
  // Called before `bytes` are allocated. RESOURCE_EXHAUSTED with the place in the text.
  absl::Status Take(int64_t bytes);

 private:
  TextLexer* lexer_;
  int64_t left_;
};

// A label of a value, "%data" or %"5", and the place where it stands.
struct TextLabel {
  std::string text;  // as Graph::ValueName gives it, for names that it gives
  TextLexer::Name name;
  size_t position = 0;
};
absl::StatusOr<TextLabel> ParseLabel(TextLexer& lexer);
// For messages: escaped, and cut.
std::string ShownLabel(absl::string_view label);

// How many outputs a use of `op` has: to be asked before inference, which makes as many.
int64_t NumOutputs(const OpDef& op, const AttributeMap& attrs);

class AttributeParser {
 public:
  AttributeParser(TextLexer* lexer, TextBudget* budget, const OpRegistry& registry)
      : lexer_(*lexer), budget_(*budget), registry_(registry) {}

  // "{name=value, …}"; the defaults if there is no brace.
  absl::StatusOr<AttributeMap> Attributes(const OpDef& op);
  absl::StatusOr<int64_t> Int() { return Number<int64_t>(DType::kI64); }

 private:
  using Labels = absl::flat_hash_map<std::string, int32_t>;

  absl::StatusOr<AttributeValue> Value(AttributeType type);
  absl::StatusOr<Ref<const OpBody>> Body();
  absl::Status BodyStep(OpBody::Builder& builder, Labels& labels);
  absl::StatusOr<std::vector<int32_t>> Uses(absl::string_view end, const Labels& labels);
  absl::StatusOr<int32_t> Use(const Labels& labels);
  absl::Status Define(const TextLabel& label, int32_t value, Labels& labels);
  template <typename T>
  absl::StatusOr<T> Number(DType dtype);
  template <typename T>
  absl::StatusOr<std::vector<T>> Numbers(DType dtype);

  TextLexer& lexer_;
  TextBudget& budget_;
  const OpRegistry& registry_;
  int depth_ = 0;  // bodies around the place that is read
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_PARSE_ATTRIBUTES_H_
