// SymbolBlock: an exported graph as a block.
//
//   auto net = SymbolBlock::Imports("my_mlp-symbol.json", {"data"}, "my_mlp-0000.params");
//   Tensor y = (*net)(x);                  // the bits that the exported net gives (R65)
//   Trainer trainer(net->CollectParameters(), …);   // and it can be trained on (R73)
//
// Parameters have the names that they were exported with.
#ifndef TANDEM_FRONTENDS_CPP_SYMBOL_BLOCK_H_
#define TANDEM_FRONTENDS_CPP_SYMBOL_BLOCK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

class SymbolBlock : public HybridBlock {
 public:
  // Reads a model. `input_names` are its arguments in the order in which the block takes them;
  // empty: the file's order. `params_file` may be empty for a packed model. Throws with the path
  // for a file that is not there or not right, and INVALID_ARGUMENT listing the arguments there
  // are.
  static BlockRef<SymbolBlock> Imports(const std::string& symbol_file,
                                       const std::vector<std::string>& input_names,
                                       const std::string& params_file = "",
                                       Device* device = nullptr);

  // A graph with the tensors of its inputs that are not arguments, by the inputs' names.
  // `signature` has a shape for each argument, in the graph's order, with kDynamic where a call may
  // have any size; inputs of another shape or dtype are INVALID_ARGUMENT. Empty: what the graph's
  // ops take.
  SymbolBlock(Graph graph, const std::vector<std::string>& input_names,
              const std::vector<std::pair<std::string, Tensor>>& values, Device& device,
              const std::vector<Shape>& signature = {});

  const Graph& graph() const { return graph_; }

 protected:
  std::function<void()> PrepareMove(Device& device) override;
  TensorList HybridForwardAll(const TensorList& inputs, const Params& p) override;

 private:
  // What feeds each input of the graph.
  struct Feed {
    InputKind kind = InputKind::kArgument;
    int index = -1;  // of the argument, of the parameter, or of the capture
  };

  // Throws unless the input is what the signature says of an argument.
  void CheckInput(const std::string& argument, const Tensor& input, const TensorSpec& wanted) const;
  // (0, delta), to be added to a random state.
  Tensor Offset(int64_t delta) const;

  Graph graph_;
  Device* device_;
  int num_arguments_ = 0;
  std::vector<Feed> feeds_;
  std::vector<Tensor> captures_;
  std::vector<TensorSpec> signature_;  // in the graph's order; empty if there is none
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_SYMBOL_BLOCK_H_
