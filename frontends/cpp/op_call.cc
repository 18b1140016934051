#include "tandem/frontends/cpp/op_call.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem::internal {
namespace {

// An input that was never given a value has no dtype to infer from.
[[noreturn]] void ThrowUndefined(const OpDef& op, size_t index, const SourceLocation& location) {
  const std::string name =
      index < op.inputs.size() ? op.inputs[index].name : absl::StrCat("input ", index);
  throw Error(absl::InvalidArgumentError(
      absl::StrCat(op.name, ": '", name, "' is an empty Tensor; give it a value first [at ",
                   ToString(location), "]")));
}

}  // namespace

const OpDef& FindOp(absl::string_view name) {
  Initialize();
  return *Value(OpRegistry::Global().Get(name));
}

AttributeMap DefaultAttributes(const OpDef& op) {
  return Value(AttributeMap::Create(op.attributes, {}));
}

TensorList CallOp(const OpDef& op, absl::Span<const Tensor> inputs, const AttributeMap& attrs,
                  const SourceLocation& location, Device* device) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) [[unlikely]]
      ThrowUndefined(op, i, location);
  }
  InvokeOptions options;
  options.location = location;
  if (inputs.empty()) options.device = device != nullptr ? device : &DefaultDevice();
  return Value(Invoke(op, inputs, attrs, options));
}

TensorList CallOp(const OpDef& op, absl::Span<const Tensor> inputs,
                  std::initializer_list<AttributeInit> attrs, const SourceLocation& location,
                  Device* device) {
  auto map = AttributeMap::Create(op.attributes, {attrs.begin(), attrs.size()});
  if (!map.ok()) {
    Throw(Annotate(map.status(), absl::StrCat(op.name, " at ", ToString(location))));
  }
  return CallOp(op, inputs, *map, location, device);
}

Tensor Take(TensorList& outputs, size_t i) {
  if (i >= outputs.size()) [[unlikely]] {
    throw Error(absl::InternalError(
        absl::StrCat("an op gave ", outputs.size(), " outputs, number ", i, " was wanted")));
  }
  return std::move(outputs[i]);
}

std::vector<Tensor> Join(std::initializer_list<Tensor> first, absl::Span<const Tensor> rest) {
  std::vector<Tensor> all(first);
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace tandem::internal
