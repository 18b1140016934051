#include "tandem/benchmarks/peers/tandem_worker.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/benchmarks/peers/workload.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/device/backend.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem::benchmarks {
namespace {

// What stays from call to call.
struct Subject {
  std::shared_ptr<HybridBlock> net;
  std::unique_ptr<HybridBlock> step;  // of compiled training
  SoftmaxCrossEntropyLoss loss;
  std::unique_ptr<Trainer> trainer;  // of eager training
  TensorList inputs;
};

// A step as a user writes it.
Tensor TrainEagerly(Subject& s) {
  Tensor losses;
  {
    RecordScope record;
    losses = s.loss((*s.net)(s.inputs[0]), s.inputs[1]);
  }
  Backward(losses);
  s.trainer->Step(s.inputs[0].shape()[0]);
  return losses;
}

Tensor CallOnce(Subject& s) {
  Tensor output;
  if (s.step != nullptr) {
    output = (*s.step)(s.inputs[0], s.inputs[1]);
  } else if (s.trainer != nullptr) {
    output = TrainEagerly(s);
  } else {
    output = (*s.net)(s.inputs[0]);
  }
  WaitAll();
  return output;
}

}  // namespace

Loader TandemLoader(absl::string_view system) {
  const bool compile = system == kTandemStatic;
  return [compile](const LoadRequest& request) -> absl::StatusOr<Call> {
    TANDEM_RETURN_IF_ERROR(
        BackendRegistry::Global().SetOption("cpu", "threads", absl::StrCat(request.threads)));
    TANDEM_ASSIGN_OR_RETURN(const Workload workload, FindWorkload(request.net, request.batch));
    auto subject = std::make_shared<Subject>();
    subject->net = MakeNetwork(workload);
    subject->net->LoadParameters(request.Path(kWeightsFile));
    subject->inputs = ReadInputs(request.folder);
    HybridBlock* compiled = subject->net.get();
    if (workload.training && compile) {
      subject->step = MakeTrainingStep(subject->net);
      compiled = subject->step.get();
    } else if (workload.training) {
      subject->trainer = std::make_unique<Trainer>(
          subject->net->CollectParameters(),
          std::make_unique<SGD>(SGDOptions{.learning_rate = kLearningRate}));
    }
    if (compile) compiled->Hybridize({.static_alloc = true, .static_shape = true});
    WriteActual(workload, *subject->net, CallOnce(*subject), request.folder);
    return Call([subject] { CallOnce(*subject); });
  };
}

}  // namespace tandem::benchmarks
