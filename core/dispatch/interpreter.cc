#include "tandem/core/dispatch/interpreter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/mode.h"

namespace tandem {
namespace {

thread_local Interpreter* top = nullptr;

// Adds where it happened. Only on the way out to the user, so nested ops are not annotated twice.
absl::Status WithOrigin(const absl::Status& status, const InvokeOptions& options) {
  const std::string block = CurrentBlockPath();
  const std::string location = options.LocationString();
  std::string origin;
  if (!block.empty()) absl::StrAppend(&origin, " in block ", block);
  if (!location.empty()) absl::StrAppend(&origin, " at ", location);
  if (origin.empty()) return status;
  absl::Status result(status.code(), absl::StrCat(status.message(), " [", origin.substr(1), "]"));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  return result;
}

}  // namespace

Interpreter& CurrentInterpreter() { return top != nullptr ? *top : EagerInterpreter(); }

InterpreterScope::InterpreterScope(Interpreter& interpreter)
    : previous_(std::exchange(top, &interpreter)) {}
InterpreterScope::~InterpreterScope() { top = previous_; }

absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                  const AttributeMap& attrs, const InvokeOptions& options) {
  auto result = CurrentInterpreter().Invoke(op, inputs, attrs, options);
  if (!result.ok()) [[unlikely]] return WithOrigin(result.status(), options);
  return result;
}

absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                  absl::Span<const AttributeInit> attrs,
                                  const InvokeOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const def, OpRegistry::Global().Get(op));
  auto map = AttributeMap::Create(def->attributes, attrs);
  if (!map.ok()) return WithOrigin(Annotate(map.status(), op), options);
  return Invoke(*def, inputs, *map, options);
}

absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) {
  return CurrentInterpreter().Call(callable, inputs);
}

absl::StatusOr<Tensor> ReadVariable(Variable& variable) {
  return CurrentInterpreter().Read(variable);
}

absl::Status WriteVariable(Variable& variable, const Tensor& value) {
  return CurrentInterpreter().Write(variable, value);
}

absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) {
  return CurrentInterpreter().NextRandom(device, blocks);
}

absl::StatusOr<TensorList> InterpreterInvoker::Invoke(absl::string_view op,
                                                      absl::Span<const Tensor> inputs,
                                                      absl::Span<const AttributeInit> attrs,
                                                      Device* device) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const def, OpRegistry::Global().Get(op));
  auto map = AttributeMap::Create(def->attributes, attrs);
  if (!map.ok()) return Annotate(map.status(), op);
  Interpreter& interpreter = interpreter_ != nullptr ? *interpreter_ : CurrentInterpreter();
  InvokeOptions options;
  options.device = device;
  return interpreter.Invoke(*def, inputs, *map, options);
}

}  // namespace tandem
