// Pooling over images: (batch, channels, height, width) to (batch, channels, out_height,
// out_width).
//
//   net.Add(nn::MaxPool2D(2), nn::AvgPool2D(3, {.strides = 2}), nn::GlobalAvgPool2D());
#ifndef TANDEM_FRONTENDS_CPP_NN_POOL2D_H_
#define TANDEM_FRONTENDS_CPP_NN_POOL2D_H_

#include <optional>
#include <string>
#include <utility>

#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/frontends/cpp/nn/window.h"

namespace tandem::nn {

struct Pool2DOptions {
  std::optional<Window> strides = std::nullopt;  // none: those of the kernel
  Window padding = 0;
  bool ceil_mode = false;         // count a last window that is not full
  bool count_include_pad = true;  // AvgPool2D: the padding counts as zeros
};

class MaxPool2D : public HybridBlock {
 public:
  explicit MaxPool2D(Window kernel = 2, Pool2DOptions options = {})
      : kernel_(std::move(kernel)), options_(std::move(options)) {}
  std::string Describe() const override { return kernel_.ToString(); }

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const Window kernel_;
  const Pool2DOptions options_;
};

class AvgPool2D : public HybridBlock {
 public:
  explicit AvgPool2D(Window kernel = 2, Pool2DOptions options = {})
      : kernel_(std::move(kernel)), options_(std::move(options)) {}
  std::string Describe() const override { return kernel_.ToString(); }

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const Window kernel_;
  const Pool2DOptions options_;
};

// Over the whole image, to (batch, channels, 1, 1).
class GlobalMaxPool2D : public HybridBlock {
 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
};

class GlobalAvgPool2D : public HybridBlock {
 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_POOL2D_H_
