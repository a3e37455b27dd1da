#include "diffusion/networks/dit.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

const DitOptions& checked(const DitOptions& o) {
  if (o.patch_size < 1) throw ShapeError("dit: the patch size is ", o.patch_size, "; expects 1 or more");
  if (o.hidden < 4 || o.hidden % 4 != 0)
    throw ShapeError("dit: ", o.hidden, " channels; the embedding of rows and columns requires a multiple of 4");
  if (o.mlp_ratio * static_cast<double>(o.hidden) < 1)
    throw ShapeError("dit: mlp_ratio ", o.mlp_ratio, " leaves no channels of ", o.hidden);
  return o;
}

}  // namespace

Tensor grid_embedding(Index rows, Index columns, Index dim) {
  const Index quarter = dim / 4;
  Tensor embedding = Tensor::uninitialized({rows * columns, dim});
  real* to = embedding.data();
  for (Index row = 0; row < rows; ++row) {
    for (Index column = 0; column < columns; ++column) {
      for (const Index position : {column, row}) {
        for (Index i = 0; i < quarter; ++i) {
          const double frequency = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
          const double angle = static_cast<double>(position) * frequency;
          to[i] = static_cast<real>(std::sin(angle));
          to[quarter + i] = static_cast<real>(std::cos(angle));
        }
        to += 2 * quarter;
      }
    }
  }
  return embedding;
}

// Initialises the weights as in the paper: linear layers Xavier-uniform (including the patch convolution, viewed as a
// linear layer), time and class N(0, 0.02^2), modulations and the last layer zero.
// [Peebles23] sec. 4, app. A
Dit::Dit(const DitOptions& options, std::uint64_t seed)
    : Network(seed, options.text.tokens > 0 ? options.text.tokens : options.num_classes, options.text.length),
      options_(checked(options)),
      patches_(parameters.root() / "x_embedder" / "proj", options.in_channels, options.hidden, options.patch_size,
               {.stride = options.patch_size},
               xavier_uniform(options.in_channels * options.patch_size * options.patch_size, options.hidden)),
      embedding_(parameters.root() / "t_embedder" / "mlp", parameters.root() / "y_embedder" / "embedding_table",
                 options.frequency_dim, options.hidden, options.num_classes, gaussian(0.02)),
      text_([&]() -> std::optional<TextEncoder> {
        TextEncoderOptions text = options.text;
        text.pooled = options.hidden;
        if (text.tokens == 0) return std::nullopt;
        return TextEncoder(parameters.root() / "text", text);
      }()),
      blocks_([&] {
        const Index mlp_width = static_cast<Index>(options.mlp_ratio * static_cast<double>(options.hidden));
        std::vector<TransformerBlock> blocks;
        for (Index i = 0; i < options.depth; ++i)
          blocks.emplace_back(parameters.root() / "blocks" / i, options.hidden, options.num_heads, mlp_width,
                              text_ ? options.text.width : 0);
        return blocks;
      }()),
      last_modulation_(parameters.root() / "final_layer" / "adaLN_modulation", options.hidden, 2),
      last_(parameters.root() / "final_layer" / "linear", options.hidden,
            options.patch_size * options.patch_size * options.out_channels, zeros()) {}

std::map<std::string, Tensor> Dit::constants(const Shape& sample_shape) const {
  const Index rows = sample_shape[0] / options_.patch_size, columns = sample_shape[1] / options_.patch_size;
  return {{"pos_embed", grid_embedding(rows, columns, options_.hidden).reshape({1, rows * columns, options_.hidden})}};
}

Var Dit::operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode&) const {
  const Index patch = options_.patch_size, hidden = options_.hidden;
  if (x.rank() != 4 || x.extent(3) != options_.in_channels) {
    throw ShapeError("dit: input ", x.shape(), ", expects [N,H,W,", options_.in_channels, "]");
  }
  if (x.extent(1) % patch != 0 || x.extent(2) % patch != 0) {
    throw ShapeError("dit: images of ", x.extent(1), "x", x.extent(2), " can't be cut into patches of ", patch, "x",
                     patch, "; height and width must be multiples of ", patch);
  }
  const Index N = x.extent(0), rows = x.extent(1) / patch, columns = x.extent(2) / patch;
  Var embedding = embedding_(t, text_ ? std::span<const Index>{} : labels, x), text;
  if (text_) {
    text = (*text_)(labels, x);
    embedding = embedding + text_->summary(text);
  }
  const Var condition = silu(embedding);
  Var z = reshape(patches_(x), {N, rows * columns, hidden}) + Var(grid_embedding(rows, columns, hidden));
  for (const TransformerBlock& block : blocks_) z = block(z, condition, text);
  const std::vector<Var> m = last_modulation_(condition);  // shift, scale
  const Var values = reshape(last_(modulated_norm(z, m[0], m[1])), {N, rows, columns, patch, patch, -1});
  return reshape(permute(values, {0, 1, 3, 2, 4, 5}), {N, x.extent(1), x.extent(2), -1});
}

}  // namespace reverie::inline REVERIE_PRECISION
