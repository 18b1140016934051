// A small model with one of everything that a file can hold, and the ops that it needs, for tests.
//
//   OpRegistry registry;
//   ASSERT_TRUE(RegisterSampleOps(&registry).ok());
//   TestDevice device;
//   absl::StatusOr<Model> model = SampleModel(registry, device);
//
// The ops have the names and attributes of the standard ones, so that the files look like real
// ones, but tests of files do not wait for kernels.
#ifndef TANDEM_SERIALIZATION_NATIVE_SAMPLE_MODEL_H_
#define TANDEM_SERIALIZATION_NATIVE_SAMPLE_MODEL_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/serialization/native/model.h"

namespace tandem {

// matmul, add, relu, full, split, fused, and `probe` with an attribute of every other type.
absl::Status RegisterSampleOps(OpRegistry* registry);

// A layer with parameter, state, capture, random state, constants (a small and a large one), a node
// with two outputs, an update, blocks. Parameters are made of fixed numbers.
absl::StatusOr<Model> SampleModel(const OpRegistry& registry, Device& device);

// y = relu(data · weightᵀ + bias) + 0.5: small, with a node that takes nothing.
absl::StatusOr<Model> SmallModel(const OpRegistry& registry, Device& device);

// A node that runs a body with two outputs, and another body inside.
absl::StatusOr<Model> BodyModel(const OpRegistry& registry, Device& device);

// The elements of a tensor as bytes.
absl::StatusOr<std::string> BytesOf(const Tensor& tensor);

// OK if both models hold the same, bit for bit; otherwise says the first difference.
absl::Status CompareModels(const Model& a, const Model& b);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_SAMPLE_MODEL_H_
