// Writes the C++ op functions and the op reference from the op registry.
//
//   generate_ops header > ops.h
//   generate_ops source > ops.cc
//   generate_ops docs > docs/ops.md

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/frontends/cpp/codegen/op_writer.h"

int main(int argc, char** argv) {
  const absl::string_view mode = argc == 2 ? argv[1] : "";
  tandem::OpRegistry registry;
  if (const absl::Status status = tandem::RegisterStandardOps(&registry); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  // Control flow takes functions of C++ instead of bodies (frontends/cpp/control_flow.h).
  std::vector<const tandem::OpDef*> functions = registry.ops();
  std::erase_if(functions, [](const tandem::OpDef* op) { return bool{op->control}; });
  if (mode == "header") {
    std::cout << tandem::codegen::CppHeader(functions);
  } else if (mode == "source") {
    std::cout << tandem::codegen::CppSource(functions);
  } else if (mode == "docs") {
    std::cout << tandem::codegen::Reference(registry.ops());
  } else {
    std::cerr << "usage: generate_ops header|source|docs\n";
    return 2;
  }
  return std::cout.good() ? 0 : 1;
}
