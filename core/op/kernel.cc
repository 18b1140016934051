#include "tandem/core/op/kernel.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tandem/core/op/op_body.h"

namespace tandem {
namespace {

constexpr absl::string_view kAnyOp = "*";

}  // namespace

KernelRegistry& KernelRegistry::Global() {
  static auto* registry = new KernelRegistry;
  return *registry;
}

absl::Status KernelRegistry::Register(KernelDef def) {
  if (def.op.empty() || def.name.empty() || !def.prepare) {
    return absl::InvalidArgumentError(absl::StrCat("kernel '", def.name, "' of op '", def.op,
                                                   "' needs a name, an op and a prepare function"));
  }
  absl::MutexLock lock(&mutex_);
  std::vector<const KernelDef*>& kernels = by_op_[def.op];
  for (const KernelDef* known : kernels) {
    if (known->device == def.device && known->name == def.name) {
      return absl::AlreadyExistsError(absl::StrCat("kernel '", def.name, "' of op '", def.op,
                                                   "' on ", def.device.name(),
                                                   " is registered already"));
    }
  }
  defs_.push_back(std::make_unique<KernelDef>(std::move(def)));
  const KernelDef* added = defs_.back().get();
  // Best first; equal priorities in the order of registration.
  auto place = std::find_if(kernels.begin(), kernels.end(),
                            [&](const KernelDef* k) { return k->priority < added->priority; });
  kernels.insert(place, added);
  generation_.fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

const KernelDef* KernelRegistry::Find(const KernelRequest& request) const {
  absl::ReaderMutexLock lock(&mutex_);
  const KernelDef* kernel = FindIn(request.op.name, request);
  return kernel != nullptr ? kernel : FindIn(kAnyOp, request);
}

const KernelDef* KernelRegistry::FindIn(absl::string_view op, const KernelRequest& request) const {
  auto it = by_op_.find(op);
  if (it == by_op_.end()) return nullptr;
  const DeviceType type = request.device.id().type;
  const absl::Span<const TensorLayout> keyed =
      request.inputs.empty() ? request.outputs : request.inputs;
  for (const KernelDef* kernel : it->second) {
    if (kernel->device != type) continue;
    if (!kernel->dtypes.empty() &&
        (keyed.empty() || std::find(kernel->dtypes.begin(), kernel->dtypes.end(),
                                    keyed[0].spec.dtype) == kernel->dtypes.end())) {
      continue;
    }
    if (!kernel->supports || kernel->supports(request)) return kernel;
  }
  return nullptr;
}

std::vector<const KernelDef*> KernelRegistry::KernelsOf(absl::string_view op,
                                                        DeviceType device) const {
  std::vector<const KernelDef*> result;
  const auto append = [&](absl::string_view name) ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    auto it = by_op_.find(name);
    if (it == by_op_.end()) return;
    for (const KernelDef* kernel : it->second) {
      if (kernel->device == device) result.push_back(kernel);
    }
  };
  absl::ReaderMutexLock lock(&mutex_);
  append(op);
  if (op != kAnyOp) append(kAnyOp);
  return result;
}

bool FusesExactly(const KernelRegistry& kernels, const OpDef& fused, const OpBody& body,
                  Device& device) {
  const absl::StatusOr<AttributeMap> attrs = AttributeMap::Create(
      fused.attributes, {{"body", AttributeValue(Ref<const AttributeBody>(&body))}});
  if (!attrs.ok()) return false;
  const auto layouts = [&](const auto& values) {
    LayoutList list;
    for (const int32_t value : values) list.push_back(TensorLayout::Contiguous(body.spec(value)));
    return list;
  };
  std::vector<int32_t> inputs(body.num_inputs());
  std::iota(inputs.begin(), inputs.end(), 0);
  const KernelDef* const whole =
      kernels.Find({fused, *attrs, layouts(inputs), layouts(body.outputs()), device});
  if (whole == nullptr) return false;
  for (const OpBody::Step& step : body.steps()) {
    std::vector<int32_t> outputs(step.num_outputs);
    std::iota(outputs.begin(), outputs.end(), step.first_output);
    const KernelDef* const own =
        kernels.Find({*step.op, step.attrs, layouts(step.inputs), layouts(outputs), device});
    if (own == nullptr) return false;
    if (own == whole) continue;
    const std::string name = absl::StrCat(own->op, ":", own->name);
    if (std::find(whole->stands_for.begin(), whole->stands_for.end(), name) ==
        whole->stands_for.end()) {
      return false;
    }
  }
  return true;
}

}  // namespace tandem
