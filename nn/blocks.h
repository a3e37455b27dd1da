#pragma once
#include <optional>

#include "nn/layers.h"

/// The two blocks that U-Nets for diffusion are built from, with improved-diffusion's parameter names.
namespace reverie::inline REVERIE_PRECISION {

enum class Resample { none, up, down };

/// Changes an image's size by two, without parameters: nearest repetition up, 2x2 average pooling down.
Var resample(const Var& x, Resample how);

struct ResidualBlockOptions {
  Index in, out, embedding;  ///< channels of the input, the output and the time embedding
  bool scale_shift_norm =
      true;  ///< the embedding scales and shifts the second norm ("AdaGN"), else it is added before it
  Resample resample = Resample::none;
  double dropout = 0;
  Index dropout_id = 0;
};

/// x + f(x, embedding), f = conv(silu(norm(conv(silu(norm(x))), embedding))); a 1x1 convolution on the skip path where
/// the number of channels changes. The last convolution starts at zero, so that the block starts as the skip path
/// alone. x: [N,H,W,in], embedding: [N,E] -> [N,H',W',out].                                     [Ho20] app. B,
/// [Dhariwal21] sec. 3
class ResidualBlock {
 public:
  ResidualBlock(const Scope& scope, const ResidualBlockOptions& options);
  Var operator()(const Var& x, const Var& embedding, const Mode& mode) const;

 private:
  ResidualBlockOptions options_;
  GroupNorm in_norm_;
  Conv2d in_conv_;
  Linear embedding_;
  GroupNorm out_norm_;
  Dropout dropout_;
  Conv2d out_conv_;
  std::optional<Conv2d> skip_;
};

/// x + projection(attention(norm(x))) over all pixels of an image. x: [N,H,W,C]. The projection starts at zero.
class AttentionBlock {
 public:
  AttentionBlock(const Scope& scope, Index channels, Index heads, QkvOrder order);
  Var operator()(const Var& x) const;

 private:
  Index heads_;
  QkvOrder order_;
  GroupNorm norm_;
  Parameter &qkv_weight_, &qkv_bias_, &projection_weight_, &projection_bias_;  // 1-D convolutions of width 1: [O,I,1]
};

}  // namespace reverie::inline REVERIE_PRECISION
