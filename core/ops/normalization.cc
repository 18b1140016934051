#include "tandem/core/ops/normalization.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

using Axes = std::vector<int64_t>;

// What both normalizations share: x is normalized to mean 0 and variance 1 over `stat_axes`, then
// scaled and shifted by parameters that vary along one axis.
struct Layout {
  Axes stat_axes;     // one mean and one variance for each index of the other axes
  Axes param_axes;    // all but the one that the parameters vary along
  Shape stat_shape;   // of the statistics, broadcastable against x
  Shape param_shape;  // of the parameters, broadcastable against x
  int64_t count = 1;  // elements for each mean
};

Layout MakeLayout(const Shape& x, int axis, bool stats_along_axis) {
  Layout layout;
  layout.stat_shape = Shape(Dims::Filled(x.rank(), 1));
  layout.param_shape = layout.stat_shape;
  layout.param_shape[axis] = x[axis];
  Shape counted;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) layout.param_axes.push_back(i);
    if ((i == axis) == stats_along_axis) {
      layout.stat_axes.push_back(i);
      counted.push_back(x[i]);
    } else {
      layout.stat_shape[i] = x[i];
    }
  }
  layout.count = counted.num_elements();
  return layout;
}

// For a use that was inferred, so its axis is valid.
Layout LayoutOf(const Tensor& x, const AttributeMap& attrs, bool stats_along_axis) {
  return MakeLayout(x.shape(), NormalizeAxis(attrs.Int("axis"), x.rank()).value_or(0),
                    stats_along_axis);
}

// Over no axes, where [] would mean all.
Tensor Reduce(Emitter& emit, absl::string_view op, const Tensor& x, const Axes& axes) {
  if (axes.empty()) return x;
  return emit(op, {x}, {{"axes", axes}, {"keepdims", true}});
}

// x is floating point; the parameters from input 1 on have one dtype, that of x or f32, and a value
// for each index of `axis`.
absl::Status CheckInputs(const InferContext& c, int axis) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  const DType x = c.input(0).dtype;
  const DType params = c.input(1).dtype;
  if (params != x && params != WideDType(x)) {
    return c.Error(absl::StrCat("gamma must have the dtype of x",
                                WideDType(x) != x ? " or f32" : "", ", not ", DTypeName(params)));
  }
  for (int i = 1; i < c.num_inputs(); ++i) {
    TANDEM_RETURN_IF_ERROR(CheckSameDType(c, 1, i));
    TANDEM_RETURN_IF_ERROR(CheckShape(c, i, {c.input(0).shape[axis]},
                                      absl::StrCat("one value for each index of axis ", axis)));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> InferAxis(const InferContext& c) {
  return Explain(c, NormalizeAxis(c.attrs().Int("axis"), c.input(0).shape.rank()));
}

absl::Status CheckEpsilon(const InferContext& c) {
  const double epsilon = c.attrs().Double("epsilon");
  if (epsilon >= 0) return absl::OkStatus();
  return c.Error(absl::StrCat("epsilon must not be negative, it is ", epsilon));
}

// --- the gradient of both -----------------------------------------------------------------------

// With h = (x - mean) * rstd and y = h * gamma + beta, and d = g * gamma the gradient of h:
//
//   dbeta  = sum(g)        over param_axes
//   dgamma = sum(g * h)    over param_axes
//   dx     = rstd * (d - mean(d) - h * mean(d * h))          means over stat_axes
//   dx    += gmean / n - grstd * rstd^2 * h / n              if the statistics have gradients
//   dx     = rstd * d                                        if the statistics are constants
//
// The last line but one comes from d mean / dx_i = 1/n and d rstd / dx_i = -rstd^2 h_i / n; it
// makes this gradient itself differentiable, since it reads the statistics. Where both kinds of
// axes are the same, gamma is constant along them and the means are dbeta and dgamma again.
class NormalizationGradient {
 public:
  NormalizationGradient(VjpContext& c, const Layout& layout, const Tensor& mean, const Tensor& rstd)
      : c_(c),
        emit_(c.emit),
        layout_(layout),
        x_(Wide(emit_, c.input(0))),
        mean_(AsStatistic(mean)),
        rstd_(AsStatistic(rstd)) {}

  Tensor Beta() {
    if (!c_.wants(2) || !c_.has_grad(0)) return Tensor();
    return AsParameter(SumOfGrad());
  }

  Tensor Gamma() {
    if (!c_.wants(1) || !c_.has_grad(0)) return Tensor();
    return AsParameter(SumAlong());
  }

  Tensor InputOfConstants() {
    if (!c_.wants(0) || !c_.has_grad(0)) return Tensor();
    return AsInput(emit_("mul", {emit_("mul", {Grad(), GammaLike()}), rstd_}));
  }

  // `mean_grad` and `rstd_grad` may be undefined.
  Tensor Input(const Tensor& mean_grad, const Tensor& rstd_grad) {
    if (!c_.wants(0)) return Tensor();
    Tensor dx;
    if (c_.has_grad(0)) dx = InputByOutput();
    auto add = [&](const Tensor& term) { dx = dx.defined() ? emit_("add", {dx, term}) : term; };
    if (mean_grad.defined()) {
      const Tensor share = DivideByCount(emit_, AsStatistic(mean_grad), layout_.count);
      add(emit_("broadcast_to", {share}, {{"shape", c_.input(0).shape()}}));
    }
    if (rstd_grad.defined()) {
      const Tensor scale = emit_("mul", {AsStatistic(rstd_grad), emit_("square", {rstd_})});
      const Tensor share = DivideByCount(emit_, scale, layout_.count);
      add(emit_("neg", {emit_("mul", {Normalized(), share})}));
    }
    return dx.defined() ? AsInput(dx) : dx;
  }

 private:
  Tensor InputByOutput() {
    if (layout_.stat_axes == layout_.param_axes) {
      const Tensor mean = DivideByCount(emit_, SumOfGrad(), layout_.count);
      const Tensor along = DivideByCount(emit_, SumAlong(), layout_.count);
      const Tensor centered = emit_("sub", {Grad(), mean});
      const Tensor rest = emit_("sub", {centered, emit_("mul", {Normalized(), along})});
      return emit_("mul", {rest, emit_("mul", {rstd_, GammaLike()})});
    }
    const Tensor d = emit_("mul", {Grad(), GammaLike()});
    const Tensor centered = emit_("sub", {d, Reduce(emit_, "mean", d, layout_.stat_axes)});
    const Tensor along = Reduce(emit_, "mean", emit_("mul", {d, Normalized()}), layout_.stat_axes);
    return emit_("mul", {rstd_, emit_("sub", {centered, emit_("mul", {Normalized(), along})})});
  }

  // Each of these is emitted once, when it is first needed.
  const Tensor& Grad() {
    return Once(grad_, [&] { return Wide(emit_, c_.grad(0)); });
  }
  const Tensor& Normalized() {
    return Once(normalized_, [&] { return emit_("mul", {emit_("sub", {x_, mean_}), rstd_}); });
  }
  const Tensor& GammaLike() {
    return Once(gamma_,
                [&] { return ReshapeTo(emit_, Wide(emit_, c_.input(1)), layout_.param_shape); });
  }
  const Tensor& SumOfGrad() {
    return Once(sum_, [&] { return Reduce(emit_, "sum", Grad(), layout_.param_axes); });
  }
  const Tensor& SumAlong() {
    return Once(along_, [&] {
      return Reduce(emit_, "sum", emit_("mul", {Grad(), Normalized()}), layout_.param_axes);
    });
  }
  template <typename Fn>
  static const Tensor& Once(Tensor& slot, Fn&& make) {
    if (!slot.defined()) slot = make();
    return slot;
  }

  Tensor AsStatistic(const Tensor& t) {
    return ReshapeTo(emit_, Wide(emit_, t), layout_.stat_shape);
  }
  Tensor AsParameter(const Tensor& t) {
    const Tensor& gamma = c_.input(1);
    return emit_.Cast(ReshapeTo(emit_, t, gamma.shape()), gamma.dtype());
  }
  Tensor AsInput(const Tensor& t) { return emit_.Cast(t, c_.input(0).dtype()); }

  VjpContext& c_;
  Emitter& emit_;
  const Layout& layout_;
  const Tensor x_, mean_, rstd_;
  Tensor grad_, normalized_, gamma_, sum_, along_;
};

// --- batch_norm ---------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferBatchNorm(const InferContext& c) {
  TANDEM_ASSIGN_OR_RETURN(const int axis, InferAxis(c));
  TANDEM_RETURN_IF_ERROR(CheckInputs(c, axis));
  TANDEM_RETURN_IF_ERROR(CheckEpsilon(c));
  const TensorSpec& x = c.input(0);
  const double momentum = c.attrs().Double("momentum");
  if (!(momentum >= 0 && momentum <= 1)) {
    return c.Error(absl::StrCat("momentum must be from 0 to 1, it is ", momentum));
  }
  const Layout layout = MakeLayout(x.shape, axis, /*stats_along_axis=*/false);
  if (c.attrs().Bool("training") && layout.count == 0 && x.shape[axis] != 0) {
    return c.Error("an empty batch has no statistics", "use training=false, or skip this batch");
  }
  const TensorSpec& statistic = c.input(1);
  return SpecList{x, statistic, statistic, statistic, statistic};
}

absl::StatusOr<TensorList> BatchNormVjp(VjpContext& c) {
  const Layout layout = LayoutOf(c.input(0), c.attrs(), /*stats_along_axis=*/false);
  NormalizationGradient gradient(c, layout, c.output(3), c.output(4));
  const Tensor dgamma = gradient.Gamma();
  const Tensor dbeta = gradient.Beta();
  const Tensor dx = c.attrs().Bool("training") ? gradient.Input(c.grad(3), c.grad(4))
                                               : gradient.InputOfConstants();
  return c.Finish({dx, dgamma, dbeta, Tensor(), Tensor()});
}

// decay * old + (1 - decay) * now
Tensor Blend(Emitter& emit, const Tensor& old, const Tensor& now, double decay) {
  const Tensor kept = emit("mul", {old, emit.Full(decay, old)});
  return emit("add", {kept, emit("mul", {now, emit.Full(1.0 - decay, old)})});
}

absl::StatusOr<TensorList> DecomposeBatchNorm(DecomposeContext& c) {
  Emitter& emit = c.emit;
  const Tensor& x = c.input(0);
  const Tensor &gamma = c.input(1), &beta = c.input(2), &mean = c.input(3), &variance = c.input(4);
  const Layout layout = LayoutOf(x, c.attrs(), /*stats_along_axis=*/false);
  const Tensor wide = Wide(emit, x);
  auto broadcast = [&](const Tensor& t) { return ReshapeTo(emit, t, layout.param_shape); };
  auto statistic = [&](const Tensor& t) {  // back to one value for each channel
    return emit.Cast(ReshapeTo(emit, t, mean.shape()), mean.dtype());
  };

  Tensor used_mean, used_variance;  // broadcastable against x
  Tensor new_mean = mean;
  Tensor new_variance = variance;
  if (c.attrs().Bool("training")) {
    used_mean = Reduce(emit, "mean", wide, layout.stat_axes);
    used_variance =
        Reduce(emit, "mean", emit("square", {emit("sub", {wide, used_mean})}), layout.stat_axes);
    const double n = static_cast<double>(layout.count);
    const Tensor unbiased = emit("mul", {used_variance, emit.Full(n / std::max(n - 1, 1.0), wide)});
    const double momentum = c.attrs().Double("momentum");
    new_mean = statistic(Blend(emit, broadcast(Wide(emit, mean)), used_mean, momentum));
    new_variance = statistic(Blend(emit, broadcast(Wide(emit, variance)), unbiased, momentum));
  } else {
    used_mean = broadcast(Wide(emit, mean));
    used_variance = broadcast(Wide(emit, variance));
  }
  const Tensor epsilon = emit.Full(c.attrs().Double("epsilon"), wide);
  const Tensor rstd = emit("rsqrt", {emit("add", {used_variance, epsilon})});
  const Tensor normalized = emit("mul", {emit("sub", {wide, used_mean}), rstd});
  const Tensor y = emit("add", {emit("mul", {normalized, broadcast(Wide(emit, gamma))}),
                                broadcast(Wide(emit, beta))});
  const Tensor batch_mean = statistic(used_mean);
  const Tensor batch_rstd = statistic(rstd);
  return c.Finish({emit.Cast(y, x.dtype()), new_mean, new_variance, batch_mean, batch_rstd});
}

absl::Status RegisterBatchNorm(OpRegistry* registry) {
  OpDef def;
  def.name = "batch_norm";
  def.doc =
      "Batch normalization (Ioffe and Szegedy, arXiv:1502.03167): y = (x - mean) * rstd * gamma + "
      "beta, rstd = 1 / sqrt(variance + epsilon), for each index of `axis`. With training=true "
      "mean "
      "and variance are those of the batch (the variance divides by n), and new_mean, new_variance "
      "= momentum * old + (1 - momentum) * batch, where the batch's variance divides by n - 1 (by "
      "1 "
      "if n = 1). With training=false mean and variance are the inputs, passed on as new_mean and "
      "new_variance. batch_mean and batch_rstd are what was used. The running statistics have no "
      "gradients. gamma, beta, mean and variance have the dtype of x, or f32.";
  def.family = "nn";
  def.inputs = {{"x", "floating point, rank 1 or more"},
                {"gamma", "[channels], the scale"},
                {"beta", "[channels], the shift"},
                {"mean", "[channels], the running mean"},
                {"variance", "[channels], the running variance"}};
  def.outputs = {"y", "new_mean", "new_variance", "batch_mean", "batch_rstd"};
  def.attributes = {
      AttributeDef::Optional("axis", 1, "the axis of the channels"),
      AttributeDef::Optional("epsilon", 1e-5, "added to the variance"),
      AttributeDef::Optional("momentum", 0.9, "how much of the running statistics is kept"),
      AttributeDef::Optional("training", false, "normalize by the batch's own statistics"),
  };
  def.infer = InferBatchNorm;
  def.vjp = BatchNormVjp;
  def.decompose = DecomposeBatchNorm;
  def.vjp_inputs = 0b11;
  def.vjp_outputs = 0b11000;
  return registry->Register(std::move(def));
}

// --- layer_norm ---------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferLayerNorm(const InferContext& c) {
  TANDEM_ASSIGN_OR_RETURN(const int axis, InferAxis(c));
  TANDEM_RETURN_IF_ERROR(CheckInputs(c, axis));
  TANDEM_RETURN_IF_ERROR(CheckEpsilon(c));
  const TensorSpec& x = c.input(0);
  if (x.shape[axis] == 0) return c.Error("the normalized axis must not be empty");
  TensorSpec statistic = {c.input(1).dtype, x.shape};
  statistic.shape[axis] = 1;
  return SpecList{x, statistic, statistic};
}

absl::StatusOr<TensorList> LayerNormVjp(VjpContext& c) {
  const Layout layout = LayoutOf(c.input(0), c.attrs(), /*stats_along_axis=*/true);
  NormalizationGradient gradient(c, layout, c.output(1), c.output(2));
  const Tensor dgamma = gradient.Gamma();
  const Tensor dbeta = gradient.Beta();
  return c.Finish({gradient.Input(c.grad(1), c.grad(2)), dgamma, dbeta});
}

absl::StatusOr<TensorList> DecomposeLayerNorm(DecomposeContext& c) {
  Emitter& emit = c.emit;
  const Tensor& x = c.input(0);
  const Tensor& gamma = c.input(1);
  const Layout layout = LayoutOf(x, c.attrs(), /*stats_along_axis=*/true);
  const Tensor wide = Wide(emit, x);
  const Tensor mean = Reduce(emit, "mean", wide, layout.stat_axes);
  const Tensor centered = emit("sub", {wide, mean});
  const Tensor variance = Reduce(emit, "mean", emit("square", {centered}), layout.stat_axes);
  const Tensor epsilon = emit.Full(c.attrs().Double("epsilon"), wide);
  const Tensor rstd = emit("rsqrt", {emit("add", {variance, epsilon})});
  const Tensor scale = ReshapeTo(emit, Wide(emit, gamma), layout.param_shape);
  const Tensor shift = ReshapeTo(emit, Wide(emit, c.input(2)), layout.param_shape);
  const Tensor y = emit("add", {emit("mul", {emit("mul", {centered, rstd}), scale}), shift});
  return c.Finish(
      {emit.Cast(y, x.dtype()), emit.Cast(mean, gamma.dtype()), emit.Cast(rstd, gamma.dtype())});
}

absl::Status RegisterLayerNorm(OpRegistry* registry) {
  OpDef def;
  def.name = "layer_norm";
  def.doc =
      "Layer normalization (Ba, Kiros and Hinton, arXiv:1607.06450) over one axis: y = (x - mean) "
      "* "
      "rstd * gamma + beta, rstd = 1 / sqrt(variance + epsilon), where the variance divides by the "
      "size of the axis. mean and rstd keep the axis with size 1. gamma and beta have the dtype of "
      "x, or f32; mean and rstd have theirs.";
  def.family = "nn";
  def.inputs = {{"x", "floating point, rank 1 or more"},
                {"gamma", "[size of the axis], the scale"},
                {"beta", "[size of the axis], the shift"}};
  def.outputs = {"y", "mean", "rstd"};
  def.attributes = {
      AttributeDef::Optional("axis", -1, "the axis to normalize over, not empty"),
      AttributeDef::Optional("epsilon", 1e-5, "added to the variance"),
  };
  def.infer = InferLayerNorm;
  def.vjp = LayerNormVjp;
  def.decompose = DecomposeLayerNorm;
  def.vjp_inputs = 0b11;
  def.vjp_outputs = 0b110;
  return registry->Register(std::move(def));
}

}  // namespace

absl::Status RegisterNormalizationOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(RegisterBatchNorm(registry));
  return RegisterLayerNorm(registry);
}

}  // namespace tandem
