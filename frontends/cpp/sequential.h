// Sequential and HybridSequential: blocks one after another.
//
//   HybridSequential net;
//   net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(128, {.activation = "relu"}),
//           nn::Dense(2));
//   Tensor y = net(x);          // (1, 512) to (1, 2)
//   net[0].name();              // "hybridsequential0_dense0"
//
// A Sequential takes any block; a HybridSequential takes HybridBlocks and is one (R11, R33).
#ifndef TANDEM_FRONTENDS_CPP_SEQUENTIAL_H_
#define TANDEM_FRONTENDS_CPP_SEQUENTIAL_H_

#include <memory>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/block.h"
#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem {
namespace internal {

template <typename T>
requires std::is_base_of_v<Block, std::remove_cvref_t<T>> std::shared_ptr<Block> Share(T&& block) {
  static_assert(!std::is_lvalue_reference_v<T>,
                "Add takes a block that it can own: std::move it, or share it with "
                "std::make_shared");
  return std::make_shared<std::remove_cvref_t<T>>(std::move(block));
}
template <typename T>
std::shared_ptr<Block> Share(const std::shared_ptr<T>& block) {
  return block;
}
template <typename T>
std::shared_ptr<Block> Share(const BlockRef<T>& block) {
  return block.ptr();
}

// What both kinds have in common; Base is Block or HybridBlock.
template <typename Base>
class SequentialOf : public Base {
 public:
  // Appends blocks, which are named by type and number. Takes blocks and shared ones.
  template <typename... Blocks>
  void Add(Blocks&&... blocks) {
    (AddOne(Share(std::forward<Blocks>(blocks))), ...);
  }
  // Appends under a name of its own.
  template <typename T>
  void AddNamed(std::string name, T&& block) {
    this->AddChild(std::move(name), Share(std::forward<T>(block)));
  }
  int64_t size() const { return static_cast<int64_t>(this->children().size()); }
  // OUT_OF_RANGE unless 0 <= i < size().
  Block& operator[](int64_t i) const {
    if (i < 0 || i >= size()) {
      throw Error(absl::OutOfRangeError(
          absl::StrCat(this->type_name(), " has ", size(), " blocks, there is no number ", i)));
    }
    return *this->children()[i].block;
  }

 protected:
  TensorList InTurn(const TensorList& inputs) const {
    TensorList values = inputs;
    for (const BlockChild& child : this->children()) values = child.block->Apply(values);
    return values;
  }

 private:
  void AddOne(std::shared_ptr<Block> block) {
    if (block == nullptr) throw Error(absl::InvalidArgumentError("Add: a null pointer"));
    std::string name = this->ChildName(*block);
    this->AddChild(std::move(name), std::move(block));
  }
};

}  // namespace internal

class Sequential : public internal::SequentialOf<Block> {
 protected:
  TensorList ForwardAll(const TensorList& inputs) override { return InTurn(inputs); }
};

class HybridSequential : public internal::SequentialOf<HybridBlock> {
 protected:
  TensorList HybridForwardAll(const TensorList& inputs, const Params& p) override {
    return InTurn(inputs);
  }
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_SEQUENTIAL_H_
