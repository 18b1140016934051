#include "tandem/core/op/op_body.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

int DepthOf(const AttributeMap& attrs) {
  int depth = 0;
  for (int i = 0; i < attrs.size(); ++i) {
    const auto* body = static_cast<const OpBody*>(attrs.value(i).body());
    if (body != nullptr) depth = std::max(depth, body->depth());
  }
  return depth;
}

bool IsElementwiseStep(const OpBody::Step& step) {
  if (step.op->scalar) return step.num_outputs == 1;
  const OpBody* body = BodyOf(*step.op, step.attrs);
  return body != nullptr && body->is_elementwise();
}

}  // namespace

absl::Status OpBody::Builder::CheckValue(absl::string_view user, int32_t value) const {
  if (value >= 0 && value < num_values()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a body's ", user, " uses %", value,
                                                 ", but its values up to there are %0 to %",
                                                 num_values() - 1));
}

absl::StatusOr<int32_t> OpBody::Builder::Add(const OpDef& op, const AttributeMap& attrs,
                                             absl::Span<const int32_t> inputs) {
  absl::InlinedVector<const TensorSpec*, 4> input_specs;
  for (const int32_t input : inputs) {
    TANDEM_RETURN_IF_ERROR(CheckValue(op.name, input));
    input_specs.push_back(&specs_[input]);
  }
  const int depth = DepthOf(attrs) + 1;
  if (depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat("bodies are nested more than ", kMaxDepth, " deep; put them side by side"));
  }
  TANDEM_ASSIGN_OR_RETURN(const SpecList outputs, InferSpecs(op, attrs, input_specs));
  Step step;
  step.op = &op;
  step.attrs = attrs;
  step.inputs.assign(inputs.begin(), inputs.end());
  step.first_output = num_values();
  step.num_outputs = static_cast<int32_t>(outputs.size());
  specs_.insert(specs_.end(), outputs.begin(), outputs.end());
  steps_.push_back(std::move(step));
  depth_ = std::max(depth_, depth);
  return steps_.back().first_output;
}

absl::StatusOr<Ref<const OpBody>> OpBody::Builder::Finish(std::vector<int32_t> outputs) {
  if (outputs.empty()) return absl::InvalidArgumentError("a body has no outputs");
  for (const int32_t output : outputs) TANDEM_RETURN_IF_ERROR(CheckValue("return", output));
  Ref<OpBody> body = MakeRef<OpBody>();
  body->num_inputs_ = num_inputs_;
  body->depth_ = depth_;
  body->specs_ = std::move(specs_);
  body->steps_ = std::move(steps_);
  body->outputs_ = std::move(outputs);
  body->is_elementwise_ = body->ComputeIsElementwise();
  size_t hash = absl::HashOf(num_inputs_, body->specs_, body->outputs_);
  for (const Step& step : body->steps_) hash = absl::HashOf(hash, step.op, step.attrs, step.inputs);
  body->hash_ = hash;
  return Ref<const OpBody>(std::move(body));
}

bool OpBody::ComputeIsElementwise() const {
  if (steps_.empty() || outputs_.size() != 1) return false;
  std::vector<bool> used(specs_.size(), false);
  for (const Step& step : steps_) {
    if (!IsElementwiseStep(step)) return false;
    for (const int32_t input : step.inputs) used[input] = true;
  }
  // The output is what the last step gives: anything else would not lead to it.
  if (outputs_[0] != num_values() - 1 || used[outputs_[0]]) return false;
  used[outputs_[0]] = true;
  return std::find(used.begin(), used.end(), false) == used.end();
}

absl::Status OpBody::CheckCount(size_t given) const {
  if (given == static_cast<size_t>(num_inputs_)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the body takes ", num_inputs_,
                                                 num_inputs_ == 1 ? " input, " : " inputs, ", given,
                                                 given == 1 ? " is given" : " are given"));
}

absl::StatusOr<SpecList> OpBody::Infer(absl::Span<const TensorSpec* const> inputs) const {
  TANDEM_RETURN_IF_ERROR(CheckCount(inputs.size()));
  std::vector<TensorSpec> specs;
  for (const TensorSpec* input : inputs) specs.push_back(*input);
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body, WithInputs(specs));
  SpecList outputs;
  for (const int32_t output : body->outputs_) outputs.push_back(body->specs_[output]);
  return outputs;
}

absl::StatusOr<Ref<const OpBody>> OpBody::WithInputs(absl::Span<const TensorSpec> inputs) const {
  TANDEM_RETURN_IF_ERROR(CheckCount(inputs.size()));
  if (inputs == input_specs()) return RefFrom(this);
  Builder builder({inputs.begin(), inputs.end()});
  for (const Step& step : steps_) {
    TANDEM_ASSIGN_OR_RETURN(const int32_t output, builder.Add(*step.op, step.attrs, step.inputs));
    if (builder.num_values() - output != step.num_outputs) {
      return absl::InternalError(absl::StrCat(step.op->name, " has ", step.num_outputs,
                                              " outputs, for other inputs ",
                                              builder.num_values() - output));
    }
  }
  return builder.Finish(outputs_);
}

absl::StatusOr<TensorList> OpBody::Run(absl::Span<const Tensor> inputs, Invoker& invoker) const {
  TANDEM_RETURN_IF_ERROR(CheckCount(inputs.size()));
  std::vector<int32_t> uses(specs_.size(), 0);
  for (const Step& step : steps_) {
    for (const int32_t input : step.inputs) ++uses[input];
  }
  for (const int32_t output : outputs_) ++uses[output];
  std::vector<Tensor> values(inputs.begin(), inputs.end());
  values.resize(specs_.size());
  // Where a step without inputs runs.
  Device* device = nullptr;
  for (const Tensor& input : inputs) {
    if (device == nullptr && input.defined()) device = input.device();
  }
  std::vector<Tensor> operands;
  std::vector<AttributeInit> attrs;
  for (const Step& step : steps_) {
    operands.clear();
    for (const int32_t input : step.inputs) {
      operands.push_back(values[input]);
      if (--uses[input] == 0) values[input] = Tensor();
    }
    attrs.clear();
    for (int i = 0; i < step.attrs.size(); ++i) {
      attrs.emplace_back(step.attrs.schema().defs()[i].name, step.attrs.value(i));
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList results,
                            invoker.Invoke(step.op->name, operands, attrs, device));
    if (static_cast<int32_t>(results.size()) != step.num_outputs) {
      return absl::InternalError(absl::StrCat(step.op->name, " gave ", results.size(),
                                              " results, expected ", step.num_outputs));
    }
    for (int32_t i = 0; i < step.num_outputs; ++i) {
      if (uses[step.first_output + i] > 0) values[step.first_output + i] = std::move(results[i]);
    }
  }
  TensorList outputs;
  for (const int32_t output : outputs_) outputs.push_back(values[output]);
  return outputs;
}

void OpBody::AppendTo(std::string* out, size_t most) const {
  const auto full = [out, most] { return out->size() > most; };
  const auto append_values = [&](const auto& values) {
    for (size_t i = 0; i < values.size() && !full(); ++i) {
      absl::StrAppend(out, i == 0 ? "%" : ", %", values[i]);
    }
  };
  *out += "(";
  for (int32_t i = 0; i < num_inputs_ && !full(); ++i) {
    absl::StrAppend(out, i == 0 ? "%" : ", %", i, ": ", specs_[i].ToString());
  }
  *out += ") { ";
  for (const Step& step : steps_) {
    if (full()) return;
    for (int32_t i = 0; i < step.num_outputs && !full(); ++i) {
      absl::StrAppend(out, i == 0 ? "%" : ", %", step.first_output + i);
    }
    absl::StrAppend(out, " = ", step.op->name, "(");
    append_values(step.inputs);
    *out += ") ";
    const size_t before = out->size();
    step.attrs.AppendTo(out, most);
    *out += out->size() == before ? ": " : " : ";
    for (int32_t i = 0; i < step.num_outputs && !full(); ++i) {
      absl::StrAppend(out, i == 0 ? "" : ", ", specs_[step.first_output + i].ToString());
    }
    *out += "; ";
  }
  *out += "return ";
  append_values(outputs_);
  *out += " }";
}

bool OpBody::Equals(const AttributeBody& other) const {
  // There is no other kind of body.
  const auto& b = static_cast<const OpBody&>(other);
  const auto same = [](const Step& x, const Step& y) {
    return x.op == y.op && x.inputs == y.inputs && x.attrs == y.attrs;
  };
  return this == &b ||
         (hash_ == b.hash_ && num_inputs_ == b.num_inputs_ && outputs_ == b.outputs_ &&
          specs_ == b.specs_ &&
          std::equal(steps_.begin(), steps_.end(), b.steps_.begin(), b.steps_.end(), same));
}

const OpBody* BodyAttribute(const AttributeMap& attrs, absl::string_view name) {
  return static_cast<const OpBody*>(attrs.Body(name));
}

const OpBody* BodyOf(const OpDef& op, const AttributeMap& attrs) {
  return op.runs_body ? BodyAttribute(attrs) : nullptr;
}

}  // namespace tandem
