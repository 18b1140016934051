#include "tandem/graph/passes/rewriter.h"

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::StatusOr<GraphRewriter> GraphRewriter::Create(const Graph& source) {
  GraphRewriter rewriter(source);
  rewriter.result_.set_random_blocks(source.random_blocks());
  for (const GraphInput& input : source.inputs()) {
    TANDEM_ASSIGN_OR_RETURN(
        rewriter.map_[input.value],
        rewriter.result_.AddInput(input.name, source.spec(input.value), input.kind));
  }
  return rewriter;
}

absl::StatusOr<ValueId> GraphRewriter::Map(ValueId old_value) {
  if (!source_->HasValue(old_value)) {
    return absl::InternalError(absl::StrCat("the graph has no value ", old_value));
  }
  ValueId& new_value = map_[old_value];
  if (new_value < 0) {
    const int32_t constant = source_->ConstantIndex(old_value);
    if (constant < 0) {
      return absl::InternalError(
          absl::StrCat(source_->ValueName(old_value), " is used but was left out"));
    }
    TANDEM_ASSIGN_OR_RETURN(new_value, result_.AddConstant(source_->constants()[constant].tensor));
  }
  return new_value;
}

absl::StatusOr<ValueIds> GraphRewriter::Map(absl::Span<const ValueId> old_values) {
  ValueIds new_values;
  for (const ValueId old_value : old_values) {
    TANDEM_ASSIGN_OR_RETURN(const ValueId new_value, Map(old_value));
    new_values.push_back(new_value);
  }
  return new_values;
}

absl::Status GraphRewriter::Copy(const Node& node) {
  return Add(*node.op, node.attrs, node.inputs, node.outputs, node.block, node.location);
}

absl::Status GraphRewriter::Add(const OpDef& op, const AttributeMap& attrs,
                                absl::Span<const ValueId> inputs, absl::Span<const ValueId> outputs,
                                std::string block, std::string location) {
  TANDEM_ASSIGN_OR_RETURN(const ValueIds new_inputs, Map(inputs));
  TANDEM_ASSIGN_OR_RETURN(
      const ValueIds made,
      result_.AddNode(op, attrs, new_inputs, std::move(block), std::move(location)));
  if (made.size() != outputs.size()) {
    return absl::InternalError(
        absl::StrCat(op.name, ": ", made.size(), " outputs stand for ", outputs.size()));
  }
  for (size_t i = 0; i < made.size(); ++i) TANDEM_RETURN_IF_ERROR(Bind(outputs[i], made[i]));
  return absl::OkStatus();
}

absl::Status GraphRewriter::Replace(ValueId old_value, ValueId by) {
  TANDEM_ASSIGN_OR_RETURN(const ValueId new_value, Map(by));
  return Bind(old_value, new_value);
}

absl::Status GraphRewriter::ReplaceByConstant(ValueId old_value, const Tensor& tensor) {
  TANDEM_ASSIGN_OR_RETURN(const ValueId new_value, result_.AddConstant(tensor));
  return Bind(old_value, new_value);
}

absl::Status GraphRewriter::Bind(ValueId old_value, ValueId new_value) {
  if (source_->spec(old_value) != result_.spec(new_value)) {
    return absl::InternalError(
        absl::StrCat(source_->ValueName(old_value), " is ", source_->spec(old_value).ToString(),
                     ", what stands for it ", result_.spec(new_value).ToString()));
  }
  map_[old_value] = new_value;
  return absl::OkStatus();
}

absl::StatusOr<Graph> GraphRewriter::Finish() {
  for (const GraphOutput& output : source_->outputs()) {
    TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(output.value));
    TANDEM_RETURN_IF_ERROR(result_.AddOutput(output.name, value));
  }
  for (const StateUpdate& update : source_->updates()) {
    TANDEM_ASSIGN_OR_RETURN(const ValueId value, Map(update.value));
    TANDEM_RETURN_IF_ERROR(result_.AddUpdate(update.input, value));
  }
  return std::move(result_);
}

}  // namespace tandem
