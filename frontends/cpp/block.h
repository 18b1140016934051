// Block: a piece of a model: parameters, children, and a forward that is ordinary C++.
//
//   class Mlp : public Block {
//    public:
//     Mlp() {
//       hidden_ = Register("hidden", nn::Dense(256, {.activation = "relu"}));
//       out_ = Register("out", nn::Dense(10));
//     }
//     Tensor Forward(const Tensor& x) override { return out_(hidden_(x)); }
//
//    private:
//     BlockRef<nn::Dense> hidden_, out_;
//   };
//
//   Mlp net;
//   net.Initialize();
//   Tensor y = net(x);
//
// HybridBlock (hybrid_block.h) is the kind that can be compiled.
// Thread rules: build, Initialize, Load by one thread. A forward whose parameters have values may
// run on many threads at once, if the Forward that the user wrote may.
#ifndef TANDEM_FRONTENDS_CPP_BLOCK_H_
#define TANDEM_FRONTENDS_CPP_BLOCK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/frontends/cpp/hybridize_options.h"
#include "tandem/frontends/cpp/initializer.h"
#include "tandem/frontends/cpp/name_scope.h"
#include "tandem/frontends/cpp/parameter.h"

namespace tandem {

class Block;

// A shared child that is called like the block itself.
template <typename T>
class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(std::shared_ptr<T> block) : block_(std::move(block)) {}  // NOLINT
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  BlockRef(const BlockRef<U>& other)
      : block_(other.ptr()) {}  // NOLINT(google-explicit-constructor)

  template <typename... Inputs>
  Tensor operator()(const Tensor& first, const Inputs&... rest) const {
    return (*get())(first, rest...);
  }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  const std::shared_ptr<T>& ptr() const { return block_; }
  T* get() const {
    if (block_ == nullptr) {
      throw Error(absl::FailedPreconditionError("an empty BlockRef is used; Register a block"));
    }
    return block_.get();
  }

 private:
  std::shared_ptr<T> block_;
};

// A child and what it is called below its parent.
struct BlockChild {
  std::string name;
  std::shared_ptr<Block> block;
};

class Block : public internal::HintSource {
 public:
  Block();
  ~Block() override;
  Block(Block&& other) noexcept;
  Block& operator=(Block&&) = delete;

  // --- calling ---
  // The single output for these inputs; INVALID_ARGUMENT if there are more (see Apply).
  template <typename... Inputs>
  Tensor operator()(const Tensor& first, const Inputs&... rest) {
    return Single(Apply(TensorList{first, rest...}));
  }
  // All outputs. Errors name the block's path.
  TensorList Apply(const TensorList& inputs);

  // --- structure ---
  // "hybridsequential0_dense0"; settles it.
  std::string name() const;
  // Names a root (of a child, its parent decides). Before the first use of the name.
  void SetName(std::string name);
  // The class, without namespaces: "Dense".
  std::string type_name() const;
  // What the block was made with, for Summary and for files: "256, activation=relu".
  virtual std::string Describe() const { return ""; }
  const std::vector<BlockChild>& children() const { return children_; }
  // This block's own.
  const std::vector<ParameterPtr>& parameters() const { return parameters_; }
  virtual bool is_hybrid() const { return false; }

  // --- parameters ---
  // Own and below, parents first, each once; only names that `pattern`, a regular expression,
  // matches from their start.
  ParameterList CollectParameters(absl::string_view pattern = "") const;
  // Gives every parameter a first value: now, or at the first forward where a shape is not known.
  // Parameters that have one keep it, unless `force`.
  void Initialize(const InitializerPtr& init = init::Uniform(), Device* device = nullptr,
                  bool force = false);
  // Moves the parameters, with their gradients, to a device; those without a value yet will be made
  // there. All of them or, if there is no room, none. Trainers follow with their states. Inputs are
  // the caller's to move (To). Not while another thread runs the block.
  void MoveTo(Device& device);
  void MoveTo(absl::string_view device);  // "cuda:1"
  // The parameters' values, in the safetensors layout, by their names below this block, so that
  // another instance reads them. FAILED_PRECONDITION lists the parameters without a value.
  void SaveParameters(const std::string& path) const;
  struct LoadOptions {
    bool allow_missing = false;  // parameters that the file does not have keep their values
    bool ignore_extra = false;   // tensors of the file that no parameter wants
    Device* device = nullptr;    // null: the default device
  };
  void LoadParameters(const std::string& path, const LoadOptions& options);
  void LoadParameters(const std::string& path) { LoadParameters(path, LoadOptions()); }

  // --- compiling ---
  // On a HybridBlock: the next call compiles. On any other: its hybrid children (R33).
  virtual void Hybridize(const HybridizeOptions& options = {});
  void Hybridize(bool active) { Hybridize(HybridizeOptions{.active = active}); }

  // Runs a forward, imperatively, and tells layers, output shapes and numbers of parameters, as a
  // table. The parameters of a block that runs twice are counted where it runs first.
  std::string Summary(const Tensor& input);

 protected:
  // The computation: override one of the two. The default of ForwardAll takes one input and calls
  // Forward.
  virtual Tensor Forward(const Tensor& x);
  virtual TensorList ForwardAll(const TensorList& inputs);
  // A layer with parameters of unknown shape learns them here (Parameter::ResolveShape), from the
  // shapes of the first forward's inputs. Never look at values here.
  virtual void InferParameterShapes(const TensorList& inputs) {}

  // Declares a parameter; `name` is unique in the block.
  Parameter& DeclareParameter(std::string name, ParameterOptions options);
  // Takes a parameter that was made elsewhere, under its own name.
  Parameter& AdoptParameter(ParameterPtr parameter);
  // Adds a child under a name that is unique in the block (and becomes part of its parameters'
  // names). Takes a block, or a shared one.
  template <typename T>
  requires std::is_base_of_v<Block, T> BlockRef<T> Register(std::string name, T block) {
    return Register(std::move(name), std::make_shared<T>(std::move(block)));
  }
  template <typename T>
  BlockRef<T> Register(std::string name, std::shared_ptr<T> block) {
    AddChild(std::move(name), block);
    return BlockRef<T>(std::move(block));
  }
  template <typename T>
  BlockRef<T> Register(std::string name, const BlockRef<T>& block) {
    return Register(std::move(name), block.ptr());
  }
  void AddChild(std::string name, std::shared_ptr<Block> child);
  // "dense0", "dense1", …: a name for a child that was given none.
  std::string ChildName(const Block& child) const;

  // What a block has on a device besides parameters: copies it, and returns what makes the copies its
  // own, which must not fail. The default has nothing.
  virtual std::function<void()> PrepareMove(Device& device) { return nullptr; }
  // What Apply does inside the block's scope; HybridBlock compiles here.
  virtual TensorList Run(const TensorList& inputs);
  // The forward with the parameters ready.
  TensorList RunForward(const TensorList& inputs);
  // Called where a child is not allowed (R33).
  virtual absl::Status CheckChild(absl::string_view name, const Block& child) const {
    return absl::OkStatus();
  }
  // True while this thread is inside of Summary, for which every block's forward must run.
  static bool Summarizing();
  // Parameters that have no value, own and below.
  std::vector<std::string> ParametersWithoutValue() const;

  internal::BlockIdentity& identity() const { return *identity_; }

 private:
  Tensor Single(TensorList outputs) const;
  // Asked for late: a constructor cannot know the class yet.
  std::string NameHint() const final;
  void PrepareParameters(const TensorList& inputs);
  void CollectInto(std::vector<ParameterPtr>* parameters) const;
  void CollectLocal(const std::string& prefix,
                    std::vector<std::pair<std::string, ParameterPtr>>* parameters) const;

  std::shared_ptr<internal::BlockIdentity> identity_;
  std::vector<BlockChild> children_;
  std::vector<ParameterPtr> parameters_;
  std::atomic<bool> parameters_ready_{false};
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_BLOCK_H_
