// Random ops: Philox 4x32-10 written once more, from the paper (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011).

#include <array>
#include <cmath>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

using Block = std::array<uint32_t, 4>;

Block Philox(uint64_t seed, uint64_t counter) {
  Block c = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(p0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c;
}

// Word `e` of the draw that begins at the state.
uint32_t Word(const RefTensor& state, int64_t delta, int64_t e) {
  const uint64_t seed = static_cast<uint64_t>(static_cast<int64_t>(state.values[0]));
  const uint64_t offset = static_cast<uint64_t>(static_cast<int64_t>(state.values[1]));
  return Philox(seed, offset + static_cast<uint64_t>(delta + e / 4))[e % 4];
}

Real Unit(uint32_t word) { return static_cast<Real>(word >> 8) * 0x1p-24L; }

RefTensor Result(const RefCall& call) {
  const Ints& shape = call.attrs.Ints("shape");
  return RefTensor::Of(call.attrs.Type("dtype"), Shape(absl::MakeConstSpan(shape)));
}

std::vector<RefTensor> UniformReference(const RefCall& call) {
  RefTensor y = Result(call);
  const Real low = call.attrs.Double("low"), high = call.attrs.Double("high");
  for (int64_t i = 0; i < y.size(); ++i) {
    const Real u = Unit(Word(call.in(0), call.attrs.Int("delta"), i));
    y.values[i] = low + u * (high - low);
    // The bounds, their difference, the product and the sum are rounded.
    y.SetError(i, 2 * (std::abs(low) + std::abs(high)) + 2 * std::abs(u * (high - low)));
  }
  return {y};
}

std::vector<RefTensor> NormalReference(const RefCall& call) {
  RefTensor y = Result(call);
  const Real mean = call.attrs.Double("mean"), stddev = call.attrs.Double("stddev");
  const Real two_pi = 6.28318530717958647692528676655900577L;
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t pair = i / 2 * 2;
    const Real u0 = Unit(Word(call.in(0), call.attrs.Int("delta"), pair));
    const Real u1 = Unit(Word(call.in(0), call.attrs.Int("delta"), pair + 1));
    const Real radius = std::sqrt(-2 * std::log(1 - u0));
    const Real n = radius * (i % 2 == 0 ? std::cos(two_pi * u1) : std::sin(two_pi * u1));
    y.values[i] = mean + stddev * n;
    // log within 4 ulp halves in the root; the angle's rounding, 2 u of up to 2 pi, is absolute; sine
    // and cosine within 4 ulp.
    const Real error = radius * (2 * two_pi + 8 + 6);
    y.SetError(i,
               stddev * error + 2 * std::abs(stddev * n) + std::abs(mean) + std::abs(y.values[i]));
  }
  return {y};
}

std::vector<RefTensor> BernoulliReference(const RefCall& call) {
  RefTensor y = Result(call);
  for (int64_t i = 0; i < y.size(); ++i) {
    y.values[i] = Unit(Word(call.in(0), call.attrs.Int("delta"), i)) < call.attrs.Double("p");
  }
  return {y};
}

std::vector<RefTensor> DropoutReference(const RefCall& call) {
  RefTensor y = RefTensor::Like(call.in(0), call.in(0).dtype);
  const Real keep = 1 - static_cast<Real>(call.attrs.Double("rate"));
  for (int64_t i = 0; i < y.size(); ++i) {
    const bool kept = Unit(Word(call.in(1), call.attrs.Int("delta"), i)) < keep;
    y.values[i] = kept ? call.in(0).values[i] / keep : 0;
    // The scale 1 / keep is rounded, and the product.
    y.SetError(i, 2 * std::abs(y.values[i]));
  }
  return {y};
}

InputDef State(Real seed, Real offset) { return Input(DType::kI64, {2}, Values({seed, offset})); }

}  // namespace

void AddRandomCases(CaseList* cases, BadCaseList* bad) {
  const InputDef states[] = {State(42, 0), State(0x123456789ABCL, 0xFFFFFFFEL), State(-7, 12345)};
  for (const InputDef& state : states) {
    for (DType dtype : kFloatTypes) {
      for (const Ints& shape : {Ints{}, Ints{7}, Ints{0}, Ints{63, 5}, Ints{1037}}) {
        for (int64_t delta : {0, 3}) {
          cases->push_back({.op = "random_uniform",
                            .inputs = {state},
                            .attrs = {{"shape", shape},
                                      {"low", -1.5},
                                      {"high", 2.0},
                                      {"dtype", dtype},
                                      {"delta", delta}},
                            .reference = UniformReference});
          cases->push_back({.op = "random_normal",
                            .inputs = {state},
                            .attrs = {{"shape", shape},
                                      {"mean", 0.25},
                                      {"stddev", 3.0},
                                      {"dtype", dtype},
                                      {"delta", delta}},
                            .reference = NormalReference});
        }
      }
      for (double rate : {0.0, 0.25, 0.9}) {
        cases->push_back({.op = "dropout",
                          .inputs = {Input(dtype, {13, 65}), state},
                          .attrs = {{"rate", rate}, {"delta", 2}},
                          .reference = DropoutReference});
      }
      cases->push_back({.op = "dropout",
                        .inputs = {Input(dtype, {13, 65}, {}, Layout::kTransposed), state},
                        .attrs = {{"rate", 0.5}},
                        .reference = DropoutReference});
    }
    for (DType dtype : kAllTypes) {
      for (double p : {0.0, 0.3, 1.0}) {
        cases->push_back(
            {.op = "random_bernoulli",
             .inputs = {state},
             .attrs = {{"shape", Ints{31, 9}}, {"p", p}, {"dtype", dtype}, {"delta", 1}},
             .reference = BernoulliReference});
      }
    }
  }
  const TensorSpec state{DType::kI64, {2}};
  const TensorSpec wrong{DType::kI64, {3}};
  for (const char* op : {"random_uniform", "random_normal", "random_bernoulli"}) {
    bad->push_back({op, {wrong}, {{"shape", Ints{2}}}, {"i64[2]"}});
    bad->push_back({op, {state}, {{"shape", Ints{2}}, {"delta", -1}}, {"delta"}});
    bad->push_back({op, {state}, {{"shape", Ints{int64_t{1} << 40, int64_t{1} << 40}}}, {}, false});
  }
  bad->push_back({"random_uniform", {state}, {{"shape", Ints{2}}, {"low", 2.0}}, {"low"}});
  bad->push_back({"random_uniform", {state}, {{"shape", Ints{2}}, {"dtype", DType::kI32}}, {}});
  bad->push_back({"random_normal", {state}, {{"shape", Ints{2}}, {"stddev", -2.0}}, {"stddev"}});
  bad->push_back({"random_bernoulli", {state}, {{"shape", Ints{2}}, {"p", 1.5}}, {"p must"}});
  bad->push_back({"dropout", {{DType::kF32, {3}}, state}, {{"rate", 1.0}}, {"rate"}});
  bad->push_back({"dropout", {{DType::kI32, {3}}, state}, {}, {"floating"}});
  bad->push_back({"dropout", {{DType::kF32, {3}}, wrong}, {}, {"i64[2]"}});
}

}  // namespace tandem::conformance
