#include "tandem/benchmarks/peers/ideal_worker.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/benchmarks/peers/ideal_kernels.h"
#include "tandem/benchmarks/peers/workload.h"
#include "tandem/benchmarks/timing.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::benchmarks {
namespace {

// Floats on huge pages, where the system gives them.
class Floats {
 public:
  explicit Floats(int64_t size) : size_(size) {
    constexpr size_t kHugePage = size_t{2} << 20;
    const size_t bytes = (size * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
    data_.reset(static_cast<float*>(std::aligned_alloc(kHugePage, std::max(bytes, kHugePage))));
    if (data_ == nullptr) throw std::bad_alloc();
    madvise(data_.get(), bytes, MADV_HUGEPAGE);
    std::fill_n(data_.get(), size, 0.0f);
  }
  explicit Floats(const std::vector<float>& values) : Floats(values.size()) {
    std::copy(values.begin(), values.end(), data_.get());
  }
  float* get() const { return data_.get(); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  int64_t size_;
  std::unique_ptr<float, Free> data_;
};

// The caller and threads - 1 others, which do their parts of one function and wait for each other,
// without sleeping.
class Team {
 public:
  explicit Team(int threads) : threads_(std::max(threads, 1)) {
    for (int part = 1; part < threads_; ++part) {
      others_.emplace_back([this, part] { Follow(part); });
    }
  }
  ~Team() {
    work_ = nullptr;
    turn_.fetch_add(1, std::memory_order_release);
    for (std::thread& other : others_) other.join();
  }
  int threads() const { return threads_; }

  // work(part) for all parts; then it returns. Within, all parts call Barrier equally often.
  void Run(const std::function<void(int)>& work) {
    if (threads_ == 1) return work(0);
    work_ = &work;
    turn_.fetch_add(1, std::memory_order_release);
    work(0);
    Barrier();
  }
  void Barrier() {
    if (threads_ == 1) return;
    const int round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
    } else {
      while (round_.load(std::memory_order_acquire) == round) {
      }
    }
  }

 private:
  void Follow(int part) {
    for (int turn = 1;; ++turn) {
      while (turn_.load(std::memory_order_acquire) != turn) {
      }
      if (work_ == nullptr) return;
      (*work_)(part);
      Barrier();
    }
  }

  const int threads_;
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<int> turn_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> round_{0};
  std::vector<std::thread> others_;
};

// Part `part` of `parts` of [0, n), whole multiples of `unit`.
std::pair<int64_t, int64_t> PartOf(int64_t n, int64_t unit, int part, int parts) {
  const int64_t units = (n + unit - 1) / unit;
  return {std::min(n, units * part / parts * unit), std::min(n, units * (part + 1) / parts * unit)};
}

// The MLP for one example.
class Mlp {
 public:
  Mlp(const HybridBlock& net, const std::vector<float>& x, int threads) : x_(x), team_(threads) {
    const ParameterList parameters = net.CollectParameters();
    for (auto it = parameters.begin(); it != parameters.end();) {
      const Tensor weight = (*it++)->Data();
      const Tensor bias = (*it++)->Data();
      layers_.push_back({weight.shape()[0], weight.shape()[1], Floats(ToVector(weight)),
                         Floats(Pack(weight)), Floats(ToVector(bias)), Floats(weight.shape()[0])});
    }
    PickFaster();
  }

  void Run() {
    team_.Run([this](int part) {
      const float* x = x_.get();
      for (size_t i = 0; i < layers_.size(); ++i) {
        RunLayer(layers_[i], x, i + 1 < layers_.size(), part);
        x = layers_[i].y.get();
        if (i + 1 < layers_.size()) team_.Barrier();
      }
    });
  }
  Tensor output() const {
    const Layer& last = layers_.back();
    return Array(std::vector<float>(last.y.get(), last.y.get() + last.rows), {1, last.rows});
  }

 private:
  struct Layer {
    int64_t rows, columns;
    Floats weight, packed, bias, y;
  };

  // (rows, columns) to (rows / kPanel, columns, kPanel); empty for other numbers of rows.
  static std::vector<float> Pack(const Tensor& weight) {
    const int64_t rows = weight.shape()[0], columns = weight.shape()[1];
    if (rows % ideal::kPanel != 0) return {};
    const std::vector<float> values = ToVector(weight);
    std::vector<float> packed(values.size());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t k = 0; k < columns; ++k) {
        const int64_t panel = r / ideal::kPanel * ideal::kPanel;
        packed[panel * columns + k * ideal::kPanel + r % ideal::kPanel] = values[r * columns + k];
      }
    }
    return packed;
  }

  void RunLayer(const Layer& layer, const float* x, bool relu, int part) {
    const bool panels = packed_ && layer.packed.size() > 0;
    const int64_t unit = panels ? ideal::kPanel : layer.rows % 4 == 0 ? 4 : 1;
    const auto [begin, end] = PartOf(layer.rows, unit, part, team_.threads());
    for (int64_t r = begin; r < end; r += unit) {
      const float* bias = layer.bias.get() + r;
      const float* row = layer.weight.get() + r * layer.columns;
      float* y = layer.y.get() + r;
      if (panels) {
        ideal::GemvPanel(layer.packed.get() + r * layer.columns, x, bias, layer.columns, relu, y);
      } else if (unit == 4) {
        ideal::GemvRows(row, x, bias, layer.columns, relu, y);
      } else {
        *y = *bias + ideal::Dot(row, x, layer.columns);
      }
    }
  }

  void PickFaster() {
    double us[2];
    for (const bool packed : {false, true}) {
      packed_ = packed;
      us[packed] = TimeCalls([this] { Run(); }, {.seconds = 0.05}).median_us;
    }
    packed_ = us[1] < us[0];
  }

  const Floats x_;
  Team team_;
  std::vector<Layer> layers_;
  bool packed_ = true;
};

class Chain {
 public:
  Chain(const std::string& net, const std::vector<float>& x, int threads)
      : ops_(net == "cheap" ? ideal::CheapOps : ideal::MixedOps),
        x_(x),
        y_(x_.size()),
        team_(threads) {
    double us[2];
    for (const bool stream : {false, true}) {
      stream_ = stream;
      us[stream] = TimeCalls([this] { Run(); }, {.seconds = 0.1, .min_calls = 5}).median_us;
    }
    stream_ = us[1] < us[0];
  }

  void Run() {
    team_.Run([this](int part) {
      const auto [begin, end] = PartOf(x_.size(), kLine, part, team_.threads());
      ops_(x_.get() + begin, y_.get() + begin, end - begin, stream_);
    });
  }
  Tensor output() const {
    return Array(std::vector<float>(y_.get(), y_.get() + y_.size()), {y_.size()});
  }

 private:
  static constexpr int64_t kLine = 16;  // floats of a cache line

  void (*const ops_)(const float*, float*, int64_t, bool);
  const Floats x_, y_;
  Team team_;
  bool stream_ = false;
};

// Runs once, writes the result, and gives the call.
template <typename Subject>
Call Ready(std::shared_ptr<Subject> subject, const Workload& workload, const HybridBlock& net,
           const std::string& folder) {
  subject->Run();
  WriteActual(workload, net, subject->output(), folder);
  return [subject] { subject->Run(); };
}

}  // namespace

Loader IdealLoader() {
  return [](const LoadRequest& request) -> absl::StatusOr<Call> {
    TANDEM_ASSIGN_OR_RETURN(const Workload workload, FindWorkload(request.net, request.batch));
    const std::unique_ptr<HybridBlock> net = MakeNetwork(workload);
    net->LoadParameters(request.Path(kWeightsFile));
    const std::vector<float> x = ToVector(ReadInputs(request.folder).at(0));
    if (request.net == "mlp" && request.batch == 1) {
      return Ready(std::make_shared<Mlp>(*net, x, request.threads), workload, *net, request.folder);
    }
    if (request.net == "cheap" || request.net == "mixed") {
      return Ready(std::make_shared<Chain>(request.net, x, request.threads), workload, *net,
                   request.folder);
    }
    return absl::UnimplementedError("there is no ideal loop for it");
  };
}

}  // namespace tandem::benchmarks
