// OpDef: everything Tandem knows of an op, in one place.
//
// An op is defined once, in core/ops: attributes, shape and dtype inference, gradient, and, where it
// has them, a scalar expression (elementwise ops), a view function (ops that only re-describe
// memory) or a decomposition into other ops. Kernels are registered apart (kernel.h), so a device
// can be added without touching a definition. The C++ and Python op functions and docs/ops.md are
// generated from what stands here.
//
//   OpDef def;
//   def.name = "softmax";
//   def.doc = "exp(x) / sum(exp(x)) along an axis.";
//   def.inputs = {{"x", "any floating-point shape"}};
//   def.attributes = {AttributeDef::Optional("axis", -1, "axis that sums to one")};
//   def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> { return SpecList{c.input(0)}; };
//   def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> { ... };
//   TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
//
// Thread rules: definitions are constant once registered; the registry's methods may be called from
// any thread.
#ifndef TANDEM_CORE_OP_OP_DEF_H_
#define TANDEM_CORE_OP_OP_DEF_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

struct OpDef;

// What inference may look at: attributes and the specs of the inputs. Never values.
class InferContext {
 public:
  InferContext(const OpDef& op, const AttributeMap& attrs,
               absl::Span<const TensorSpec* const> inputs)
      : op_(op), attrs_(attrs), inputs_(inputs) {}

  const OpDef& op() const { return op_; }
  const AttributeMap& attrs() const { return attrs_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const TensorSpec& input(int i) const { return *inputs_[i]; }

  // INVALID_ARGUMENT "matmul(lhs f32[2,3], rhs f32[4,5]): <rule>; <hint>".
  absl::Status Error(absl::string_view rule, absl::string_view hint = "") const;

 private:
  const OpDef& op_;
  const AttributeMap& attrs_;
  absl::Span<const TensorSpec* const> inputs_;
};

// What a gradient is written with: the op's inputs and outputs, the gradients of the outputs, and
// an emitter that runs ops (eagerly, or into a graph).
class VjpContext {
 public:
  VjpContext(const AttributeMap& attrs, absl::Span<const Tensor> inputs,
             absl::Span<const Tensor> outputs, absl::Span<const Tensor> grads, uint64_t wanted,
             Invoker& invoker)
      : emit(invoker),
        attrs_(attrs),
        inputs_(inputs),
        outputs_(outputs),
        grads_(grads),
        wanted_(wanted) {}

  // Runs ops: c.emit("mul", {a, b}). Errors stick, see Emitter.
  Emitter emit;

  const AttributeMap& attrs() const { return attrs_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const Tensor& input(int i) const { return inputs_[i]; }
  const Tensor& output(int i) const { return outputs_[i]; }
  // The gradient of output i; undefined if nothing depends on that output.
  const Tensor& grad(int i = 0) const { return grads_[i]; }
  bool has_grad(int i) const { return grads_[i].defined(); }
  // False: input i's gradient is not needed, leave it undefined.
  bool wants(int i) const { return i >= 64 || ((wanted_ >> i) & 1) != 0; }

  // The result, or the first error of `emit`.
  absl::StatusOr<TensorList> Finish(TensorList input_grads) const;

 private:
  const AttributeMap& attrs_;
  absl::Span<const Tensor> inputs_;
  absl::Span<const Tensor> outputs_;
  absl::Span<const Tensor> grads_;
  uint64_t wanted_;
};

// What a decomposition is written with.
class DecomposeContext {
 public:
  DecomposeContext(const AttributeMap& attrs, absl::Span<const Tensor> inputs, Invoker& invoker)
      : emit(invoker), attrs_(attrs), inputs_(inputs) {}
  Emitter emit;
  const AttributeMap& attrs() const { return attrs_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const Tensor& input(int i) const { return inputs_[i]; }
  absl::StatusOr<TensorList> Finish(TensorList outputs) const;

 private:
  const AttributeMap& attrs_;
  absl::Span<const Tensor> inputs_;
};

using LayoutList = absl::InlinedVector<TensorLayout, 2>;

// Output specs from input specs. Synchronous, forward only.
using InferFn = std::function<absl::StatusOr<SpecList>(const InferContext&)>;
// Gradients of the inputs (undefined where an input has none), by vector-Jacobian product.
using VjpFn = std::function<absl::StatusOr<TensorList>(VjpContext&)>;
// The op in terms of other ops.
using DecomposeFn = std::function<absl::StatusOr<TensorList>(DecomposeContext&)>;
// Describes the outputs as other layouts of input 0's memory. Returns false if this layout does not
// allow it; a contiguous input always must.
using ViewFn = std::function<bool(const TensorLayout& input, const AttributeMap& attrs,
                                  absl::Span<const TensorSpec> outputs, LayoutList* layouts)>;
// The elementwise expression, for inputs that were broadcast and promoted.
using ScalarFn = std::function<ScalarValue(ScalarBuilder& builder,
                                           absl::Span<const ScalarValue> inputs,
                                           const AttributeMap& attrs)>;


// --- control flow: ops whose bodies (attributes, op_body.h) run as values say ---------------------

// What one input of a body is, in terms of the op's inputs.
struct BodyInput {
  enum class Kind : uint8_t {
    kCaptured,  // the op's input as it lies, the same at every run of the body
    kState,     // at first the op's input, then what the body gave; contiguous
    kSlice,     // the op's input at one index of its first axis; contiguous
  } kind = Kind::kCaptured;
  int input = 0;  // the op's input
};

// Runs the bodies of one use of an op: eagerly step by step, or as compiled programs.
class BodyRunner {
 public:
  virtual ~BodyRunner() = default;
  // `body`: which of the op's body attributes, in the order of its schema. Output i is written to
  // into[i] where that is a tensor (contiguous, of the output's spec); with `into` empty nothing
  // is. The results are contiguous.
  virtual absl::StatusOr<TensorList> Run(int body, absl::Span<const Tensor> inputs,
                                         absl::Span<const Tensor> into) = 0;
  // Runs single ops, at once.
  virtual Invoker& invoker() = 0;
};

// What a control-flow op is executed with. All tensors are concrete, the work is queued on the
// default stream of the inputs' device.
struct ControlContext {
  const AttributeMap& attrs;
  absl::Span<const Tensor> inputs;
  absl::Span<const TensorSpec> outputs;
  absl::Span<const Tensor> into;  // where results go, as for BodyRunner::Run
  BodyRunner& runner;
};

// How an op decides, on the host, which of its bodies run, how often and on what. Not for devices:
// whatever computes is inside of the bodies.
struct ControlFlow {
  std::function<absl::StatusOr<TensorList>(ControlContext&)> run;
  // The inputs of body `body`, if the op has `num_inputs` of them. Those of kind kCaptured come last,
  // in the op and in each body, so that passes can add and remove some.
  std::function<std::vector<BodyInput>(const AttributeMap& attrs, int num_inputs, int body)>
      body_inputs;
  explicit operator bool() const { return static_cast<bool>(run); }
};

struct OpInput {
  std::string name;
  std::string doc;
};

struct OpTraits {
  // op(a, b) == op(b, a), to the bit.
  bool commutative = false;
  // The output may overwrite an input of equal dtype and shape (set for every elementwise op). Ask
  // IsInplaceSafe (elementwise_expr.h), which knows of ops that are their bodies.
  bool inplace_safe = false;
  // False: the output does not depend smoothly on any input (comparisons, argmax, floor, …): no
  // gradient flows, and that is no error.
  bool differentiable = true;
  // Elementwise ops: bit i set: input i is taken as bool (x != 0) and does not take part in the
  // promotion of the inputs (the condition of where, both sides of logical_and).
  uint32_t bool_inputs = 0;
};

struct OpDef {
  std::string name;
  std::string doc;     // one or more sentences; formulas in plain text, with the paper if there is one
  std::string family;  // heading in the op reference: "elementwise", "reduction", "nn", …

  std::vector<OpInput> inputs;
  // The last input may be repeated: concat, stack.
  bool variadic = false;
  std::vector<std::string> outputs = {"y"};
  // If set, the number of outputs depends on attributes (split). `outputs` then names the first.
  std::function<int(const AttributeMap&)> num_outputs;
  AttributeSchema attributes;

  InferFn infer;
  VjpFn vjp;  // null with traits.differentiable: gradient by decomposition, or an error
  ScalarFn scalar;
  ViewFn view;
  DecomposeFn decompose;
  // The op computes what its attribute "body" says (op_body.h). Where that is one scalar program, the
  // op is elementwise in this use: see IsElementwise (elementwise_expr.h).
  bool runs_body = false;
  // Set: the op is control flow. It has no kernel; interpreters and executables run its bodies.
  ControlFlow control;
  OpTraits traits;

  // Which inputs and outputs `vjp` reads the *values* of (bit i); the tape releases the others
  // early. Specs may always be read.
  uint64_t vjp_inputs = ~uint64_t{0};
  uint64_t vjp_outputs = ~uint64_t{0};

  // Dense, given by the registry: an index for tables.
  int id = -1;
};

// Checks the number of inputs, infers, and validates the resulting shapes: the only way inference is
// called. Errors name the op.
absl::StatusOr<SpecList> InferSpecs(const OpDef& op, const AttributeMap& attrs,
                                    absl::Span<const TensorSpec* const> inputs);
absl::StatusOr<SpecList> InferSpecs(const OpDef& op, const AttributeMap& attrs,
                                    absl::Span<const Tensor> inputs);

class OpRegistry {
 public:
  static OpRegistry& Global();

  // ALREADY_EXISTS for a known name, INVALID_ARGUMENT for a definition that cannot work (no
  // inference, for example).
  absl::Status Register(OpDef def);
  // Null if there is none.
  const OpDef* Find(absl::string_view name) const;
  // NOT_FOUND with the most similar name.
  absl::StatusOr<const OpDef*> Get(absl::string_view name) const;
  // In the order of registration.
  std::vector<const OpDef*> ops() const;

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<OpDef>> ops_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, OpDef*> by_name_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_OP_DEF_H_
