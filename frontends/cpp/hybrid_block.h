// HybridBlock: a block that runs imperatively, or, after Hybridize(), as a compiled graph.
//
//   class Classifier : public HybridBlock {
//    public:
//     Classifier() {
//       body_ = Register("body", nn::Dense(84, {.activation = "relu"}));
//       DeclareParameter("fc_weight", {.shape = {10, 84}});
//     }
//     Tensor HybridForward(const Tensor& x, const Params& p) override {
//       return Dot(body_(x), p["fc_weight"], {.transpose_b = true});
//     }
//
//    private:
//     BlockRef<nn::Dense> body_;
//   };
//
//   net.Hybridize();
//   Tensor y = net(x);    // the body runs once, with symbols; the graph is compiled and run
//   y = net(x2);          // the graph runs, the body does not
//
// A parameter that the block declares arrives as an argument: data when it runs imperatively, a
// variable of the graph in a trace (R16). Only the outermost hybridized block compiles; those
// inside become part of its graph. Results are the same bits (strict numerics). Thread rules: as
// for Block; a compiled block may be called by many threads at once.
#ifndef TANDEM_FRONTENDS_CPP_HYBRID_BLOCK_H_
#define TANDEM_FRONTENDS_CPP_HYBRID_BLOCK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/frontends/cpp/block.h"
#include "tandem/graph/compile/hybrid_function.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

// The parameters that a block declared, as its forward gets them.
class Params {
 public:
  // By the name it was declared with; NOT_FOUND lists the names.
  const Tensor& operator[](absl::string_view name) const;
  bool contains(absl::string_view name) const;

 private:
  friend class HybridBlock;
  absl::InlinedVector<std::pair<absl::string_view, Tensor>, 4> values_;
};

struct ExportOptions {
  // Names of the arguments in the graph; those that are missing are "data", or "data0", "data1", …
  std::vector<std::string> input_names = {};
  bool binary = false;  // prefix-symbol.pb instead of the JSON
  bool packed = false;  // one file, prefix.tandem
  // Axis 0 of the arguments, the batch, may differ from call to call. Only where the graph allows
  // it: all arguments of rank > 0 have the same size there, and with another one every op still
  // fits and axis 0 of every output follows. Otherwise (a reshape that holds the batch size, an
  // output without a batch) the file fixes the size that was traced.
  bool dynamic_batch = true;
};

class HybridBlock : public Block {
 public:
  HybridBlock();
  ~HybridBlock() override;
  HybridBlock(HybridBlock&& other) noexcept;

  bool is_hybrid() const override { return true; }
  using Block::Hybridize;
  void Hybridize(const HybridizeOptions& options = {}) override;
  bool hybridized() const { return options_.active; }

  // The compiled function; null before the first call after Hybridize(). It runs this block's
  // forward, so do not call it after the block's end or move.
  Ref<HybridFunction> function() const;
  // Why it was traced, what each pass did, the memory plan, the kernel of each node (as text).
  // FAILED_PRECONDITION before the first compiled call.
  std::string Explain() const;
  // Runs both modes and compares every op, bit for bit; throws with the first that differs.
  void Verify(const TensorList& inputs);

  // The block's inference graph for inputs like those of the last call, as text and as a drawing in
  // Graphviz' language. FAILED_PRECONDITION before any forward.
  std::string GraphText();
  std::string GraphDot();
  // The same as data, with what feeds its inputs. `names` as in ExportOptions.
  TracedGraph Trace(const std::vector<std::string>& names = {});

  // Writes the inference graph and the parameters as they are now (R72): <prefix>-symbol.json and
  // <prefix>-0000.params for epoch 0. Another language or SymbolBlock::Imports reads them.
  // FAILED_PRECONDITION before any forward, which is what tells the shapes.
  void Export(const std::string& prefix, int epoch = 0, const ExportOptions& options = {});

 protected:
  // The computation: override one of the two. `p` holds the declared parameters. The default of
  // HybridForwardAll takes one input and calls HybridForward, whose default calls Forward.
  virtual Tensor HybridForward(const Tensor& x, const Params& p);
  virtual TensorList HybridForwardAll(const TensorList& inputs, const Params& p);

  TensorList ForwardAll(const TensorList& inputs) final;
  TensorList Run(const TensorList& inputs) override;
  absl::Status CheckChild(absl::string_view name, const Block& child) const override;

 private:
  Params ReadParams() const;
  // The function for the block as it is now.
  Ref<HybridFunction> CurrentFunction();
  void RememberInputs(const TensorList& inputs);

  HybridizeOptions options_{.active = false};
  mutable LightMutex mutex_;
  Ref<HybridFunction> function_ ABSL_GUARDED_BY(mutex_);
  int64_t function_version_ ABSL_GUARDED_BY(mutex_) = -1;
  // Of the last call with concrete inputs.
  SpecList last_inputs_ ABSL_GUARDED_BY(mutex_);
  Device* last_device_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_HYBRID_BLOCK_H_
