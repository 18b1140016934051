// The text of the C++ op functions and of the op reference.
//
//   std::cout << codegen::CppHeader(registry.ops());
//
// Thread rules: pure functions.
#ifndef TANDEM_FRONTENDS_CPP_CODEGEN_OP_WRITER_H_
#define TANDEM_FRONTENDS_CPP_CODEGEN_OP_WRITER_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/op/op_def.h"

namespace tandem::codegen {

// "max_pool2d" -> "MaxPool2d", "matmul" -> "MatMul".
std::string CamelCase(absl::string_view name);

// ops.h: an options struct for each op with optional attributes, and the functions' declarations.
std::string CppHeader(const std::vector<const OpDef*>& ops);
// ops.cc.
std::string CppSource(const std::vector<const OpDef*>& ops);
// docs/ops.md.
std::string Reference(const std::vector<const OpDef*>& ops);

}  // namespace tandem::codegen

#endif  // TANDEM_FRONTENDS_CPP_CODEGEN_OP_WRITER_H_
