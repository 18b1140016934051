// What the generated op functions (ops.h) are made of. Not for users.
#ifndef TANDEM_FRONTENDS_CPP_OP_CALL_H_
#define TANDEM_FRONTENDS_CPP_OP_CALL_H_

#include <cstddef>
#include <initializer_list>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem::internal {

// A registered op; throws if there is none of this name.
const OpDef& FindOp(absl::string_view name);

// The attributes of an op that is called with its defaults.
AttributeMap DefaultAttributes(const OpDef& op);

// Runs the op on this thread's interpreter; throws.
TensorList CallOp(const OpDef& op, absl::Span<const Tensor> inputs, const AttributeMap& attrs,
                  const SourceLocation& location, Device* device = nullptr);
TensorList CallOp(const OpDef& op, absl::Span<const Tensor> inputs,
                  std::initializer_list<AttributeInit> attrs, const SourceLocation& location,
                  Device* device = nullptr);

// Output `i`, moved out of the list.
Tensor Take(TensorList& outputs, size_t i);

// `rest` after `first`: the inputs of an op that takes any number of them.
std::vector<Tensor> Join(std::initializer_list<Tensor> first, absl::Span<const Tensor> rest);

}  // namespace tandem::internal

#endif  // TANDEM_FRONTENDS_CPP_OP_CALL_H_
