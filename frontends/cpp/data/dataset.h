// Datasets: samples by number.
//
//   auto train = FashionMnist("train");                       // u8[28,28,1], i32[]
//   auto scaled = Transform(train, [](Sample s) { s[0] = ToTensor(s[0]); return s; });
//   Sample first = scaled->Get(0);                            // f32[1,28,28], i32[]
//
// A sample is a list of tensors, such as an image and its label. A batch is the same list with one
// more leading dimension.
// Thread rules: Get and GetBatch from many threads at once (data loaders do).
#ifndef TANDEM_FRONTENDS_CPP_DATA_DATASET_H_
#define TANDEM_FRONTENDS_CPP_DATA_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem::data {

using Sample = std::vector<Tensor>;

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  // Sample `index`, in [0, size()); throws OUT_OF_RANGE otherwise.
  virtual Sample Get(int64_t index) const = 0;
  // The samples stacked along a new first dimension. The default stacks what Get gives.
  virtual Sample GetBatch(absl::Span<const int64_t> indices) const;
};
using DatasetPtr = std::shared_ptr<const Dataset>;

// Rows of tensors: sample i is (a[i], b[i], …). The values are copied to the host once.
class ArrayDataset : public Dataset {
 public:
  // Throws INVALID_ARGUMENT unless all tensors have the same first dimension.
  explicit ArrayDataset(const std::vector<Tensor>& arrays);

  struct HostArray {
    TensorSpec spec;  // of the whole array
    std::vector<std::byte> bytes;
  };
  // Takes values that are on the host already, for samples on `device`.
  ArrayDataset(std::vector<HostArray> arrays, Device& device);

  int64_t size() const override { return size_; }
  Sample Get(int64_t index) const override;
  Sample GetBatch(absl::Span<const int64_t> indices) const override;

 private:
  void CheckSizes();
  Tensor Rows(const HostArray& array, absl::Span<const int64_t> indices, bool batch) const;

  std::vector<HostArray> arrays_;
  Device* device_;
  int64_t size_ = 0;
};

enum class Apply {
  kSample,  // the function gets one sample
  kBatch,   // it gets a whole batch in GetBatch (and a batch of one in Get), which is faster
};
// A dataset whose samples went through `function`.
DatasetPtr Transform(DatasetPtr dataset, std::function<Sample(Sample)> function,
                     Apply apply = Apply::kSample);

// Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, 2017): 28x28 grey images of ten kinds of clothes.
// `split` is "train" (60,000) or "test" (10,000). Samples: u8[28,28,1], i32[]. `folder` holds the
// four .gz files; throws if they are not there or not right.
DatasetPtr FashionMnist(const std::string& split, const std::string& folder);
// "T-shirt/top", "Trouser", …
absl::Span<const char* const> FashionMnistClasses();

// u8 [H,W,C] or [N,H,W,C] in 0…255 to f32 [C,H,W] or [N,C,H,W] in 0…1.
Tensor ToTensor(const Tensor& image);

}  // namespace tandem::data

#endif  // TANDEM_FRONTENDS_CPP_DATA_DATASET_H_
