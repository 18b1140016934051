// OpBody: a small straight-line program of ops, held by an attribute. It is what a fused op computes,
// and what the branches and the bodies of control flow are made of.
//
//   OpBody::Builder builder({{DType::kF32, {1, 256}}, {DType::kF32, {256}}});
//   TANDEM_ASSIGN_OR_RETURN(int32_t sum, builder.Add(*add, {}, {0, 1}));
//   TANDEM_ASSIGN_OR_RETURN(int32_t y, builder.Add(*relu, {}, {sum}));
//   TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> body, builder.Finish({y}));
//   body->ToString();
//   // (%0: f32[1,256], %1: f32[256]) { %2 = add(%0, %1) : f32[1,256]; %3 = relu(%2) : f32[1,256];
//   //  return %3 }
//
// Values are numbered: the inputs from 0, then the outputs of each step. A step uses only values
// with smaller numbers, so that every list of steps is a program. Steps are ops of any kind; one may
// hold a body itself, to the depth of kMaxDepth: whatever walks bodies may recurse.
//
// Why not a Graph: ops know nothing of graphs, and an attribute must be immutable, comparable and
// cheap to share. A body has no constants, no state and no names: what it needs are its inputs.
//
// Thread rules: immutable; a builder belongs to one thread.
#ifndef TANDEM_CORE_OP_OP_BODY_H_
#define TANDEM_CORE_OP_OP_BODY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

class OpBody final : public AttributeBody {
 public:
  // Bodies inside of bodies.
  static constexpr int kMaxDepth = 16;

  struct Step {
    const OpDef* op = nullptr;
    AttributeMap attrs;
    absl::InlinedVector<int32_t, 3> inputs;
    int32_t first_output = 0;  // the others follow
    int32_t num_outputs = 0;
  };

  class Builder {
   public:
    // Builds on the specs of the inputs, which become the values 0, 1, …
    explicit Builder(std::vector<TensorSpec> inputs)
        : num_inputs_(static_cast<int32_t>(inputs.size())), specs_(std::move(inputs)) {}

    // The number of the step's first output. INVALID_ARGUMENT for a value that is not there, and
    // for a body that is nested too deeply; other errors are those of the op's inference.
    absl::StatusOr<int32_t> Add(const OpDef& op, const AttributeMap& attrs,
                                absl::Span<const int32_t> inputs);
    int32_t num_values() const { return static_cast<int32_t>(specs_.size()); }
    // Of a value that is there.
    const TensorSpec& spec(int32_t value) const { return specs_[value]; }
    // INVALID_ARGUMENT for a value that is not there, or no values at all. The builder is used up.
    absl::StatusOr<Ref<const OpBody>> Finish(std::vector<int32_t> outputs);

   private:
    absl::Status CheckValue(absl::string_view user, int32_t value) const;

    int32_t num_inputs_;
    int depth_ = 1;
    std::vector<TensorSpec> specs_;
    std::vector<Step> steps_;
  };

  int32_t num_inputs() const { return num_inputs_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  // Of value `value`, for inputs as the body was built on.
  const TensorSpec& spec(int32_t value) const { return specs_[value]; }
  int32_t num_values() const { return static_cast<int32_t>(specs_.size()); }
  absl::Span<const TensorSpec> input_specs() const {
    return absl::MakeConstSpan(specs_).subspan(0, num_inputs_);
  }
  // 1 for a body whose steps hold none.
  int depth() const { return depth_; }
  // True if it is one scalar program over the elements (elementwise_expr.h): all steps are
  // elementwise, there is one output, and everything leads to it. The inputs then broadcast to the
  // output, whatever their shapes are.
  bool is_elementwise() const { return is_elementwise_; }

  // The specs of the outputs for other inputs. Errors name the step that does not take them.
  absl::StatusOr<SpecList> Infer(absl::Span<const TensorSpec* const> inputs) const;
  // The same steps on inputs of these specs; this body, if they are its own.
  absl::StatusOr<Ref<const OpBody>> WithInputs(absl::Span<const TensorSpec> inputs) const;
  // Runs the steps one by one: the body as a decomposition, and so its gradient. A value is released
  // after its last use.
  absl::StatusOr<TensorList> Run(absl::Span<const Tensor> inputs, Invoker& invoker) const;

  void AppendTo(std::string* out, size_t most) const override;
  bool Equals(const AttributeBody& other) const override;
  size_t Hash() const override { return hash_; }

 private:
  template <typename T, typename... Args>
  friend Ref<T> MakeRef(Args&&... args);
  OpBody() = default;

  absl::Status CheckCount(size_t given) const;
  bool ComputeIsElementwise() const;

  int32_t num_inputs_ = 0;
  int depth_ = 1;
  bool is_elementwise_ = false;
  size_t hash_ = 0;
  std::vector<TensorSpec> specs_;
  std::vector<Step> steps_;
  std::vector<int32_t> outputs_;
};

// The attribute `name` as the body that it is; null if there is none.
const OpBody* BodyAttribute(const AttributeMap& attrs, absl::string_view name = "body");

// The program that a use of `op` runs, if that is what the op is there for (OpDef::runs_body); null
// for all other ops.
const OpBody* BodyOf(const OpDef& op, const AttributeMap& attrs);

}  // namespace tandem

#endif  // TANDEM_CORE_OP_OP_BODY_H_
