// The main job: train LeNet on Fashion-MNIST, imperatively for the first steps and then hybridized,
// export it, and let a program without a front end make the same predictions.
//
//   ./bazelw run //examples:fashion_mnist -- --epochs=2
//
// That program runs on the CPU. Its predictions have the bits of the training's, if that was on the
// CPU too; another device rounds otherwise.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/device/backend.h"
#include "tandem/examples/models.h"
#include "tandem/frontends/cpp/tandem.h"
#include "tandem/serialization/native/safetensors.h"
#include "tools/cpp/runfiles/runfiles.h"

ABSL_FLAG(int, epochs, 10, "passes over the 60,000 training images");
ABSL_FLAG(int, batch_size, 64, "images in a step");
ABSL_FLAG(uint64_t, seed, 42, "of every random number: initial weights, order of the images");
ABSL_FLAG(int, threads, 0, "of the CPU backend; 0: one for each core");
ABSL_FLAG(std::string, device, "cpu:0", "where to train");
ABSL_FLAG(bool, hybridize, true, "compile the network after the first steps");
ABSL_FLAG(int, eager_steps, 100,
          "steps before the network is hybridized; at most half of all steps");
ABSL_FLAG(double, learning_rate, 3e-3, "of Adam; a quarter of it in the second half of the epochs");
ABSL_FLAG(std::string, prefix, "", "where to export; empty: a temporary folder");
ABSL_FLAG(bool, json, false, "print the result as one JSON object, last on standard output");

namespace tandem::examples {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Images and the time they took, warm-up left out.
struct Speed {
  int64_t images = 0;
  double seconds = 0;
  double images_per_second() const { return seconds > 0 ? images / seconds : 0; }
};

struct Result {
  double test_accuracy = 0;
  double last_loss = 0;
  double seconds = 0;
  Speed eager, hybrid;
  bool reloaded_predictions_equal = false;
  double reloaded_largest_difference = 0;  // of a score, relative to the largest one
  bool reloaded_predictions_right = false;
};

using Runfiles = bazel::tools::cpp::runfiles::Runfiles;

std::string FindRunfile(const Runfiles& runfiles, const std::string& path) {
  const std::string found = runfiles.Rlocation(path);
  if (found.empty() || !fs::exists(found)) {
    throw Error(absl::NotFoundError(absl::StrCat("'", path, "' is not among the runfiles")));
  }
  return found;
}

data::DatasetPtr Images(const std::string& split, const std::string& folder) {
  return data::Transform(
      data::FashionMnist(split, folder),
      [](data::Sample sample) {
        sample[0] = data::ToTensor(sample[0]);
        return sample;
      },
      data::Apply::kBatch);
}

class Training {
 public:
  Training(data::DatasetPtr train, int64_t batch_size)
      : loader_(std::move(train), {.batch_size = batch_size,
                                   .shuffle = true,
                                   .last_batch = data::LastBatch::kDiscard,
                                   .seed = absl::GetFlag(FLAGS_seed)}),
        trainer_(Prepare(net_), std::make_unique<Adam>(AdamOptions{
                                    .learning_rate = absl::GetFlag(FLAGS_learning_rate)})) {}

  LeNet& net() { return net_; }
  int64_t steps_per_epoch() const { return loader_.size(); }

  void Epoch(int number, int total, Result* result) {
    if (2 * number > total && total > 1) {
      trainer_.set_learning_rate(absl::GetFlag(FLAGS_learning_rate) / 4);
    }
    ProgressBar bar(absl::StrFormat("epoch %d/%d", number, total), loader_.size(), "batch");
    MeanLoss mean;
    for (const data::Batch& batch : loader_) {
      const int64_t eager_steps =
          std::min<int64_t>(absl::GetFlag(FLAGS_eager_steps), total * steps_per_epoch() / 2);
      const bool compile =
          absl::GetFlag(FLAGS_hybridize) && !net_.hybridized() && step_ >= eager_steps;
      if (compile) net_.Hybridize({.static_alloc = true, .static_shape = true});
      const Clock::time_point start = Clock::now();
      const Tensor losses = Step(batch[0], batch[1]);
      mean.Update(losses);  // waits for the device
      // The first step of each kind allocates or compiles: it is not what the speed is.
      Speed& speed = net_.hybridized() ? result->hybrid : result->eager;
      if (step_ > 0 && !compile) {
        speed.images += batch[0].shape()[0];
        speed.seconds += SecondsSince(start);
      }
      ++step_;
      bar.Advance(1, absl::StrFormat("loss %.4f", mean.value()));
    }
    result->last_loss = mean.value();
    bar.Finish(absl::StrFormat(
        "loss %.4f, eager %.0f images/s%s", mean.value(), result->eager.images_per_second(),
        net_.hybridized()
            ? absl::StrFormat(", hybridized %.0f images/s", result->hybrid.images_per_second())
            : ""));
  }

 private:
  Tensor Step(const Tensor& images, const Tensor& labels) {
    Tensor losses;
    {
      RecordScope record;
      losses = loss_(net_(images), labels);
    }
    Backward(losses);
    trainer_.Step(images.shape()[0]);
    return losses;
  }

  static ParameterList Prepare(LeNet& net) {
    net.SetName("lenet");
    net.Initialize(init::Xavier());
    return net.CollectParameters();
  }

  LeNet net_;
  SoftmaxCrossEntropyLoss loss_;
  data::DataLoader loader_;
  Trainer trainer_;
  int64_t step_ = 0;
};

struct Test {
  Tensor images;       // f32[10000,1,28,28]
  Tensor predictions;  // f32[10000,10]
  double accuracy = 0;
};

Test RunTest(LeNet& net, const data::Dataset& dataset) {
  constexpr int64_t kBatch = 1000;
  Accuracy accuracy;
  std::vector<Tensor> images, predictions;
  for (int64_t begin = 0; begin < dataset.size(); begin += kBatch) {
    std::vector<int64_t> indices;
    for (int64_t i = begin; i < std::min(begin + kBatch, dataset.size()); ++i) indices.push_back(i);
    const data::Sample batch = dataset.GetBatch(indices);
    images.push_back(batch[0]);
    predictions.push_back(net(batch[0]));
    accuracy.Update(predictions.back(), batch[1]);
  }
  return {Concat(images, {.axis = 0}), Concat(predictions, {.axis = 0}), accuracy.value()};
}

void WriteTensor(const std::string& path, const std::string& name, const Tensor& tensor) {
  AtomicFile file = Value(AtomicFile::Create(path));
  const NamedTensor named{name, tensor};
  Check(WriteSafetensors({&named, 1}, {}, {}, &file));
  Check(file.Commit());
}

void RunProgram(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid;
  int status = 0;
  if (posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0 ||
      waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(absl::InternalError(absl::StrCat("'", command[0], "' failed")));
  }
}

// A folder that goes with the object, whatever happens.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(fs::temp_directory_path() / absl::StrCat("tandem_fashion_mnist_", getpid())) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Where :predict runs.
constexpr char kPredictDevice[] = "cpu";
// What two devices may differ by, relative to the largest score: some units of roundoff, 2^-24, times
// the root of the longest sum (400 products in the second convolution, 256 in a layer behind it), for
// each of the five layers.
constexpr double kRounding = 5 * 16 * 0x1p-24 * 20;

// Exports the network, and has a second process predict from the export alone.
void CheckReloadedPredictions(LeNet& net, const Test& test, const std::string& predict,
                              Result* result) {
  const TemporaryFolder folder;
  std::string prefix = absl::GetFlag(FLAGS_prefix);
  if (prefix.empty()) prefix = folder.path() / "lenet";
  net.Export(prefix);
  const std::string inputs = folder.path() / "inputs.safetensors";
  const std::string outputs = folder.path() / "outputs.safetensors";
  WriteTensor(inputs, "data", test.images);
  RunProgram({predict, prefix + "-symbol.json", prefix + "-0000.params", inputs, outputs});
  const auto source = Value(FileSource::Open(outputs));
  const SafetensorsReader reader = Value(SafetensorsReader::Open(*source));
  const Tensor reloaded = Value(reader.ReadTensor(reader.entries().at(0), DefaultDevice()));
  if (!absl::GetFlag(FLAGS_prefix).empty()) {
    std::cout << "exported to " << prefix << "-symbol.json and -0000.params\n";
  }
  const std::vector<float> expected = ToVector(test.predictions);
  const std::vector<float> actual = ToVector(reloaded);
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.size() && i < actual.size(); ++i) {
    largest = std::max<double>(largest, std::abs(expected[i]));
    difference = std::max<double>(difference, std::abs(expected[i] - actual[i]));
  }
  result->reloaded_predictions_equal = SameBits(expected, actual);
  result->reloaded_largest_difference = largest > 0 ? difference / largest : difference;
  const bool same_device = DefaultDevice().id().type.name() == kPredictDevice;
  result->reloaded_predictions_right =
      result->reloaded_predictions_equal || (!same_device && expected.size() == actual.size() &&
                                             result->reloaded_largest_difference <= kRounding);
}

int Main(const std::string& program) {
  std::string error;
  const std::unique_ptr<Runfiles> runfiles(Runfiles::Create(program, &error));
  if (!runfiles) throw Error(absl::NotFoundError(error));
  const std::string train_images =
      FindRunfile(*runfiles, "fashion_mnist/train-images-idx3-ubyte.gz");
  const std::string folder = train_images.substr(0, train_images.rfind('/'));
  const std::string predict = FindRunfile(*runfiles, "tandem/examples/predict");

  const int epochs = absl::GetFlag(FLAGS_epochs);
  const int batch_size = absl::GetFlag(FLAGS_batch_size);
  if (epochs < 1 || batch_size < 1 || absl::GetFlag(FLAGS_threads) < 0) {
    throw Error(absl::InvalidArgumentError(
        "--epochs and --batch_size must be at least 1, --threads at least 0"));
  }
  const std::string device_name = absl::GetFlag(FLAGS_device);
  if (absl::GetFlag(FLAGS_threads) > 0) {
    const DeviceId id = Value(DeviceId::Parse(device_name));
    Check(BackendRegistry::Global().SetOption(id.type.name(), "threads",
                                              absl::StrCat(absl::GetFlag(FLAGS_threads))));
  }
  const DeviceScope device(device_name);
  random::Seed(absl::GetFlag(FLAGS_seed));
  std::cout << "device: " << DefaultDevice().info().name << "\n";

  const Clock::time_point start = Clock::now();
  Result result;
  const data::DatasetPtr train = Images("train", folder);
  if (batch_size > train->size()) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        "--batch_size=", batch_size, " is more than the ", train->size(), " training images")));
  }
  Training training(train, batch_size);
  for (int epoch = 1; epoch <= epochs; ++epoch) training.Epoch(epoch, epochs, &result);
  const Test test = RunTest(training.net(), *Images("test", folder));
  result.test_accuracy = test.accuracy;
  CheckReloadedPredictions(training.net(), test, predict, &result);
  result.seconds = SecondsSince(start);

  const double eager = result.eager.images_per_second();
  const double hybrid = result.hybrid.images_per_second();
  const double speedup = eager > 0 ? hybrid / eager : 0;
  std::cout << absl::StreamFormat(
      "test accuracy %.4f after %d epochs, %.1f s\n"
      "training: eager %.0f images/s, hybridized %.0f images/s, %.2f times as fast\n"
      "a second process without a front end makes %s predictions\n",
      result.test_accuracy, epochs, result.seconds, eager, hybrid, speedup,
      result.reloaded_predictions_equal ? "the same"
      : result.reloaded_predictions_right
          ? absl::StrFormat("the same but for rounding (scores differ by %.1e "
                            "of the largest)",
                            result.reloaded_largest_difference)
          : "OTHER");
  if (absl::GetFlag(FLAGS_json)) {
    std::cout << absl::StreamFormat(
        "{\"test_accuracy\": %.6f, \"last_loss\": %s, \"seconds\": %.3f, "
        "\"eager_images_per_second\": %.1f, \"hybrid_images_per_second\": %.1f, "
        "\"hybrid_speedup\": %.3f, \"reloaded_predictions_equal\": %s, "
        "\"reloaded_largest_difference\": %.3g}\n",
        result.test_accuracy,
        // JSON has no NaN, which a training that diverged gives.
        std::isfinite(result.last_loss) ? absl::StrFormat("%.17g", result.last_loss) : "null",
        result.seconds, eager, hybrid, speedup,
        result.reloaded_predictions_equal ? "true" : "false", result.reloaded_largest_difference);
  }
  return result.reloaded_predictions_right ? 0 : 1;
}

}  // namespace
}  // namespace tandem::examples

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Trains LeNet on Fashion-MNIST, exports it, and checks the export in a second process.");
  absl::ParseCommandLine(argc, argv);
  try {
    return tandem::examples::Main(argv[0]);
  } catch (const std::exception& e) {
    std::cerr << "fashion_mnist: " << e.what() << "\n";
    return 1;
  }
}
