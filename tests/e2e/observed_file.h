// A batch and what a network made of it, in a file: one process observes, another compares.
//
//   WriteObserved("lenet-7.observed", batch, Step(*net, batch, /*training=*/true));
//   auto [batch, expected] = ReadObserved("lenet-7.observed");
//
// Floats keep their bits. The layout is that of serialization/native/safetensors.h.
#ifndef TANDEM_TESTS_E2E_OBSERVED_FILE_H_
#define TANDEM_TESTS_E2E_OBSERVED_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tandem/core/base/atomic_file.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tandem/serialization/native/byte_source.h"
#include "tandem/serialization/native/safetensors.h"
#include "tandem/tests/e2e/observed.h"

namespace tandem {

inline void WriteObserved(const std::string& path, const Batch& batch, const Observed& observed) {
  std::vector<NamedTensor> tensors = {{"x", batch.x},
                                      {"labels", batch.labels},
                                      {"output", Array<float>(observed.output)},
                                      {"input_gradient", Array<float>(observed.input_gradient)}};
  for (const auto& [name, values] : observed.gradients) {
    tensors.push_back({absl::StrCat("gradient/", name), Array<float>(values)});
  }
  for (const auto& [name, values] : observed.parameters) {
    tensors.push_back({absl::StrCat("parameter/", name), Array<float>(values)});
  }
  AtomicFile file = Value(AtomicFile::Create(path));
  Check(WriteSafetensors(tensors, {}, {}, &file));
  Check(file.Commit());
}

inline std::pair<Batch, Observed> ReadObserved(const std::string& path) {
  const auto source = Value(FileSource::Open(path));
  const SafetensorsReader reader = Value(SafetensorsReader::Open(*source));
  std::pair<Batch, Observed> result;
  auto& [batch, observed] = result;
  for (const SafetensorsEntry& entry : reader.entries()) {
    const Tensor tensor = Value(reader.ReadTensor(entry, DefaultDevice()));
    absl::string_view name = entry.name;
    if (name == "x") {
      batch.x = tensor;
    } else if (name == "labels") {
      batch.labels = tensor;
    } else if (name == "output") {
      observed.output = ToVector(tensor);
    } else if (name == "input_gradient") {
      observed.input_gradient = ToVector(tensor);
    } else if (absl::ConsumePrefix(&name, "gradient/")) {
      observed.gradients[std::string(name)] = ToVector(tensor);
    } else if (absl::ConsumePrefix(&name, "parameter/")) {
      observed.parameters[std::string(name)] = ToVector(tensor);
    }
  }
  return result;
}

}  // namespace tandem

#endif  // TANDEM_TESTS_E2E_OBSERVED_FILE_H_
