#pragma once
#include <vector>

#include "diffusion/networks/network.h"
#include "nn/text_encoder.h"
#include "nn/transformer.h"

namespace reverie::inline REVERIE_PRECISION {

struct DitOptions {
  Index in_channels = 1, out_channels = 1;
  Index patch_size = 2;          ///< a token is a patch of patch_size x patch_size pixels
  Index hidden = 128;            ///< channels of a token, a multiple of 4
  Index depth = 6;               ///< number of blocks
  Index num_heads = 4;           ///< must divide `hidden`
  double mlp_ratio = 4;          ///< width of a block's perceptron over `hidden`; the product is rounded down
  Index num_classes = 0;         ///< rows of the class embedding, 0 for none
  TextEncoderOptions text = {};  ///< reads captions, by cross-attention in each block, if it has tokens
  Index frequency_dim = 256;     ///< channels of the sinusoids of time
};

/// The diffusion transformer (DiT) with adaLN-zero [Peebles23], under the paper's parameter names. Patches become
/// tokens with a fixed position embedding; time and class set the shift and scale after the norms in each block; the
/// last layer maps each token back to its patch. x: [N,H,W,in_channels] -> [N,H,W,out_channels]; H and W must be
/// multiples of the patch size (ShapeError), and may differ between calls.
class Dit : public Network {
 public:
  /// Throws ShapeError for sizes that don't go together.
  Dit(const DitOptions& options, std::uint64_t seed);
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                 const Mode& mode) const override;
  /// `pos_embed`, [1, rows columns, hidden].
  std::map<std::string, Tensor> constants(const Shape& sample_shape) const override;

 private:
  DitOptions options_;
  Conv2d patches_;
  TimeEmbedding embedding_;
  std::optional<TextEncoder> text_;
  std::vector<TransformerBlock> blocks_;
  Modulation last_modulation_;
  Linear last_;
};

/// The fixed position embedding of a grid of tokens, row by row: [rows columns, dim]. The first half of the channels
/// encodes the column, the second the row; each half has sines, then cosines, of position 10000^(-4i/dim), i =
/// 0..dim/4-1. `dim` must be a multiple of 4.
/// [Vaswani17] sec. 3.5, [Peebles23]
Tensor grid_embedding(Index rows, Index columns, Index dim);

}  // namespace reverie::inline REVERIE_PRECISION
