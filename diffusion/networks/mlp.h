#pragma once
#include "diffusion/networks/network.h"

namespace reverie::inline REVERIE_PRECISION {

struct MlpOptions {
  Index in_channels = 2, out_channels = 2;
  Index hidden = 128;  ///< width of the hidden layers
  Index depth = 3;     ///< number of residual layers
  Index num_classes = 0;
};

/// A multilayer perceptron (MLP) for points: residual layers h + Linear(silu(Linear(h) + Linear(embedding))),
/// conditioned on time (and class) like the U-Net. x: [N,in_channels] -> [N,out_channels].
class Mlp : public Network {
 public:
  Mlp(const MlpOptions& options, std::uint64_t seed);
  Var operator()(const Var& x, std::span<const double> t, std::span<const Index> labels,
                 const Mode& mode) const override;

 private:
  struct Layer {
    Linear in, embedding, out;
  };
  MlpOptions options_;
  TimeEmbedding embedding_;
  Linear first_;
  std::vector<Layer> layers_;
  LayerNorm norm_;
  Linear last_;
};

}  // namespace reverie::inline REVERIE_PRECISION
