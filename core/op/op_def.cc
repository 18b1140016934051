#include "tandem/core/op/op_def.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

// Levenshtein distance, for "did you mean".
int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

std::string InputName(const OpDef& op, int i) {
  const int last = static_cast<int>(op.inputs.size()) - 1;
  if (op.variadic && i >= last) return absl::StrCat(op.inputs[last].name, "[", i - last, "]");
  return i <= last ? op.inputs[i].name : absl::StrCat("input ", i);
}

absl::Status CheckArity(const InferContext& context) {
  const OpDef& op = context.op();
  const int declared = static_cast<int>(op.inputs.size());
  const bool fits =
      op.variadic ? context.num_inputs() >= declared : context.num_inputs() == declared;
  if (fits) return absl::OkStatus();
  return context.Error(absl::StrCat("takes ", op.variadic ? "at least " : "", declared,
                                    declared == 1 ? " input, " : " inputs, ", context.num_inputs(),
                                    " given"));
}

}  // namespace

absl::Status InferContext::Error(absl::string_view rule, absl::string_view hint) const {
  std::string text = absl::StrCat(op_.name, "(");
  // A long list of inputs is cut: the text is for people.
  constexpr int kShown = 8;
  for (int i = 0; i < num_inputs(); ++i) {
    if (i > 0) text += ", ";
    if (i == kShown) {
      absl::StrAppend(&text, "… ", num_inputs() - kShown, " more");
      break;
    }
    absl::StrAppend(&text, InputName(op_, i), " ", input(i).ToString());
  }
  // A body may be of any length.
  constexpr size_t kMostAttributes = 512;
  absl::StrAppend(&text, ")", attrs_.Shortened(kMostAttributes), ": ", rule);
  if (!hint.empty()) absl::StrAppend(&text, "; ", hint);
  return absl::InvalidArgumentError(text);
}

absl::StatusOr<TensorList> VjpContext::Finish(TensorList input_grads) const {
  if (!emit.status().ok()) return emit.status();
  return input_grads;
}

absl::StatusOr<TensorList> DecomposeContext::Finish(TensorList outputs) const {
  if (!emit.status().ok()) return emit.status();
  return outputs;
}

absl::StatusOr<SpecList> InferSpecs(const OpDef& op, const AttributeMap& attrs,
                                    absl::Span<const TensorSpec* const> inputs) {
  const InferContext context(op, attrs, inputs);
  TANDEM_RETURN_IF_ERROR(CheckArity(context));
  TANDEM_ASSIGN_OR_RETURN(SpecList specs, op.infer(context));
  for (const TensorSpec& spec : specs) {
    if (absl::Status status = spec.shape.Validate(); !status.ok()) {
      return absl::Status(
          status.code(),
          context.Error(absl::StrCat("its result would not fit: ", status.message())).message());
    }
  }
  return specs;
}

absl::StatusOr<SpecList> InferSpecs(const OpDef& op, const AttributeMap& attrs,
                                    absl::Span<const Tensor> inputs) {
  absl::InlinedVector<const TensorSpec*, 8> specs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      return absl::InvalidArgumentError(
          absl::StrCat(op.name, ": ", InputName(op, static_cast<int>(i)), " is undefined"));
    }
    specs.push_back(&inputs[i].spec());
  }
  return InferSpecs(op, attrs, specs);
}

OpRegistry& OpRegistry::Global() {
  static auto* registry = new OpRegistry;
  return *registry;
}

absl::Status OpRegistry::Register(OpDef def) {
  if (def.name.empty() || !def.infer) {
    return absl::InvalidArgumentError(
        absl::StrCat("op '", def.name, "' needs a name and an inference function"));
  }
  if (def.variadic && def.inputs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("op '", def.name, "' is variadic but names no input"));
  }
  if (def.scalar) def.traits.inplace_safe = true;
  if (def.runs_body && def.attributes.Find("body") < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("op '", def.name, "' runs a body but has no attribute 'body'"));
  }
  absl::MutexLock lock(&mutex_);
  if (by_name_.contains(def.name)) {
    return absl::AlreadyExistsError(absl::StrCat("op '", def.name, "' is registered already"));
  }
  def.id = static_cast<int>(ops_.size());
  ops_.push_back(std::make_unique<OpDef>(std::move(def)));
  by_name_.emplace(ops_.back()->name, ops_.back().get());
  return absl::OkStatus();
}

const OpDef* OpRegistry::Find(absl::string_view name) const {
  absl::ReaderMutexLock lock(&mutex_);
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

absl::StatusOr<const OpDef*> OpRegistry::Get(absl::string_view name) const {
  if (const OpDef* op = Find(name)) return op;
  absl::string_view best;
  // Names are short; a name from a file may be of any length.
  const absl::string_view shown = name.substr(0, 64);
  int best_distance = 4;
  absl::ReaderMutexLock lock(&mutex_);
  for (const auto& op : ops_) {
    const int distance = EditDistance(shown, op->name);
    if (distance < best_distance) {
      best_distance = distance;
      best = op->name;
    }
  }
  return absl::NotFoundError(absl::StrCat(
      "no op '", shown, "'", best.empty() ? "" : absl::StrCat("; did you mean '", best, "'?"),
      ops_.empty() ? " (no ops are registered: call RegisterStandardOps)" : ""));
}

std::vector<const OpDef*> OpRegistry::ops() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<const OpDef*> result;
  for (const auto& op : ops_) result.push_back(op.get());
  return result;
}

}  // namespace tandem
