// The examples of docs/control_flow.md, in its order; prints what that page says they print.
//
//   ./bazelw run //examples:control_flow

#include <iostream>
#include <string>
#include <utility>

#include "tandem/frontends/cpp/tandem.h"

namespace tandem::examples {
namespace {

// [begin page]
// Twice the negative part of x, or x as it is: only one side computes.
struct Gate : HybridBlock {
  Tensor HybridForward(const Tensor& x, const Params&) override {
    return Cond(
        Sum(x) > 0, [&] { return x; }, [&] { return Minimum(x, x * 0) * 2; });
  }
};

// The sums of all beginnings of x.
Tensor CumulativeSum(const Tensor& x) {
  const auto [sums, last] = ForEach(
      [](const Tensor& value, const Tensor& sum) {
        Tensor next = sum + value;
        return std::pair(next, next);
      },
      x, Zeros({}));
  return sums;
}

// The square root of a, by Newton's method, and in how many steps.
TensorList SquareRoot(const Tensor& a) {
  return WhileLoop([&](const TensorList& state) { return Abs(state[0] * state[0] - a) > 1e-5 * a; },
                   [&](const TensorList& state) {
                     return TensorList{(state[0] + a / state[0]) * 0.5, state[1] + 1};
                   },
                   {a, Zeros({})}, {.max_iterations = 50});
}
// [end page]

void Run() {
  Gate gate;
  std::cout << "eager: " << ToVector(gate(Array({-3, 1})))[0] << "\n";
  gate.Hybridize();
  std::cout << "compiled: " << ToVector(gate(Array({-3, 1})))[0] << " and "
            << ToVector(gate(Array({3, 1})))[0] << "\n";

  std::cout << "sums:";
  for (const float sum : ToVector(CumulativeSum(Array({1, 2, 3, 4})))) std::cout << " " << sum;
  std::cout << "\n";

  for (const float a : {2.0f, 100.0f}) {
    const Tensor number = ScalarArray(a);
    RequireGrad(number);
    TensorList root;
    {
      RecordScope record;
      root = SquareRoot(number);
    }
    Backward(root[0]);
    std::cout << "the root of " << a << ": " << Item(root[0]) << " after " << Item(root[1])
              << " steps, slope " << Item(GradOf(number)) << "\n";
  }
}

}  // namespace
}  // namespace tandem::examples

int main() {
  try {
    tandem::examples::Run();
  } catch (const tandem::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
