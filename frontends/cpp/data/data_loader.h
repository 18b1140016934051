// DataLoader: batches of a dataset, shuffled, prepared ahead by worker threads.
//
//   DataLoader loader(train, {.batch_size = 64, .shuffle = true});
//   for (const Batch& batch : loader) {     // one epoch
//     Train(batch[0], batch[1]);
//   }
//
// The order depends on the seed and the epoch only, never on the workers: two runs with one seed
// see the same batches. Without a seed of its own a loader takes one from the process's generator
// when it is made, so random::Seed makes it repeatable, too. Thread rules: one thread iterates;
// several epochs may be open at once.
#ifndef TANDEM_FRONTENDS_CPP_DATA_DATA_LOADER_H_
#define TANDEM_FRONTENDS_CPP_DATA_DATA_LOADER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tandem/frontends/cpp/data/dataset.h"

namespace tandem::data {

using Batch = Sample;

// What happens to the samples that do not fill a batch.
enum class LastBatch {
  kKeep,      // a smaller batch
  kDiscard,   // they are left out of this epoch
  kRollover,  // they come first in the next epoch
};

struct DataLoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;
  LastBatch last_batch = LastBatch::kKeep;
  std::optional<uint64_t> seed = std::nullopt;
  int workers = 1;       // at most 256; 0: batches are made by the caller, when asked for
  int64_t prefetch = 4;  // batches that may be ready and not yet taken
};

class DataLoader {
 public:
  // Throws INVALID_ARGUMENT for options that cannot work.
  DataLoader(DatasetPtr dataset, DataLoaderOptions options);
  ~DataLoader();

  // The number of batches of the next epoch.
  int64_t size() const;
  const Dataset& dataset() const { return *dataset_; }

  class Epoch;
  // An input iterator; ++ waits for the next batch, and throws what a worker threw.
  class Iterator {
   public:
    Iterator() = default;  // the end
    explicit Iterator(std::shared_ptr<Epoch> epoch);
    const Batch& operator*() const { return batch_; }
    const Batch* operator->() const { return &batch_; }
    Iterator& operator++();
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.epoch_ == b.epoch_; }

   private:
    std::shared_ptr<Epoch> epoch_;
    Batch batch_;
  };
  // Starts the next epoch.
  Iterator begin();
  Iterator end() { return Iterator(); }

 private:
  std::vector<std::vector<int64_t>> NextPlan();

  DatasetPtr dataset_;
  DataLoaderOptions options_;
  uint64_t seed_;
  int64_t epoch_ = 0;
  std::vector<int64_t> rolled_over_;
};

}  // namespace tandem::data

#endif  // TANDEM_FRONTENDS_CPP_DATA_DATA_LOADER_H_
