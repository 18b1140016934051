// Runs an exported model with no front end: this program links the graph, the serialization and the
// CPU, and nothing of frontends/ or of other backends (R6).
//
//   predict <symbol file> <params file> <inputs.safetensors> <outputs.safetensors>
//
// Reads every argument of the model by its name from the inputs, runs it in batches of 1,000, and
// writes its outputs by their names.

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/register.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/compile/hybrid_function.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/serialization/native/model.h"

namespace tandem {
namespace {

constexpr int64_t kBatch = 1000;

absl::StatusOr<Tensor> Find(absl::Span<const NamedTensor> tensors, absl::string_view name) {
  for (const NamedTensor& named : tensors) {
    if (named.name == name) return named.tensor;
  }
  return absl::NotFoundError(absl::StrCat("no tensor '", name, "'"));
}

// The number of rows that all arguments have.
absl::StatusOr<int64_t> RowsOf(absl::Span<const NamedTensor> arguments) {
  if (arguments.empty()) return absl::InvalidArgumentError("the model takes no arguments");
  for (const NamedTensor& argument : arguments) {
    const Shape& shape = argument.tensor.shape();
    if (shape.rank() == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "argument '", argument.name, "' is a scalar; its first dimension has to count the rows"));
    }
    if (shape[0] == 0) {
      return absl::InvalidArgumentError(absl::StrCat("argument '", argument.name, "' of shape ",
                                                     shape.ToString(),
                                                     " has no rows; give it at least one"));
    }
    if (shape[0] != arguments[0].tensor.shape()[0]) {
      return absl::InvalidArgumentError(
          absl::StrCat("arguments '", arguments[0].name, "' of shape ",
                       arguments[0].tensor.shape().ToString(), " and '", argument.name,
                       "' of shape ", shape.ToString(), " differ in their number of rows"));
    }
  }
  return arguments[0].tensor.shape()[0];
}

// The model as a function of its arguments. Compiles itself for the shapes that come.
absl::StatusOr<Ref<HybridFunction>> AsFunction(const Model& model) {
  HybridOptions options;
  options.static_alloc = true;
  options.static_shape = true;
  return HybridFunction::Create(
      model.graph.name(),
      [&model](absl::Span<const Tensor> arguments) -> absl::StatusOr<TensorList> {
        std::vector<Tensor> inputs;
        size_t next = 0;
        for (const GraphInput& input : model.graph.inputs()) {
          if (input.kind == InputKind::kArgument) {
            inputs.push_back(arguments[next++]);
          } else {
            TANDEM_ASSIGN_OR_RETURN(Tensor value, Find(model.parameters, input.name));
            inputs.push_back(std::move(value));
          }
        }
        return InterpretGraph(model.graph, inputs);
      },
      options);
}

absl::Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) {
    return absl::InvalidArgumentError(
        "usage: predict <symbol file> <params file> <inputs> <outputs>");
  }
  TANDEM_RETURN_IF_ERROR(RegisterStandardOps(&OpRegistry::Global()));
  TANDEM_RETURN_IF_ERROR(
      cpu_backend::Register(&BackendRegistry::Global(), &KernelRegistry::Global()));
  TANDEM_ASSIGN_OR_RETURN(Device* const device, BackendRegistry::Global().Open("cpu:0"));
  TANDEM_ASSIGN_OR_RETURN(const Model model,
                          LoadModel(arguments[0], arguments[1], *device, OpRegistry::Global()));
  TANDEM_ASSIGN_OR_RETURN(const auto source, FileSource::Open(arguments[2]));
  TANDEM_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(*source));
  std::vector<NamedTensor> inputs;
  for (const GraphInput& input : model.graph.inputs()) {
    if (input.kind != InputKind::kArgument) continue;
    const SafetensorsEntry* entry = reader.Find(input.name);
    if (entry == nullptr) {
      return absl::NotFoundError(absl::StrCat("'", arguments[2], "' has no tensor '", input.name,
                                              "', which the model takes"));
    }
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor, reader.ReadTensor(*entry, *device));
    inputs.push_back({input.name, std::move(tensor)});
  }
  TANDEM_ASSIGN_OR_RETURN(const int64_t rows, RowsOf(inputs));
  TANDEM_ASSIGN_OR_RETURN(const Ref<HybridFunction> function, AsFunction(model));

  std::vector<std::vector<Tensor>> parts(model.graph.outputs().size());
  for (int64_t begin = 0; begin < rows; begin += kBatch) {
    std::vector<Tensor> batch;
    for (const NamedTensor& input : inputs) {
      TANDEM_ASSIGN_OR_RETURN(
          TensorList slice,
          Invoke("slice", {input.tensor},
                 {{"begin", Dims{begin}}, {"end", Dims{std::min(begin + kBatch, rows)}}}));
      batch.push_back(std::move(slice[0]));
    }
    TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, Call(*function, batch));
    for (size_t i = 0; i < parts.size(); ++i) parts[i].push_back(outputs[i]);
  }
  std::vector<NamedTensor> results;
  for (size_t i = 0; i < parts.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(TensorList all, Invoke("concat", parts[i], {{"axis", 0}}));
    results.push_back({model.graph.outputs()[i].name, std::move(all[0])});
  }
  TANDEM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(arguments[3]));
  TANDEM_RETURN_IF_ERROR(WriteSafetensors(results, {}, {}, &file));
  return file.Commit();
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  const absl::Status status = tandem::Main({argv + 1, argv + argc});
  if (!status.ok()) std::cerr << "predict: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
