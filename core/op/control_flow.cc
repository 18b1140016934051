#include "tandem/core/op/control_flow.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

BufferView BytesOfContiguous(const Tensor& tensor) {
  const int64_t start = tensor.layout().offset * DTypeSize(tensor.dtype());
  return BufferView::Of(*tensor.buffer(), start, tensor.spec().num_bytes());
}

// Runs bodies op by op.
class StepRunner final : public BodyRunner {
 public:
  StepRunner(const AttributeMap& attrs, Invoker& invoker)
      : bodies_(BodiesOf(attrs)), invoker_(invoker) {}

  absl::StatusOr<TensorList> Run(int body, absl::Span<const Tensor> inputs,
                                 absl::Span<const Tensor> into) override {
    TANDEM_ASSIGN_OR_RETURN(TensorList results, bodies_[body]->Run(inputs, invoker_));
    for (Tensor& result : results) {
      TANDEM_ASSIGN_OR_RETURN(result, MakeContiguous(result, invoker_));
    }
    TANDEM_RETURN_IF_ERROR(PlaceInto(&results, into, invoker_));
    return results;
  }
  Invoker& invoker() override { return invoker_; }

 private:
  const std::vector<const OpBody*> bodies_;
  Invoker& invoker_;
};

}  // namespace

std::vector<const OpBody*> BodiesOf(const AttributeMap& attrs) {
  std::vector<const OpBody*> bodies;
  for (int i = 0; i < attrs.size(); ++i) {
    if (attrs.schema().defs()[i].type != AttributeType::kBody) continue;
    // There is no other kind of body.
    bodies.push_back(static_cast<const OpBody*>(attrs.value(i).body()));
  }
  return bodies;
}

absl::StatusOr<AttributeMap> WithBodies(const OpDef& op, const AttributeMap& attrs,
                                        absl::Span<const Ref<const OpBody>> bodies) {
  std::vector<AttributeInit> init;
  size_t next = 0;
  for (int i = 0; i < attrs.size(); ++i) {
    const AttributeDef& def = attrs.schema().defs()[i];
    if (def.type == AttributeType::kBody && next < bodies.size()) {
      const AttributeValue body(bodies[next++]);
      init.emplace_back(def.name, body);
    } else {
      init.emplace_back(def.name, attrs.value(i));
    }
  }
  return AttributeMap::Create(op.attributes, init);
}

absl::StatusOr<std::vector<TensorSpec>> BodyInputSpecs(const OpDef& op, const AttributeMap& attrs,
                                                       absl::Span<const TensorSpec* const> inputs,
                                                       int body) {
  std::vector<TensorSpec> specs;
  const int count = static_cast<int>(inputs.size());
  for (const BodyInput& input : op.control.body_inputs(attrs, count, body)) {
    if (input.input < 0 || input.input >= count) {
      return absl::InvalidArgumentError(
          absl::StrCat("its attributes speak of input ", input.input, ", but it has ", count));
    }
    TensorSpec spec = *inputs[input.input];
    if (input.kind == BodyInput::Kind::kSlice) {
      if (spec.shape.rank() == 0) {
        return absl::InvalidArgumentError(absl::StrCat("input ", input.input, ", ", spec.ToString(),
                                                       ", has no first axis to go along"));
      }
      spec.shape.erase(0);
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

absl::StatusOr<TensorList> RunControlFlow(const OpDef& op, const AttributeMap& attrs,
                                          absl::Span<const Tensor> inputs,
                                          absl::Span<const TensorSpec> outputs, Invoker& invoker) {
  StepRunner runner(attrs, invoker);
  ControlContext context{attrs, inputs, outputs, {}, runner};
  return op.control.run(context);
}

absl::StatusOr<bool> ReadPredicate(const Tensor& tensor) {
  if (tensor.num_elements() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a predicate must have exactly one element, this is ", tensor.Describe(),
                     "; reduce it with All or Any"));
  }
  constexpr size_t kLargestElement = 16;
  std::array<std::byte, kLargestElement> bytes{};
  const auto size = static_cast<size_t>(tensor.spec().num_bytes());
  TANDEM_RETURN_IF_ERROR(tensor.CopyToHost(absl::MakeSpan(bytes.data(), size)));
  // Little-endian, as all devices are: the sign is in the last byte.
  if (IsFloating(tensor.dtype())) bytes[size - 1] &= std::byte{0x7f};
  return std::any_of(bytes.begin(), bytes.begin() + size,
                     [](std::byte byte) { return byte != std::byte{0}; });
}

absl::StatusOr<Tensor> MakeContiguous(const Tensor& tensor, Invoker& invoker) {
  if (tensor.is_contiguous()) return tensor;
  TANDEM_ASSIGN_OR_RETURN(TensorList copy, invoker.Invoke("identity", {&tensor, 1}, {}, nullptr));
  return std::move(copy[0]);
}

absl::Status CopyInto(const Tensor& from, const Tensor& to, Invoker& invoker) {
  if (from.spec() != to.spec() || !to.is_contiguous()) {
    return absl::InternalError(
        absl::StrCat("cannot copy ", from.Describe(), " into ", to.Describe()));
  }
  if (from.num_elements() == 0) return absl::OkStatus();
  TANDEM_ASSIGN_OR_RETURN(const Tensor source, MakeContiguous(from, invoker));
  return to.device()->default_stream().Copy(BytesOfContiguous(source), BytesOfContiguous(to));
}

absl::Status PlaceInto(TensorList* results, absl::Span<const Tensor> into, Invoker& invoker) {
  for (size_t i = 0; i < results->size() && i < into.size(); ++i) {
    Tensor& result = (*results)[i];
    if (!into[i].defined() || into[i].impl() == result.impl()) continue;
    TANDEM_RETURN_IF_ERROR(CopyInto(result, into[i], invoker));
    result = into[i];
  }
  return absl::OkStatus();
}

}  // namespace tandem
