#pragma once
#include <vector>

#include "diffusion/networks/network.h"
#include "nn/transformer.h"

namespace reverie::inline REVERIE_PRECISION {

struct DitOptions {
  Index in_channels = 1, out_channels = 1;
  Index patch_size = 2;       ///< a token stands for patch_size x patch_size pixels
  Index hidden = 128;         ///< channels of a token, a multiple of 4
  Index depth = 6;            ///< number of blocks
  Index num_heads = 4;        ///< must divide `hidden`
  double mlp_ratio = 4;       ///< width of a block's perceptron over `hidden`; what is not whole is cut off
  Index num_classes = 0;      ///< rows of the class embedding, 0 for none
  Index frequency_dim = 256;  ///< channels of the sinusoids of time
};

/// The diffusion transformer with adaLN-zero [Peebles23], under the paper's parameter names: patches become tokens,
/// which know their place by a fixed embedding; blocks whose norms time and class steer; each token is turned back into
/// its patch. x: [N,H,W,in_channels] -> [N,H,W,out_channels]; H and W must be multiples of the patch size (ShapeError),
/// and may differ from call to call.
class Dit : public Network {
 public:
  /// Throws ShapeError for sizes that don't fit together.
  Dit(const DitOptions& options, std::uint64_t seed);
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                 const Mode& mode) const override;
  /// `pos_embed`, [1, rows columns, hidden].
  std::map<std::string, Tensor> constants(const Shape& sample_shape) const override;

 private:
  DitOptions options_;
  Conv2d patches_;
  TimeEmbedding embedding_;
  std::vector<TransformerBlock> blocks_;
  Modulation last_modulation_;
  Linear last_;
};

/// The fixed embedding of the places of a grid of tokens, row by row: [rows columns, dim], the first half of the
/// channels for the column, the second for the row; each half sines, then cosines, of position 10000^(-4i/dim),
/// i = 0..dim/4-1. `dim` must be a multiple of 4.                                       [Vaswani17] sec. 3.5,
/// [Peebles23]
Tensor grid_embedding(Index rows, Index columns, Index dim);

}  // namespace reverie::inline REVERIE_PRECISION
