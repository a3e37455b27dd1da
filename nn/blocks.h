#pragma once
#include <optional>

#include "nn/layers.h"

/// The two blocks of U-Nets for diffusion, with improved-diffusion's parameter names. The last layer of each starts at
/// zero, so a new block returns its skip path and adds nothing. A deep network then starts as a shallow one, through
/// which signals and gradients pass unchanged, and each block grows its contribution as it learns.
namespace reverie::inline REVERIE_PRECISION {

enum class Resample { none, up, down };

/// Doubles or halves an image's size, without parameters: nearest-neighbour up, 2x2 average pooling down.
Var resample(const Var& x, Resample how);

struct ResidualBlockOptions {
  Index in, out, embedding;  ///< channels of the input, the output and the time embedding
  /// The embedding scales and shifts the output of the second norm ("AdaGN"); if false, it is added to the norm's
  /// input.
  bool scale_shift_norm = true;
  Resample resample = Resample::none;
  double dropout = 0;
  Index dropout_id = 0;
};

/// x + f(x, embedding), f = conv(silu(norm(conv(silu(norm(x))), embedding))). If the number of channels changes, the
/// skip path is a 1x1 convolution. x: [N,H,W,in], embedding: [N,E] -> [N,H',W',out].
/// [Ho20] app. B, [Dhariwal21] sec. 3
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

/// x + projection(attention(norm(x))) over all pixels of an image. x: [N,H,W,C].
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
