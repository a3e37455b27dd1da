#include "diffusion/networks/mlp.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index embedding_width = 32;  // channels of the sinusoids; the embedding has four times as many

}  // namespace

Mlp::Mlp(const MlpOptions& o, std::uint64_t seed)
    : Network(seed, o.num_classes),
      options_(o),
      embedding_(parameters.root() / "time_embed", parameters.root() / "label_emb", embedding_width,
                 4 * embedding_width, o.num_classes),
      first_(parameters.root() / "first", o.in_channels, o.hidden),
      norm_(parameters.root() / "norm", o.hidden),
      last_(parameters.root() / "last", o.hidden, o.out_channels, zeros()) {
  for (Index i = 0; i < o.depth; ++i) {
    const Scope scope = parameters.root() / "layers" / i;
    layers_.push_back({Linear(scope / "in", o.hidden, o.hidden),
                       Linear(scope / "embedding", 4 * embedding_width, o.hidden),
                       Linear(scope / "out", o.hidden, o.hidden)});
  }
}

Var Mlp::operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode&) const {
  if (x.rank() != 2 || x.extent(1) != options_.in_channels) {
    throw ShapeError("mlp: input ", x.shape(), ", expects [N,", options_.in_channels, "]");
  }
  const Var embedding = silu(embedding_(t, labels, x));
  Var h = first_(x);
  for (const Layer& layer : layers_) h = h + layer.out(silu(layer.in(h) + layer.embedding(embedding)));
  return last_(silu(norm_(h)));
}

}  // namespace reverie::inline REVERIE_PRECISION
