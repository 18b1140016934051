#include "tandem/backends/cpu/kernels/reduction.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/isa_table.h"
#include "tandem/backends/cpu/kernels/reduction_isa.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::cpu_backend {
namespace {

struct Axis {
  int64_t size = 1;
  int64_t stride = 0;  // elements
};

// Axes of one kind, outermost first.
struct Axes {
  std::array<Axis, kMaxRank> axes;
  int count = 0;

  int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < count; ++i) product *= axes[i].size;
    return product;
  }
  // Where element `index` (row-major) lies.
  int64_t Offset(int64_t index) const {
    int64_t offset = 0;
    for (int i = count - 1; i >= 0; --i) {
      offset += index % axes[i].size * axes[i].stride;
      index /= axes[i].size;
    }
    return offset;
  }
};

struct Geometry {
  int64_t offset = 0;
  Axes kept;     // without `columns`
  Axis columns;  // the innermost axis, if that is kept
  Axes reduced;  // at least one; the last is walked by the inner loop
  bool by_columns = false;
  int64_t kept_count = 1;  // of kept and columns
  int64_t count = 1;       // terms of each result
  // The outermost reduced axis is cut into so many parts, whose results are combined in order.
  int64_t parts = 1;

  static absl::StatusOr<Geometry> Create(const KernelRequest& request);
};

constexpr int64_t kMaxParts = 16;

absl::StatusOr<Geometry> Geometry::Create(const KernelRequest& request) {
  const TensorLayout& x = request.inputs[0];
  TANDEM_ASSIGN_OR_RETURN(
      const ReductionGeometry g,
      ReductionGeometry::Create(x.spec.shape, request.attrs.Ints("axes"), true));
  Geometry result;
  result.offset = x.offset;
  result.count = g.count;
  bool last_is_reduced = true;
  bool first = true;
  for (int i = 0; i < x.spec.shape.rank(); ++i) {
    const Axis axis = {x.spec.shape[i], x.strides[i]};
    if (axis.size == 1) continue;
    Axes& axes = g.reduced[i] ? result.reduced : result.kept;
    Axis* last = axes.count > 0 ? &axes.axes[axes.count - 1] : nullptr;
    if (!first && last_is_reduced == g.reduced[i] && last != nullptr &&
        last->stride == axis.stride * axis.size) {
      *last = {last->size * axis.size, axis.stride};
    } else {
      axes.axes[axes.count++] = axis;
    }
    last_is_reduced = g.reduced[i];
    first = false;
  }
  result.kept_count = result.kept.elements();
  if (!last_is_reduced) {
    result.by_columns = true;
    result.columns = result.kept.axes[--result.kept.count];
  }
  if (result.reduced.count == 0) result.reduced.axes[result.reduced.count++] = Axis();
  const int64_t tasks = result.by_columns ? result.kept.elements() *
                                                DivideRoundUp(result.columns.size, kReduceColumns)
                                          : result.kept_count;
  if (tasks < 8) {
    const int64_t worth = result.kept_count * result.count / (2 * kParallelWork);
    result.parts = std::clamp<int64_t>(std::min(worth, result.reduced.axes[0].size), 1, kMaxParts);
  }
  return result;
}

template <typename T>
struct ReduceParams {
  const ReduceKernels<T>* kernels;
  Geometry geometry;
  ReduceOp op;
  bool mean;
  DType output;
};

template <typename A>
A Identity(ReduceOp op) {
  using Limits = std::numeric_limits<A>;
  switch (op) {
    case ReduceOp::kSum:
      return A(0);
    case ReduceOp::kProd:
      return A(1);
    case ReduceOp::kMax:
      return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    case ReduceOp::kMin:
      break;
  }
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

template <typename A>
A Combine(ReduceOp op, A a, A b) {
  using Exact = std::conditional_t<std::is_integral_v<A>, uint64_t, A>;
  switch (op) {
    case ReduceOp::kSum:
      return static_cast<A>(static_cast<Exact>(a) + static_cast<Exact>(b));
    case ReduceOp::kProd:
      return static_cast<A>(static_cast<Exact>(a) * static_cast<Exact>(b));
    case ReduceOp::kMax:
      return a > b || a != a ? a : b;
    case ReduceOp::kMin:
      break;
  }
  return a < b || a != a ? a : b;
}

// Calls fn(offset, inner axis) for every position of the reduced axes but the last one. Of the
// outermost axis only [begin, end).
template <typename Fn>
void ForReduced(const Axes& reduced, int64_t begin, int64_t end, Fn&& fn) {
  Axes axes = reduced;
  int64_t base = begin * axes.axes[0].stride;
  axes.axes[0].size = end - begin;
  const Axis inner = axes.axes[--axes.count];
  const int64_t steps = axes.elements();
  for (int64_t i = 0; i < steps; ++i) fn(base + axes.Offset(i), inner);
}

template <typename T>
void Accumulate(const ReduceParams<T>& p, const T* x, int64_t task_begin, int64_t task_end,
                int64_t begin, int64_t end, Accumulator<T>* results) {
  using A = Accumulator<T>;
  const Geometry& g = p.geometry;
  const A identity = Identity<A>(p.op);
  if (!g.by_columns) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      A value = identity;
      const T* at = x + g.kept.Offset(task);
      ForReduced(g.reduced, begin, end, [&](int64_t offset, const Axis& inner) {
        p.kernels->run(p.op, at + offset, inner.size, inner.stride, &value);
      });
      results[task] = value;
    }
    return;
  }
  const int64_t blocks = DivideRoundUp(g.columns.size, kReduceColumns);
  for (int64_t task = task_begin; task < task_end; ++task) {
    const int64_t column = task % blocks * kReduceColumns;
    const int64_t width = std::min(kReduceColumns, g.columns.size - column);
    A values[kReduceColumns];
    std::fill_n(values, width, identity);
    const T* at = x + g.kept.Offset(task / blocks) + column * g.columns.stride;
    ForReduced(g.reduced, begin, end, [&](int64_t offset, const Axis& inner) {
      p.kernels->rows(p.op, at + offset, inner.size, inner.stride, width, g.columns.stride, values);
    });
    std::copy_n(values, width, results + task / blocks * g.columns.size + column);
  }
}

template <typename Out, typename A>
void Finish(const A* results, int64_t n, bool mean, int64_t count, Out* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = mean ? static_cast<Out>(static_cast<double>(results[i]) / static_cast<double>(count))
                  : static_cast<Out>(results[i]);
  }
}

template <typename T>
void Reduce(const ReduceParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  using A = Accumulator<T>;
  const Geometry& g = p.geometry;
  if (g.kept_count == 0) return;
  const T* x = At<const T>(buffers[0], g.offset);
  A* results = At<A>(buffers[2]);
  const int64_t outer = g.reduced.axes[0].size;
  const int64_t tasks = g.by_columns
                            ? g.kept.elements() * DivideRoundUp(g.columns.size, kReduceColumns)
                            : g.kept_count;
  if (g.count == 0) {
    std::fill_n(results, g.kept_count, Identity<A>(p.op));
  } else if (g.parts == 1) {
    const int64_t work = g.count * (g.by_columns ? std::min(kReduceColumns, g.columns.size) : 1);
    pool.ParallelFor(tasks, GrainFor(work), [&](int64_t begin, int64_t end) {
      Accumulate(p, x, begin, end, 0, outer, results);
    });
  } else {
    pool.ParallelFor(g.parts, 1, [&](int64_t part, int64_t) {
      Accumulate(p, x, 0, tasks, outer * part / g.parts, outer * (part + 1) / g.parts,
                 results + part * g.kept_count);
    });
    for (int64_t part = 1; part < g.parts; ++part) {
      for (int64_t i = 0; i < g.kept_count; ++i) {
        results[i] = Combine(p.op, results[i], results[part * g.kept_count + i]);
      }
    }
  }
  switch (p.output) {
    case DType::kI64:
      return Finish(results, g.kept_count, false, 1, At<int64_t>(buffers[1]));
    case DType::kF32:
      return Finish(results, g.kept_count, p.mean, g.count, At<float>(buffers[1]));
    default:
      return Finish(results, g.kept_count, p.mean, g.count, At<T>(buffers[1]));
  }
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareReduceAs(const KernelRequest& request, ReduceOp op,
                                                          bool mean) {
  ReduceParams<T> params;
  params.kernels = &TANDEM_ISA_TABLE(ReduceKernels<T>, FillReduceKernels, IsaOf(request.device));
  params.op = op;
  params.mean = mean;
  params.output = ComputeDType(request.outputs[0].spec.dtype) == DType::kF32
                      ? DType::kF32
                      : request.outputs[0].spec.dtype;
  TANDEM_ASSIGN_OR_RETURN(params.geometry, Geometry::Create(request));
  TANDEM_ASSIGN_OR_RETURN(const int64_t elements,
                          CheckedMul(params.geometry.kept_count, params.geometry.parts));
  TANDEM_ASSIGN_OR_RETURN(const int64_t bytes, CheckedMul(elements, sizeof(Accumulator<T>)));
  return MakeConvertedCpuKernel<ReduceParams<T>>(request, "reduce", params, &Reduce<T>,
                                                 {.workspace_bytes = std::max<int64_t>(bytes, 64)});
}

// `dtype` of elements as they lie in memory; half precision arrives as f32.
template <typename Fn>
absl::StatusOr<Ref<const PreparedKernel>> DispatchStored(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF64:
      return fn(double());
    case DType::kI8:
      return fn(int8_t());
    case DType::kU8:
    case DType::kBool:
      return fn(uint8_t());
    case DType::kI16:
      return fn(int16_t());
    case DType::kI32:
      return fn(int32_t());
    case DType::kI64:
      return fn(int64_t());
    default:
      return fn(float());
  }
}

template <ReduceOp kOp, bool kMean>
absl::StatusOr<Ref<const PreparedKernel>> PrepareReduce(const KernelRequest& request) {
  return DispatchStored(request.inputs[0].spec.dtype, [&](auto zero) {
    return PrepareReduceAs<decltype(zero)>(request, kOp, kMean);
  });
}

// --- argmax, argmin
// -------------------------------------------------------------------------------

struct ArgParams {
  AxisGeometry axis;
};

// The first NaN wins, as in NumPy; else the first of the extreme elements.
template <bool kMax, typename T>
bool Better(T candidate, T best) {
  if (best != best) return false;
  return (kMax ? candidate > best : candidate < best) || candidate != candidate;
}

template <bool kMax, typename T>
void ArgReduce(const ArgParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const T* x = At<const T>(buffers[0]);
  int64_t* y = At<int64_t>(buffers[1]);
  const int64_t size = p.axis.size;
  const int64_t inner = p.axis.inner;
  pool.ParallelFor(p.axis.outer * inner, GrainFor(size), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const T* at = x + line / inner * size * inner + line % inner;
      T best = at[0];
      int64_t index = 0;
      for (int64_t i = 1; i < size; ++i) {
        if (Better<kMax>(at[i * inner], best)) {
          best = at[i * inner];
          index = i;
        }
      }
      y[line] = index;
    }
  });
}

template <bool kMax>
absl::StatusOr<Ref<const PreparedKernel>> PrepareArg(const KernelRequest& request) {
  ArgParams params;
  TANDEM_ASSIGN_OR_RETURN(
      params.axis, AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis")));
  if (params.axis.size == 0) {
    // Inference allows no results without elements, so there is nothing to write.
    params.axis.outer = 0;
  }
  return DispatchStored(request.inputs[0].spec.dtype, [&](auto zero) {
    return MakeConvertedCpuKernel<ArgParams>(request, "arg_reduce", params,
                                             &ArgReduce<kMax, decltype(zero)>);
  });
}

}  // namespace

absl::Status RegisterReductionKernels(KernelRegistry* registry) {
  struct Entry {
    const char* op;
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest&);
  };
  static constexpr Entry kReductions[] = {
      {"sum", &PrepareReduce<ReduceOp::kSum, false>},
      {"mean", &PrepareReduce<ReduceOp::kSum, true>},
      {"prod", &PrepareReduce<ReduceOp::kProd, false>},
      {"max", &PrepareReduce<ReduceOp::kMax, false>},
      {"min", &PrepareReduce<ReduceOp::kMin, false>},
  };
  for (const Entry& entry : kReductions) {
    KernelDef strided = CpuKernelDef(entry.op, entry.op,
                                     {DType::kF32, DType::kF64, DType::kI8, DType::kU8, DType::kI16,
                                      DType::kI32, DType::kI64, DType::kBool},
                                     entry.prepare);
    strided.strided_inputs = true;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(strided)));
    TANDEM_RETURN_IF_ERROR(
        registry->Register(CpuKernelDef(entry.op, std::string(entry.op) + "_converted",
                                        {DType::kF16, DType::kBF16}, entry.prepare)));
  }
  TANDEM_RETURN_IF_ERROR(
      registry->Register(CpuKernelDef("argmax", "argmax", {}, &PrepareArg<true>)));
  return registry->Register(CpuKernelDef("argmin", "argmin", {}, &PrepareArg<false>));
}

}  // namespace tandem::cpu_backend
