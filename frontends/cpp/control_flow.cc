#include "tandem/frontends/cpp/control_flow.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/graph/trace/control_flow.h"

namespace tandem {
namespace {

using Inputs = absl::Span<const Tensor>;

// What throws, as what returns a status.
template <typename Function>
BodyFunction Catching(const Function& function) {
  return [&function](Inputs inputs) -> absl::StatusOr<TensorList> {
    TensorList outputs;
    const absl::Status status = CatchExceptions([&] { outputs = function(inputs); });
    if (!status.ok()) return status;
    return outputs;
  };
}

TensorList ListOf(Inputs inputs) { return TensorList(inputs.begin(), inputs.end()); }

}  // namespace

TensorList Cond(const Tensor& predicate, const std::function<TensorList()>& then_fn,
                const std::function<TensorList()>& else_fn, SourceLocation loc) {
  Initialize();
  const auto then_list = [&](Inputs) { return then_fn(); };
  const auto else_list = [&](Inputs) { return else_fn(); };
  return Value(RunCond(predicate, Catching(then_list), Catching(else_list), loc));
}

Tensor Cond(const Tensor& predicate, const std::function<Tensor()>& then_fn,
            const std::function<Tensor()>& else_fn, SourceLocation loc) {
  return Cond(predicate, std::function<TensorList()>([&] { return TensorList{then_fn()}; }),
              std::function<TensorList()>([&] { return TensorList{else_fn()}; }), loc)[0];
}

ScanResult Scan(const ScanStep& step, const TensorList& carry, const TensorList& xs,
                const ScanOptions& options, SourceLocation loc) {
  Initialize();
  const size_t num_carry = carry.size();
  const auto flat = [&](Inputs inputs) {
    ScanResult result =
        step(ListOf(inputs.subspan(0, num_carry)), ListOf(inputs.subspan(num_carry)));
    if (result.carry.size() != num_carry) {
      throw Error(absl::InvalidArgumentError(
          absl::StrCat("scan: the step takes ", num_carry, " carries and gives ",
                       result.carry.size(), "; it must give as many [at ", ToString(loc), "]")));
    }
    TensorList all = std::move(result.carry);
    all.insert(all.end(), result.outputs.begin(), result.outputs.end());
    return all;
  };
  ScanArguments arguments;
  arguments.carry = carry;
  arguments.scanned = xs;
  arguments.length = options.length;
  arguments.reverse = options.reverse;
  const TensorList results = Value(RunScan(Catching(flat), arguments, loc));
  return {TensorList(results.begin(), results.begin() + num_carry),
          TensorList(results.begin() + num_carry, results.end())};
}

std::pair<TensorList, TensorList> ForEach(const ForEachSteps& body, const TensorList& data,
                                          const TensorList& states, SourceLocation loc) {
  const ScanStep step = [&](const TensorList& carry, const TensorList& slices) {
    auto [outputs, next] = body(slices, carry);
    return ScanResult{std::move(next), std::move(outputs)};
  };
  ScanResult result = Scan(step, states, data, {}, loc);
  return {std::move(result.outputs), std::move(result.carry)};
}

std::pair<Tensor, Tensor> ForEach(const ForEachStep& body, const Tensor& data, const Tensor& state,
                                  SourceLocation loc) {
  const ForEachSteps steps = [&](const TensorList& slices, const TensorList& states) {
    auto [output, next] = body(slices[0], states[0]);
    return std::pair(TensorList{std::move(output)}, TensorList{std::move(next)});
  };
  auto [outputs, states] = ForEach(steps, TensorList{data}, TensorList{state}, loc);
  return {std::move(outputs[0]), std::move(states[0])};
}

TensorList WhileLoop(const std::function<Tensor(const TensorList&)>& condition,
                     const std::function<TensorList(const TensorList&)>& body,
                     const TensorList& state, const WhileLoopOptions& options, SourceLocation loc) {
  Initialize();
  const auto condition_list = [&](Inputs inputs) { return TensorList{condition(ListOf(inputs))}; };
  const auto body_list = [&](Inputs inputs) { return body(ListOf(inputs)); };
  return Value(RunWhileLoop(Catching(condition_list), Catching(body_list), state,
                            options.max_iterations, loc));
}

Tensor WhileLoop(const std::function<Tensor(const Tensor&)>& condition,
                 const std::function<Tensor(const Tensor&)>& body, const Tensor& state,
                 const WhileLoopOptions& options, SourceLocation loc) {
  return WhileLoop(std::function<Tensor(const TensorList&)>(
                       [&](const TensorList& states) { return condition(states[0]); }),
                   std::function<TensorList(const TensorList&)>(
                       [&](const TensorList& states) { return TensorList{body(states[0])}; }),
                   TensorList{state}, options, loc)[0];
}

}  // namespace tandem
