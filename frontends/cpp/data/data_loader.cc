#include "tandem/frontends/cpp/data/data_loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/dispatch/random.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem::data {
namespace {

constexpr int kMaxWorkers = 256;

// Fisher–Yates with a generator that the standard fixes to the bit; std::shuffle is not.
void Shuffle(std::vector<int64_t>& values, uint64_t seed, uint64_t epoch) {
  std::seed_seq sequence = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                            static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)};
  std::mt19937_64 generator(sequence);
  for (size_t i = values.size(); i > 1; --i) {
    // The high half of a 128-bit product: uniform up to a bias of i / 2^64.
    const auto j = static_cast<size_t>((static_cast<unsigned __int128>(generator()) * i) >> 64);
    std::swap(values[i - 1], values[j]);
  }
}

}  // namespace

// The batches of one epoch, made by workers and taken in order.
class DataLoader::Epoch {
 public:
  Epoch(DatasetPtr dataset, std::vector<std::vector<int64_t>> plan, int workers, int64_t prefetch)
      : dataset_(std::move(dataset)), plan_(std::move(plan)), prefetch_(prefetch) {
    // No more than there is work for.
    const size_t count = std::min(static_cast<size_t>(workers), plan_.size());
    threads_.reserve(count);
    try {
      for (size_t i = 0; i < count; ++i) {
        // Scopes are a thread's own: what the dataset makes must not land on another device.
        threads_.emplace_back([this, &device = DefaultDevice()] {
          const DeviceScope scope(device);
          Work();
        });
      }
    } catch (...) {
      // The system has no more threads; the destructor does not run.
      Stop();
      throw;
    }
  }

  ~Epoch() { Stop(); }

  // False at the end.
  bool Next(Batch* batch) {
    if (taken_ == static_cast<int64_t>(plan_.size())) return false;
    if (threads_.empty()) {
      *batch = dataset_->GetBatch(plan_[taken_++]);
      return true;
    }
    Result result;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return results_.contains(taken_); });
      result = std::move(results_[taken_]);
      results_.erase(taken_);
      ++taken_;
    }
    changed_.notify_all();
    if (result.error) std::rethrow_exception(result.error);
    *batch = std::move(result.batch);
    return true;
  }

 private:
  struct Result {
    Batch batch;
    std::exception_ptr error;
  };

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void Work() {
    while (true) {
      int64_t mine;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] {
          return stopped_ || started_ == static_cast<int64_t>(plan_.size()) ||
                 started_ - taken_ < prefetch_;
        });
        if (stopped_ || started_ == static_cast<int64_t>(plan_.size())) return;
        mine = started_++;
      }
      Result result;
      try {
        result.batch = dataset_->GetBatch(plan_[mine]);
      } catch (...) {
        result.error = std::current_exception();
      }
      {
        std::lock_guard lock(mutex_);
        results_[mine] = std::move(result);
      }
      changed_.notify_all();
    }
  }

  const DatasetPtr dataset_;
  const std::vector<std::vector<int64_t>> plan_;
  const int64_t prefetch_;
  // Those of the standard library: a distribution's Abseil is not instrumented, so the thread
  // sanitizer does not see its locks.
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int64_t started_ = 0;
  // Written by the consumer under the mutex; without workers there is only the consumer.
  int64_t taken_ = 0;
  bool stopped_ = false;
  absl::flat_hash_map<int64_t, Result> results_;
  std::vector<std::thread> threads_;
};

DataLoader::DataLoader(DatasetPtr dataset, DataLoaderOptions options)
    : dataset_(std::move(dataset)), options_(options) {
  if (!dataset_ || options_.batch_size < 1 || options_.workers < 0 ||
      options_.workers > kMaxWorkers || options_.prefetch < 1) {
    Check(absl::InvalidArgumentError(absl::StrCat(
        "a DataLoader needs a dataset, batch_size >= 1 (is ", options_.batch_size,
        "), workers from 0 to ", kMaxWorkers, " (is ", options_.workers, ") and prefetch >= 1 (is ", options_.prefetch,
        ")")));
  }
  if (options_.seed) {
    seed_ = *options_.seed;
  } else {
    const RandomOffset drawn = ReserveRandom(1);
    seed_ = drawn.seed + 0x9E3779B97F4A7C15u * (drawn.offset + 1);
  }
}

DataLoader::~DataLoader() = default;

int64_t DataLoader::size() const {
  const int64_t samples = dataset_->size() + static_cast<int64_t>(rolled_over_.size());
  const int64_t full = samples / options_.batch_size;
  const bool keeps = options_.last_batch == LastBatch::kKeep;
  return full + (keeps && samples % options_.batch_size != 0);
}

std::vector<std::vector<int64_t>> DataLoader::NextPlan() {
  std::vector<int64_t> order(dataset_->size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  if (options_.shuffle) Shuffle(order, seed_, static_cast<uint64_t>(epoch_));
  ++epoch_;
  order.insert(order.begin(), rolled_over_.begin(), rolled_over_.end());
  rolled_over_.clear();
  std::vector<std::vector<int64_t>> plan;
  const int64_t total = order.size();
  for (int64_t begin = 0; begin < total; begin += options_.batch_size) {
    const int64_t end = std::min(begin + options_.batch_size, total);
    std::vector<int64_t> batch(order.begin() + begin, order.begin() + end);
    if (end - begin == options_.batch_size || options_.last_batch == LastBatch::kKeep) {
      plan.push_back(std::move(batch));
    } else if (options_.last_batch == LastBatch::kRollover) {
      rolled_over_ = std::move(batch);
    }
  }
  return plan;
}

DataLoader::Iterator DataLoader::begin() {
  return Iterator(std::make_shared<Epoch>(dataset_, NextPlan(), options_.workers,
                                          options_.prefetch));
}

DataLoader::Iterator::Iterator(std::shared_ptr<Epoch> epoch) : epoch_(std::move(epoch)) {
  ++*this;
}

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  if (epoch_ && !epoch_->Next(&batch_)) {
    epoch_ = nullptr;
    batch_.clear();
  }
  return *this;
}

}  // namespace tandem::data
