// Prints an exported model as text (R64).
//
//   inspect mlp-symbol.json                    # the graph alone
//   inspect mlp-symbol.json mlp-0000.params    # and checks the parameters
//   inspect mlp.tandem                         # a packed model
//   inspect --dot mlp-symbol.json | dot -Tsvg  # a drawing
//
// The text is the graph in the form of graph/ir/text.h, with what else the file says as comments
// before it, so that all of it parses back. Loads the model as any program does, with every check;
// runs nothing.

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/ir/dot.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/ir/text.h"
#include "tandem/serialization/native/model.h"

namespace tandem {
namespace {

constexpr char kUsage[] = "usage: inspect [--dot] <symbol file or packed model> [<parameter file>]";

// Is the tensor of such an input stored with the model?
bool IsStored(InputKind kind) {
  return kind == InputKind::kParameter || kind == InputKind::kState || kind == InputKind::kCapture;
}

// Names may hold any character; a line break must not end the comment.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  }
  return text;
}

std::string Describe(const Model& model) {
  const Graph& graph = model.graph;
  std::string text = absl::StrCat("// model ", OneLine(graph.name()), "\n// signature:\n");
  size_t argument = 0;
  for (const GraphInput& input : graph.inputs()) {
    if (input.kind != InputKind::kArgument) continue;
    TensorSpec spec = graph.spec(input.value);
    spec.shape = model.signature[argument++];
    absl::StrAppend(&text, "//   ", OneLine(input.name), ": ", spec.ToString(), "\n");
  }
  for (const GraphOutput& output : graph.outputs()) {
    absl::StrAppend(&text, "//   -> ", OneLine(output.name), ": ",
                    graph.spec(output.value).ToString(), " as traced\n");
  }
  std::string rows;
  int64_t count = 0, elements = 0, bytes = 0;
  for (const GraphInput& input : graph.inputs()) {
    if (!IsStored(input.kind)) continue;
    const TensorSpec& spec = graph.spec(input.value);
    absl::StrAppend(&rows, "//   ", OneLine(input.name), ": ", spec.ToString(), " ",
                    InputKindName(input.kind), ", ", spec.num_bytes(), " bytes\n");
    ++count;
    elements += spec.shape.num_elements();
    bytes += spec.num_bytes();
  }
  absl::StrAppend(&text, "// ", count, " stored tensors, ", elements, " elements, ", bytes,
                  " bytes", model.parameters.empty() ? " (not read)" : "", ":\n", rows);
  if (!model.blocks.empty()) absl::StrAppend(&text, "// blocks:\n");
  for (const BlockInfo& block : model.blocks) {
    std::string row = absl::StrCat(block.name, ": ", block.type);
    for (const auto& [key, value] : block.config) absl::StrAppend(&row, " ", key, "=", value);
    absl::StrAppend(&text, "//   ", OneLine(std::move(row)), "\n");
  }
  return text;
}

absl::Status Main(std::vector<std::string> arguments) {
  bool dot = false;
  std::vector<std::string> paths;
  for (std::string& argument : arguments) {
    if (argument == "--dot") {
      dot = true;
    } else if (absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(absl::StrCat("no flag '", argument, "'\n", kUsage));
    } else {
      paths.push_back(std::move(argument));
    }
  }
  if (paths.empty() || paths.size() > 2) return absl::InvalidArgumentError(kUsage);
  OpRegistry ops;
  TANDEM_RETURN_IF_ERROR(RegisterStandardOps(&ops));
  // Memory to put tensors in; no kernels.
  cpu_backend::CpuBackend cpu;
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device, cpu.OpenDevice(0));
  TANDEM_ASSIGN_OR_RETURN(const Model model,
                          LoadModel(paths[0], paths.size() > 1 ? paths[1] : "", *device, ops));
  if (dot) {
    std::cout << GraphToDot(model.graph);
  } else {
    std::cout << Describe(model) << "\n" << PrintGraph(model.graph);
  }
  std::cout.flush();
  return std::cout.good() ? absl::OkStatus() : absl::DataLossError("could not write the output");
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  const absl::Status status = tandem::Main({argv + 1, argv + argc});
  if (!status.ok()) std::cerr << "inspect: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
