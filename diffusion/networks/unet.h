#pragma once
#include <vector>

#include "diffusion/networks/network.h"
#include "nn/blocks.h"
#include "nn/text_encoder.h"

namespace reverie::inline REVERIE_PRECISION {

struct UNetOptions {
  Index in_channels = 1, out_channels = 1;
  Index model_channels = 32;                     ///< at the finest level; each level has channel_mult times as many
  std::vector<double> channel_mult = {1, 2, 2};  ///< may be fractions, like guided-diffusion's 0.5
  Index num_res_blocks = 2;                      ///< per level on the way down; one more on the way up
  std::vector<Index> attention_rates = {2};      ///< down-sampling rates with attention after each block
  Index num_heads = 4;
  Index num_head_channels = -1;  ///< if positive: heads of this width instead of num_heads
  bool use_scale_shift_norm = true;
  bool conv_resample = true;     ///< resample with convolutions, else only pool and repeat
  bool resblock_updown = false;  ///< resample inside residual blocks [Dhariwal21]
  QkvOrder qkv_order = QkvOrder::head_by_head;
  Index num_classes = 0;  ///< rows of the class embedding, 0 for none
  /// Reads captions if it has tokens: each attention block is followed by cross-attention to the caption.
  TextEncoderOptions text = {};
  double dropout = 0;

  /// Channels at a level. Throws ShapeError unless they are a multiple of 32.
  Index width(Index level) const;
};

/// The U-Net of improved-diffusion [Nichol21] with guided-diffusion's additions [Dhariwal21], under their parameter
/// names: down-sampling residual blocks, a middle, and up-sampling blocks with skip connections from the way down. x:
/// [N,H,W,in_channels] -> [N,H,W,out_channels]; H and W must be divisible by 2 once per level except the last
/// (ShapeError).
class UNet : public Network {
 public:
  UNet(const UNetOptions& options, std::uint64_t seed);
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                 const Mode& mode) const override;

 private:
  // input_blocks.K, middle_block or output_blocks.K: up to three layers in sequence. `resample` is resampling without a
  // residual block; the convolution, if any, comes after up-sampling or replaces pooling.
  struct Stage {
    std::optional<ResidualBlock> residual;
    std::optional<AttentionBlock> attention;
    std::optional<CrossAttention> cross_attention;
    Resample resample = Resample::none;
    std::optional<Conv2d> resample_conv;
    std::optional<ResidualBlock> resample_residual;
  };
  Stage stage(const Scope& scope, Index in, Index out, bool attend);
  void add_resample(Stage& stage, const Scope& scope, Index channels, Resample how);
  ResidualBlockOptions residual(Index in, Index out, Resample how = Resample::none);
  Var run(const Stage& stage, Var h, const Var& embedding, const Var& text, const Mode& mode) const;

  UNetOptions options_;
  Index dropout_layers_ = 0;
  TimeEmbedding embedding_;
  std::optional<TextEncoder> text_;
  Conv2d first_;
  std::vector<Stage> down_, up_;
  std::optional<ResidualBlock> middle_first_, middle_last_;
  std::optional<Stage> middle_attention_;
  std::optional<GroupNorm> out_norm_;
  std::optional<Conv2d> out_;
};

}  // namespace reverie::inline REVERIE_PRECISION
