// The ops of the reference: plain loops over multi-indices.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/op/matmul_geometry.h"
#include "tandem/core/op/reduction_geometry.h"
#include "tandem/core/op/window.h"
#include "tandem/core/ops/testing/reference_tape.h"

namespace tandem {
namespace {

using Index = std::vector<int64_t>;
using Evaluate = std::function<void(ReferenceCall&)>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// fn(index, flat position) for every element, row-major.
template <typename Fn>
void ForEach(const Shape& shape, Fn&& fn) {
  Index index(shape.rank(), 0);
  const int64_t count = shape.num_elements();
  for (int64_t flat = 0; flat < count; ++flat) {
    fn(index, flat);
    for (int i = shape.rank() - 1; i >= 0; --i) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
}

// Where an index of a broadcast result lies in an operand.
int64_t Flat(const Shape& shape, const Index& index) {
  const int leading = static_cast<int>(index.size()) - shape.rank();
  int64_t flat = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    flat = flat * shape[i] + (shape[i] == 1 ? 0 : index[leading + i]);
  }
  return flat;
}

Evaluate Elementwise(std::function<double(const std::vector<double>&)> fn) {
  return [fn = std::move(fn)](ReferenceCall& c) {
    std::vector<double> values(c.inputs.size());
    ForEach(c.output_specs[0].shape, [&](const Index& index, int64_t flat) {
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = (*c.inputs[i])[Flat(c.input_specs[i].shape, index)];
      }
      c.outputs[0][flat] = fn(values);
    });
  };
}
Evaluate Unary(double (*fn)(double)) {
  return Elementwise([fn](const std::vector<double>& v) { return fn(v[0]); });
}
Evaluate Binary(double (*fn)(double, double)) {
  return Elementwise([fn](const std::vector<double>& v) { return fn(v[0], v[1]); });
}

void Cast(ReferenceCall& c) {
  const DType to = c.output_specs[0].dtype;
  for (size_t i = 0; i < c.outputs[0].size(); ++i) {
    const double v = (*c.inputs[0])[i];
    c.outputs[0][i] = to == DType::kBool ? v != 0 : IsInteger(to) ? std::trunc(v) : v;
  }
}

void Copy(ReferenceCall& c) { c.outputs[0] = *c.inputs[0]; }

void Full(ReferenceCall& c) {
  std::fill(c.outputs[0].begin(), c.outputs[0].end(), c.attrs.Double("value"));
}

void Transpose(ReferenceCall& c) {
  const Shape& in = c.input_specs[0].shape;
  const std::vector<int64_t>& axes = c.attrs.Ints("axes");
  ForEach(in, [&](const Index& index, int64_t flat) {
    Index moved(index.size());
    for (size_t i = 0; i < index.size(); ++i) {
      const int64_t axis = axes.empty() ? static_cast<int64_t>(index.size() - 1 - i) : axes[i];
      moved[i] = index[axis < 0 ? axis + static_cast<int64_t>(index.size()) : axis];
    }
    c.outputs[0][Flat(c.output_specs[0].shape, moved)] = (*c.inputs[0])[flat];
  });
}

// For begins that are within the tensor, as gradients use them.
void Slice(ReferenceCall& c) {
  const std::vector<int64_t>& begin = c.attrs.Ints("begin");
  const std::vector<int64_t>& strides = c.attrs.Ints("strides");
  ForEach(c.output_specs[0].shape, [&](const Index& index, int64_t flat) {
    Index from = index;
    for (size_t i = 0; i < begin.size(); ++i) {
      from[i] = begin[i] + index[i] * (strides.empty() ? 1 : strides[i]);
    }
    c.outputs[0][flat] = (*c.inputs[0])[Flat(c.input_specs[0].shape, from)];
  });
}

void SliceBackward(ReferenceCall& c) {
  const std::vector<int64_t>& begin = c.attrs.Ints("begin");
  const std::vector<int64_t>& strides = c.attrs.Ints("strides");
  ForEach(c.input_specs[0].shape, [&](const Index& index, int64_t flat) {
    Index to = index;
    for (size_t i = 0; i < begin.size(); ++i) {
      to[i] = begin[i] + index[i] * (strides.empty() ? 1 : strides[i]);
    }
    c.outputs[0][Flat(c.output_specs[0].shape, to)] = (*c.inputs[0])[flat];
  });
}

void Pad(ReferenceCall& c) {
  const std::vector<int64_t>& before = c.attrs.Ints("before");
  std::fill(c.outputs[0].begin(), c.outputs[0].end(), c.attrs.Double("value"));
  ForEach(c.input_specs[0].shape, [&](const Index& index, int64_t flat) {
    Index to = index;
    for (size_t i = 0; i < before.size(); ++i) to[i] += before[i];
    c.outputs[0][Flat(c.output_specs[0].shape, to)] = (*c.inputs[0])[flat];
  });
}

// The elements that are reduced to each result.
std::vector<std::vector<double>> Groups(const ReferenceCall& c, absl::Span<const int64_t> axes) {
  const Shape& in = c.input_specs[0].shape;
  const ReductionGeometry g = *ReductionGeometry::Create(in, axes, true);
  std::vector<std::vector<double>> groups(g.kept.num_elements());
  ForEach(in, [&](const Index& index, int64_t flat) {
    groups[Flat(g.kept, index)].push_back((*c.inputs[0])[flat]);
  });
  return groups;
}

Evaluate Reduce(double start, double (*step)(double, double), bool mean = false) {
  return [=](ReferenceCall& c) {
    const auto groups = Groups(c, c.attrs.Ints("axes"));
    for (size_t i = 0; i < groups.size(); ++i) {
      double result = start;
      for (double v : groups[i]) result = step(result, v);
      c.outputs[0][i] = mean ? result / static_cast<double>(groups[i].size()) : result;
    }
  };
}

Evaluate ArgReduce(double sign) {
  return [=](ReferenceCall& c) {
    const int64_t axes[] = {c.attrs.Int("axis")};
    const auto groups = Groups(c, axes);
    for (size_t i = 0; i < groups.size(); ++i) {
      size_t best = 0;
      for (size_t k = 1; k < groups[i].size() && !std::isnan(groups[i][best]); ++k) {
        const double v = groups[i][k];
        if (std::isnan(v) || sign * v > sign * groups[i][best]) best = k;
      }
      c.outputs[0][i] = static_cast<double>(best);
    }
  };
}

void Matmul(ReferenceCall& c) {
  const MatmulGeometry g =
      *MatmulGeometry::Create(c.input_specs[0].shape, c.input_specs[1].shape,
                              c.attrs.Bool("transpose_a"), c.attrs.Bool("transpose_b"));
  ForEach(g.batch, [&](const Index& index, int64_t batch) {
    int64_t a = 0, b = 0;
    for (size_t d = 0; d < index.size(); ++d) {
      a += index[d] * g.a_batch_strides[static_cast<int>(d)];
      b += index[d] * g.b_batch_strides[static_cast<int>(d)];
    }
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < g.k; ++k) {
          sum += (*c.inputs[0])[a + (g.transpose_a ? k * g.m + i : i * g.k + k)] *
                 (*c.inputs[1])[b + (g.transpose_b ? j * g.k + k : k * g.n + j)];
        }
        c.outputs[0][(batch * g.m + i) * g.n + j] = sum;
      }
    }
  });
}

// fn(first element, step between elements, size) for every line along the axis.
template <typename Fn>
void ForEachLine(const Shape& shape, int64_t axis, Fn&& fn) {
  const AxisGeometry g = *AxisGeometry::Create(shape, axis);
  for (int64_t o = 0; o < g.outer; ++o) {
    for (int64_t n = 0; n < g.inner; ++n) fn(o * g.size * g.inner + n, g.inner, g.size);
  }
}

void LogSoftmaxLine(const std::vector<double>& x, std::vector<double>& y, int64_t first,
                    int64_t step, int64_t size) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < size; ++i) largest = std::max(largest, x[first + i * step]);
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += std::exp(x[first + i * step] - largest);
  for (int64_t i = 0; i < size; ++i) {
    y[first + i * step] = x[first + i * step] - largest - std::log(sum);
  }
}

void Softmax(ReferenceCall& c, bool log) {
  ForEachLine(c.input_specs[0].shape, c.attrs.Int("axis"),
              [&](int64_t first, int64_t step, int64_t size) {
                LogSoftmaxLine(*c.inputs[0], c.outputs[0], first, step, size);
                for (int64_t i = 0; i < size && !log; ++i) {
                  c.outputs[0][first + i * step] = std::exp(c.outputs[0][first + i * step]);
                }
              });
}

void CrossEntropy(ReferenceCall& c) {
  std::vector<double> log_softmax(c.inputs[0]->size());
  int64_t row = 0;
  ForEachLine(c.input_specs[0].shape, -1, [&](int64_t first, int64_t step, int64_t size) {
    LogSoftmaxLine(*c.inputs[0], log_softmax, first, step, size);
    const double label = (*c.inputs[1])[row];
    const bool valid = label >= 0 && label < static_cast<double>(size);
    c.outputs[0][row++] = valid ? -log_softmax[first + static_cast<int64_t>(label)] : kNan;
  });
}

// conv2d and its gradients are one sum of products over the same triples of elements.
enum class ConvPart { kOutput, kInput, kWeight };
void Convolve(ReferenceCall& c, ConvPart part) {
  const Shape x_shape =
      part == ConvPart::kInput ? Shape(c.attrs.Ints("input_shape")) : c.input_specs[0].shape;
  const Shape w_shape =
      part == ConvPart::kWeight ? Shape(c.attrs.Ints("weight_shape")) : c.input_specs[1].shape;
  const Conv2dGeometry g = *Conv2dGeometry::Create(x_shape, w_shape, c.attrs);
  ForEach(g.output_shape(), [&](const Index& y, int64_t y_flat) {
    const int64_t group = y[1] / g.group_out_channels();
    ForEach({g.group_in_channels(), g.height.kernel, g.width.kernel}, [&](const Index& w, int64_t) {
      const int64_t row = g.height.Position(y[2], w[1]);
      const int64_t column = g.width.Position(y[3], w[2]);
      if (row < 0 || row >= g.height.input || column < 0 || column >= g.width.input) return;
      const int64_t channel = group * g.group_in_channels() + w[0];
      const int64_t xi = Flat(g.input_shape(), {y[0], channel, row, column});
      const int64_t wi = Flat(g.weight_shape(), {y[1], w[0], w[1], w[2]});
      const std::vector<double>&a = *c.inputs[0], &b = *c.inputs[1];
      if (part == ConvPart::kOutput) c.outputs[0][y_flat] += a[xi] * b[wi];
      if (part == ConvPart::kInput) c.outputs[0][xi] += a[y_flat] * b[wi];
      if (part == ConvPart::kWeight) c.outputs[0][wi] += a[xi] * b[y_flat];
    });
  });
}

// fn(window's flat position, divisor, the flat positions of its elements)
template <typename Fn>
void ForEachWindow(const Pool2dGeometry& g, Fn&& fn) {
  ForEach(g.output_shape(), [&](const Index& y, int64_t y_flat) {
    std::vector<int64_t> elements;
    for (int64_t h = g.height.Begin(y[2]); h < g.height.End(y[2]); ++h) {
      for (int64_t w = g.width.Begin(y[3]); w < g.width.End(y[3]); ++w) {
        elements.push_back(Flat(g.input_shape(), {y[0], y[1], h, w}));
      }
    }
    fn(y_flat, static_cast<double>(g.Divisor(y[2], y[3])), elements);
  });
}

int64_t FirstMaximum(const std::vector<double>& x, const std::vector<int64_t>& elements) {
  int64_t best = elements[0];
  for (int64_t e : elements) {
    if (x[e] > x[best] || (std::isnan(x[e]) && !std::isnan(x[best]))) best = e;
  }
  return best;
}

void MaxPool(ReferenceCall& c, bool backward) {
  const std::vector<double>& x = *c.inputs[backward ? 1 : 0];
  const Shape& shape = c.input_specs[backward ? 1 : 0].shape;
  ForEachWindow(*Pool2dGeometry::Create(shape, c.attrs),
                [&](int64_t window, double, const std::vector<int64_t>& elements) {
                  const int64_t best = FirstMaximum(x, elements);
                  if (backward) {
                    c.outputs[0][best] += (*c.inputs[0])[window];
                  } else {
                    c.outputs[0][window] = x[best];
                  }
                });
}

void AvgPool(ReferenceCall& c, bool backward) {
  const Shape shape = backward ? c.output_specs[0].shape : c.input_specs[0].shape;
  const std::vector<double>& in = *c.inputs[0];
  ForEachWindow(*Pool2dGeometry::Create(shape, c.attrs),
                [&](int64_t window, double divisor, const std::vector<int64_t>& elements) {
                  for (int64_t e : elements) {
                    if (backward) {
                      c.outputs[0][e] += in[window] / divisor;
                    } else {
                      c.outputs[0][window] += in[e] / divisor;
                    }
                  }
                });
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments MomentsOf(const std::vector<double>& values) {
  Moments m;
  for (double v : values) m.mean += v / static_cast<double>(values.size());
  for (double v : values) {
    m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  }
  return m;
}

void BatchNorm(ReferenceCall& c) {
  const Shape& shape = c.input_specs[0].shape;
  const AxisGeometry g = *AxisGeometry::Create(shape, c.attrs.Int("axis"));
  const std::vector<double>& x = *c.inputs[0];
  const double n = static_cast<double>(g.outer * g.inner);
  const double momentum = c.attrs.Double("momentum");
  for (int64_t channel = 0; channel < g.size; ++channel) {
    std::vector<int64_t> where;
    std::vector<double> values;
    for (int64_t o = 0; o < g.outer; ++o) {
      for (int64_t i = 0; i < g.inner; ++i) {
        where.push_back((o * g.size + channel) * g.inner + i);
        values.push_back(x[where.back()]);
      }
    }
    Moments m = {(*c.inputs[3])[channel], (*c.inputs[4])[channel]};
    c.outputs[1][channel] = m.mean;
    c.outputs[2][channel] = m.variance;
    if (c.attrs.Bool("training")) {
      const Moments old = m;
      m = MomentsOf(values);
      const double unbiased = m.variance * n / std::max(n - 1, 1.0);
      c.outputs[1][channel] = momentum * old.mean + (1 - momentum) * m.mean;
      c.outputs[2][channel] = momentum * old.variance + (1 - momentum) * unbiased;
    }
    const double rstd = 1 / std::sqrt(m.variance + c.attrs.Double("epsilon"));
    c.outputs[3][channel] = m.mean;
    c.outputs[4][channel] = rstd;
    for (int64_t e : where) {
      c.outputs[0][e] = (x[e] - m.mean) * rstd * (*c.inputs[1])[channel] + (*c.inputs[2])[channel];
    }
  }
}

void LayerNorm(ReferenceCall& c) {
  const std::vector<double>& x = *c.inputs[0];
  int64_t line = 0;
  ForEachLine(c.input_specs[0].shape, c.attrs.Int("axis"),
              [&](int64_t first, int64_t step, int64_t size) {
                std::vector<double> values;
                for (int64_t i = 0; i < size; ++i) values.push_back(x[first + i * step]);
                const Moments m = MomentsOf(values);
                const double rstd = 1 / std::sqrt(m.variance + c.attrs.Double("epsilon"));
                c.outputs[1][line] = m.mean;
                c.outputs[2][line++] = rstd;
                for (int64_t i = 0; i < size; ++i) {
                  c.outputs[0][first + i * step] =
                      (values[i] - m.mean) * rstd * (*c.inputs[1])[i] + (*c.inputs[2])[i];
                }
              });
}

void Gather(ReferenceCall& c, bool backward) {
  const Shape& x = (backward ? c.output_specs[0] : c.input_specs[0]).shape;
  const AxisGeometry g = *AxisGeometry::Create(x, c.attrs.Int("axis"));
  const std::vector<double>& indices = *c.inputs[1];
  const int64_t count = static_cast<int64_t>(indices.size());
  for (int64_t o = 0; o < g.outer; ++o) {
    for (int64_t k = 0; k < count; ++k) {
      const int64_t at = std::clamp<int64_t>(static_cast<int64_t>(indices[k]), 0,
                                             std::max<int64_t>(g.size - 1, 0));
      for (int64_t i = 0; i < g.inner; ++i) {
        const int64_t in_x = (o * g.size + at) * g.inner + i;
        const int64_t in_y = (o * count + k) * g.inner + i;
        if (backward) {
          c.outputs[0][in_x] += (*c.inputs[0])[in_y];
        } else {
          c.outputs[0][in_y] = (*c.inputs[0])[in_x];
        }
      }
    }
  }
}

void OneHot(ReferenceCall& c) {
  const int64_t depth = c.attrs.Int("depth");
  for (size_t i = 0; i < c.inputs[0]->size(); ++i) {
    for (int64_t k = 0; k < depth; ++k) {
      const bool hit = (*c.inputs[0])[i] == static_cast<double>(k);
      c.outputs[0][static_cast<int64_t>(i) * depth + k] = c.attrs.Double(hit ? "on" : "off");
    }
  }
}

const std::map<std::string, Evaluate, std::less<>>& Table() {
  static const auto* table = new std::map<std::string, Evaluate, std::less<>>{
      {"neg", Unary([](double a) { return -a; })},
      {"abs", Unary([](double a) { return std::fabs(a); })},
      {"square", Unary([](double a) { return a * a; })},
      {"exp", Unary([](double a) { return std::exp(a); })},
      {"log", Unary([](double a) { return std::log(a); })},
      {"sqrt", Unary([](double a) { return std::sqrt(a); })},
      {"rsqrt", Unary([](double a) { return 1 / std::sqrt(a); })},
      {"reciprocal", Unary([](double a) { return 1 / a; })},
      {"isnan", Unary([](double a) { return static_cast<double>(std::isnan(a)); })},
      {"logical_not", Unary([](double a) { return static_cast<double>(a == 0); })},
      {"add", Binary([](double a, double b) { return a + b; })},
      {"sub", Binary([](double a, double b) { return a - b; })},
      {"mul", Binary([](double a, double b) { return a * b; })},
      {"div", Binary([](double a, double b) { return a / b; })},
      {"pow", Binary([](double a, double b) { return std::pow(a, b); })},
      {"equal", Binary([](double a, double b) { return static_cast<double>(a == b); })},
      {"not_equal", Binary([](double a, double b) { return static_cast<double>(a != b); })},
      {"less", Binary([](double a, double b) { return static_cast<double>(a < b); })},
      {"less_equal", Binary([](double a, double b) { return static_cast<double>(a <= b); })},
      {"greater", Binary([](double a, double b) { return static_cast<double>(a > b); })},
      {"greater_equal", Binary([](double a, double b) { return static_cast<double>(a >= b); })},
      {"logical_and",
       Binary([](double a, double b) { return static_cast<double>(a != 0 && b != 0); })},
      {"logical_or",
       Binary([](double a, double b) { return static_cast<double>(a != 0 || b != 0); })},
      {"where", Elementwise([](const std::vector<double>& v) { return v[0] != 0 ? v[1] : v[2]; })},
      {"broadcast_to", Elementwise([](const std::vector<double>& v) { return v[0]; })},
      {"cast", Cast},
      {"identity", Copy},
      {"reshape", Copy},
      {"expand_dims", Copy},
      {"squeeze", Copy},
      {"full", Full},
      {"transpose", Transpose},
      {"slice", Slice},
      {"slice_backward", SliceBackward},
      {"pad", Pad},
      {"sum", Reduce(0, [](double a, double b) { return a + b; })},
      {"mean", Reduce(
                   0, [](double a, double b) { return a + b; }, /*mean=*/true)},
      {"prod", Reduce(1, [](double a, double b) { return a * b; })},
      {"max", Reduce(-std::numeric_limits<double>::infinity(),
                     [](double a, double b) { return a > b || std::isnan(a) ? a : b; })},
      {"min", Reduce(std::numeric_limits<double>::infinity(),
                     [](double a, double b) { return a < b || std::isnan(a) ? a : b; })},
      {"argmax", ArgReduce(1)},
      {"argmin", ArgReduce(-1)},
      {"matmul", Matmul},
      {"softmax", [](ReferenceCall& c) { Softmax(c, false); }},
      {"log_softmax", [](ReferenceCall& c) { Softmax(c, true); }},
      {"cross_entropy", CrossEntropy},
      {"conv2d", [](ReferenceCall& c) { Convolve(c, ConvPart::kOutput); }},
      {"conv2d_backward_input", [](ReferenceCall& c) { Convolve(c, ConvPart::kInput); }},
      {"conv2d_backward_weight", [](ReferenceCall& c) { Convolve(c, ConvPart::kWeight); }},
      {"max_pool2d", [](ReferenceCall& c) { MaxPool(c, false); }},
      {"max_pool2d_backward", [](ReferenceCall& c) { MaxPool(c, true); }},
      {"avg_pool2d", [](ReferenceCall& c) { AvgPool(c, false); }},
      {"avg_pool2d_backward", [](ReferenceCall& c) { AvgPool(c, true); }},
      {"batch_norm", BatchNorm},
      {"layer_norm", LayerNorm},
      {"gather", [](ReferenceCall& c) { Gather(c, false); }},
      {"gather_backward", [](ReferenceCall& c) { Gather(c, true); }},
      {"one_hot", OneHot},
  };
  return *table;
}

}  // namespace

bool ReferenceHas(absl::string_view op) { return Table().contains(std::string(op)); }

absl::Status EvaluateReference(absl::string_view op, ReferenceCall& call) {
  auto it = Table().find(std::string(op));
  if (it == Table().end()) {
    return absl::UnimplementedError(absl::StrCat("the reference has no ", op));
  }
  it->second(call);
  return absl::OkStatus();
}

}  // namespace tandem
