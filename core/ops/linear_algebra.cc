#include "tandem/core/ops/linear_algebra.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/matmul_geometry.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

absl::Status CheckOperands(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckSameDType(c, 0, 1));
  if (c.input(0).dtype == DType::kBool) {
    return c.Error("bool has no products and sums", "cast to an integer or floating-point dtype");
  }
  return absl::OkStatus();
}

absl::StatusOr<SpecList> InferMatmul(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckOperands(c));
  TANDEM_ASSIGN_OR_RETURN(const MatmulGeometry g,
                          Explain(c, MatmulGeometry::Create(c.input(0).shape, c.input(1).shape,
                                                            c.attrs().Bool("transpose_a"),
                                                            c.attrs().Bool("transpose_b"))));
  return SpecList{{c.input(0).dtype, g.output}};
}

Tensor Matmul(Emitter& emit, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return emit("matmul", {a, b}, {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
}

// All dimensions before the last as one: [2,3,4] -> [6,4].
Shape AsRows(const Shape& shape) {
  return {Shape(shape.span().subspan(0, shape.rank() - 1)).num_elements(), shape.back()};
}

// With C = op(A) op(B), G the gradient of C, and ' for transposed:
//   op(A)   op(B)     dA      dB
//   A       B         G B'    A' G
//   A       B'        G B     G' A
//   A'      B         B G'    A G
//   A'      B'        B' G'   G' A'
// so no matrix is ever transposed in memory. Vectors become matrices of one row or column first,
// and gradients of broadcast operands are summed over the batch.
absl::StatusOr<TensorList> MatmulVjp(VjpContext& c) {
  const Shape& a_shape = c.input(0).shape();
  const Shape& b_shape = c.input(1).shape();
  TANDEM_ASSIGN_OR_RETURN(const MatmulGeometry geometry,
                          MatmulGeometry::Create(a_shape, b_shape, c.attrs().Bool("transpose_a"),
                                                 c.attrs().Bool("transpose_b")));
  const bool ta = geometry.transpose_a;
  const bool tb = geometry.transpose_b;
  const Shape a_matrix = geometry.a_is_vector ? Shape({1, geometry.k}) : a_shape;
  const Shape b_matrix = geometry.b_is_vector ? Shape({geometry.k, 1}) : b_shape;
  Shape g_matrix = geometry.batch;
  g_matrix.push_back(geometry.m);
  g_matrix.push_back(geometry.n);

  Emitter& emit = c.emit;
  const Tensor g = ReshapeTo(emit, c.grad(), g_matrix);
  Tensor da, db;
  if (c.wants(0)) {
    const Tensor b = ReshapeTo(emit, c.input(1), b_matrix);
    da = ta ? Matmul(emit, b, g, tb, true) : Matmul(emit, g, b, false, !tb);
    da = ReshapeTo(emit, emit.SumTo(da, a_matrix), a_shape);
  }
  if (c.wants(1)) {
    const Tensor a = ReshapeTo(emit, c.input(0), a_matrix);
    if (b_matrix.rank() == 2 && a_matrix.rank() > 2 && !ta) {
      // One matrix B for the whole batch (a dense layer on sequences): one product of all rows,
      // rather than a product for each and their sum.
      const Tensor a_rows = ReshapeTo(emit, a, AsRows(a_matrix));
      const Tensor g_rows = ReshapeTo(emit, g, AsRows(g_matrix));
      db = tb ? Matmul(emit, g_rows, a_rows, true, false)
              : Matmul(emit, a_rows, g_rows, true, false);
    } else {
      db = tb ? Matmul(emit, g, a, true, ta) : Matmul(emit, a, g, !ta, false);
    }
    db = ReshapeTo(emit, emit.SumTo(db, b_matrix), b_shape);
  }
  return c.Finish({da, db});
}

// A tensor as a matrix whose one axis is the contracted one, and the dimensions that stay.
struct DotOperand {
  Shape matrix;
  Shape rest;
  int64_t contracted = 0;
};

DotOperand MakeDotOperand(const Shape& shape, bool contract_first) {
  DotOperand operand;
  const int last = shape.rank() - 1;
  operand.contracted = contract_first ? shape[0] : shape[last];
  operand.rest = Shape(shape.span().subspan(contract_first ? 1 : 0, last));
  const int64_t others = operand.rest.num_elements();
  operand.matrix =
      contract_first ? Shape({operand.contracted, others}) : Shape({others, operand.contracted});
  return operand;
}

struct DotGeometry {
  DotOperand a;
  DotOperand b;
  Shape output;
};

DotGeometry MakeDotGeometry(const Shape& a, const Shape& b, const AttributeMap& attrs) {
  DotGeometry g;
  g.a = MakeDotOperand(a, attrs.Bool("transpose_a"));
  g.b = MakeDotOperand(b, !attrs.Bool("transpose_b"));
  g.output = g.a.rest;
  for (int64_t d : g.b.rest) g.output.push_back(d);
  return g;
}

absl::StatusOr<SpecList> InferDot(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckOperands(c));
  const Shape& a = c.input(0).shape;
  const Shape& b = c.input(1).shape;
  if (a.rank() == 0 || b.rank() == 0) {
    return c.Error("a scalar has no axis to sum over", "multiply by a scalar with mul");
  }
  TANDEM_RETURN_IF_ERROR(Explain(c, a.Validate()));
  TANDEM_RETURN_IF_ERROR(Explain(c, b.Validate()));
  const DotGeometry g = MakeDotGeometry(a, b, c.attrs());
  if (g.a.contracted != g.b.contracted) {
    return c.Error(
        absl::StrCat("the ", c.attrs().Bool("transpose_a") ? "first" : "last",
                     " axis of a and the ", c.attrs().Bool("transpose_b") ? "last" : "first",
                     " axis of b must be equal, they are ", g.a.contracted, " and ",
                     g.b.contracted),
        "see transpose_a and transpose_b");
  }
  return SpecList{{c.input(0).dtype, g.output}};
}

absl::StatusOr<TensorList> DecomposeDot(DecomposeContext& c) {
  const DotGeometry g = MakeDotGeometry(c.input(0).shape(), c.input(1).shape(), c.attrs());
  const Tensor a = ReshapeTo(c.emit, c.input(0), g.a.matrix);
  const Tensor b = ReshapeTo(c.emit, c.input(1), g.b.matrix);
  const Tensor product =
      Matmul(c.emit, a, b, c.attrs().Bool("transpose_a"), c.attrs().Bool("transpose_b"));
  return c.Finish({ReshapeTo(c.emit, product, g.output)});
}

}  // namespace

absl::Status RegisterLinearAlgebraOps(OpRegistry* registry) {
  {
    OpDef def;
    def.name = "matmul";
    def.doc =
        "Matrix product, NumPy's rule: the last two axes are matrices, those before them a batch "
        "that broadcasts; a vector is a row on the left and a column on the right, and its added "
        "axis is not in the result.";
    def.family = "linear algebra";
    def.inputs = {{"a", "[...,m,k], or [k]"}, {"b", "[...,k,n], or [k]; the same dtype"}};
    def.attributes = {
        AttributeDef::Optional("transpose_a", false, "a is [...,k,m]; no effect on a vector"),
        AttributeDef::Optional("transpose_b", false, "b is [...,n,k]; no effect on a vector"),
    };
    def.infer = InferMatmul;
    def.vjp = MatmulVjp;
    def.vjp_inputs = 0b11;
    def.vjp_outputs = 0;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  OpDef def;
  def.name = "dot";
  def.doc =
      "Sums the products along the last axis of a and the first axis of b; the result has the "
      "other "
      "axes of a, then those of b. For matrices and vectors the same as matmul.";
  def.family = "linear algebra";
  def.inputs = {{"a", "[...,k]"}, {"b", "[k,...]; the same dtype"}};
  def.attributes = {
      AttributeDef::Optional("transpose_a", false, "sum along the first axis of a instead"),
      AttributeDef::Optional("transpose_b", false, "sum along the last axis of b instead"),
  };
  def.infer = InferDot;
  def.decompose = DecomposeDot;
  return registry->Register(std::move(def));
}

}  // namespace tandem
