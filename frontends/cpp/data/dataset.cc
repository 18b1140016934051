#include "tandem/frontends/cpp/data/dataset.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/data/idx.h"
#include "tandem/frontends/cpp/defined.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem::data {
namespace {

void CheckIndex(int64_t index, int64_t size) {
  if (index >= 0 && index < size) return;
  Check(absl::OutOfRangeError(
      absl::StrCat("sample ", index, " of a dataset with ", size, " samples")));
}

class TransformedDataset : public Dataset {
 public:
  TransformedDataset(DatasetPtr dataset, std::function<Sample(Sample)> function, Apply apply)
      : dataset_(std::move(dataset)), function_(std::move(function)), apply_(apply) {}

  int64_t size() const override { return dataset_->size(); }

  Sample Get(int64_t index) const override {
    if (apply_ == Apply::kSample) return function_(dataset_->Get(index));
    Sample sample = GetBatch({index});
    for (Tensor& tensor : sample) {
      tensor = Value(Invoke("squeeze", {tensor}, {{"axes", Dims{0}}}))[0];
    }
    return sample;
  }

  Sample GetBatch(absl::Span<const int64_t> indices) const override {
    if (apply_ == Apply::kBatch) return function_(dataset_->GetBatch(indices));
    return Dataset::GetBatch(indices);
  }

 private:
  DatasetPtr dataset_;
  std::function<Sample(Sample)> function_;
  Apply apply_;
};

}  // namespace

Sample Dataset::GetBatch(absl::Span<const int64_t> indices) const {
  std::vector<Sample> columns;
  for (const int64_t& index : indices) {
    Sample sample = Get(index);
    if (&index == indices.data()) columns.resize(sample.size());
    if (sample.size() != columns.size()) {
      throw Error(absl::InvalidArgumentError(absl::StrCat(
          "GetBatch: sample ", index, " has ", sample.size(), " tensors, sample ", indices[0],
          " has ", columns.size(), "; the samples of a batch need the same number")));
    }
    for (size_t i = 0; i < sample.size(); ++i) {
      CheckDefined(absl::StrCat("GetBatch: tensor ", i, " of sample ", index), sample[i]);
      columns[i].push_back(std::move(sample[i]));
    }
  }
  Sample batch;
  for (const Sample& column : columns) batch.push_back(Value(Invoke("stack", column))[0]);
  return batch;
}

ArrayDataset::ArrayDataset(const std::vector<Tensor>& arrays) : device_(&DefaultDevice()) {
  for (const Tensor& array : arrays) {
    CheckDefined("ArrayDataset", array);
    HostArray host{array.spec(), std::vector<std::byte>(array.spec().num_bytes())};
    Check(array.CopyToHost(absl::MakeSpan(host.bytes)));
    device_ = array.device();
    arrays_.push_back(std::move(host));
  }
  CheckSizes();
}

ArrayDataset::ArrayDataset(std::vector<HostArray> arrays, Device& device)
    : arrays_(std::move(arrays)), device_(&device) {
  CheckSizes();
}

void ArrayDataset::CheckSizes() {
  for (const HostArray& array : arrays_) {
    const bool fits = array.spec.shape.rank() > 0 &&
                      array.spec.shape[0] == arrays_[0].spec.shape[0] &&
                      array.spec.num_bytes() == static_cast<int64_t>(array.bytes.size());
    if (!fits) {
      Check(absl::InvalidArgumentError(absl::StrCat(
          "an ArrayDataset of ", arrays_[0].spec.ToString(), " and ", array.spec.ToString(),
          ": the arrays need the same number of rows, and values for all of them")));
    }
  }
  size_ = arrays_.empty() ? 0 : arrays_[0].spec.shape[0];
}

Tensor ArrayDataset::Rows(const HostArray& array, absl::Span<const int64_t> indices,
                          bool batch) const {
  TensorSpec row = array.spec;
  row.shape.erase(0);
  const int64_t row_bytes = row.num_bytes();
  std::vector<std::byte> bytes(row_bytes * indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    CheckIndex(indices[i], size_);
    std::memcpy(bytes.data() + i * row_bytes, array.bytes.data() + indices[i] * row_bytes,
                row_bytes);
  }
  if (batch) row.shape.insert(0, static_cast<int64_t>(indices.size()));
  return Value(Tensor::FromBytes(bytes, row, *device_));
}

Sample ArrayDataset::Get(int64_t index) const {
  Sample sample;
  for (const HostArray& array : arrays_) sample.push_back(Rows(array, {&index, 1}, false));
  return sample;
}

Sample ArrayDataset::GetBatch(absl::Span<const int64_t> indices) const {
  Sample batch;
  for (const HostArray& array : arrays_) batch.push_back(Rows(array, indices, true));
  return batch;
}

DatasetPtr Transform(DatasetPtr dataset, std::function<Sample(Sample)> function, Apply apply) {
  return std::make_shared<TransformedDataset>(std::move(dataset), std::move(function), apply);
}

DatasetPtr FashionMnist(const std::string& split, const std::string& folder) {
  if (split != "train" && split != "test") {
    Check(absl::InvalidArgumentError(
        absl::StrCat("Fashion-MNIST has no split '", split, "'; there are train and test")));
  }
  const std::string prefix = absl::StrCat(folder, split == "train" ? "/train" : "/t10k");
  IdxArray images = Value(ReadIdx(prefix + "-images-idx3-ubyte.gz"));
  IdxArray labels = Value(ReadIdx(prefix + "-labels-idx1-ubyte.gz"));
  const int64_t count = labels.spec.shape.num_elements();
  const bool right = images.spec == TensorSpec{DType::kU8, {count, 28, 28}} &&
                     labels.spec == TensorSpec{DType::kU8, {count}};
  if (!right) {
    Check(absl::InvalidArgumentError(absl::StrCat(
        "'", prefix, "…' holds ", images.spec.ToString(), " and ", labels.spec.ToString(),
        ", not images u8[n,28,28] and labels u8[n]")));
  }
  images.spec.shape.push_back(1);
  std::vector<std::byte> wide(count * sizeof(int32_t));
  for (int64_t i = 0; i < count; ++i) {
    const int32_t label = static_cast<int32_t>(labels.bytes[i]);
    std::memcpy(wide.data() + i * sizeof(label), &label, sizeof(label));
  }
  std::vector<ArrayDataset::HostArray> arrays;
  arrays.push_back({images.spec, std::move(images.bytes)});
  arrays.push_back({{DType::kI32, {count}}, std::move(wide)});
  return std::make_shared<ArrayDataset>(std::move(arrays), DefaultDevice());
}

absl::Span<const char* const> FashionMnistClasses() {
  static constexpr const char* kNames[] = {"T-shirt/top", "Trouser", "Pullover", "Dress",
                                           "Coat",        "Sandal",  "Shirt",    "Sneaker",
                                           "Bag",         "Ankle boot"};
  return kNames;
}

Tensor ToTensor(const Tensor& image) {
  CheckDefined("ToTensor", image);
  const int rank = image.rank();
  if (image.dtype() != DType::kU8 || (rank != 3 && rank != 4)) {
    Check(absl::InvalidArgumentError(absl::StrCat(
        "ToTensor of ", image.Describe(), ": it takes u8 images [H,W,C] or [N,H,W,C]")));
  }
  const Dims axes = rank == 3 ? Dims{2, 0, 1} : Dims{0, 3, 1, 2};
  Tensor planes = Value(Invoke("transpose", {image}, {{"axes", axes}}))[0];
  Tensor values = Value(Invoke("cast", {planes}, {{"dtype", DType::kF32}}))[0];
  Tensor scale = Value(Tensor::Scalar<float>(255.0f, *image.device()));
  return Value(Invoke("div", {values, scale}))[0];
}

}  // namespace tandem::data
