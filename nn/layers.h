#pragma once
#include "autograd/ops.h"
#include "nn/parameter.h"

/// Layers are plain structs that hold references to their parameters; calling one records its operations.
namespace reverie::inline REVERIE_PRECISION {

/// y = x W^T + b.  x: [..., in], W: [out, in], b: [out].
struct Linear {
  Parameter &weight, &bias;
  Linear(const Scope& scope, Index in, Index out)
      : weight(scope.add("weight", {out, in}, uniform_fan_in(in))),
        bias(scope.add("bias", {out}, uniform_fan_in(in))) {}
  /// With a start of its own for the weight; the bias starts at zero.
  Linear(const Scope& scope, Index in, Index out, const Init& init)
      : weight(scope.add("weight", {out, in}, init)), bias(scope.add("bias", {out}, zeros())) {}
  Var operator()(const Var& x) const { return linear(x, weight.on(x), bias.on(x)); }
};

/// x: [N,H,W,in] -> [N,H',W',out]; weight [out, in/groups, kernel, kernel].
struct Conv2d {
  Parameter &weight, &bias;
  Conv2dOptions options;
  Conv2d(const Scope& scope, Index in, Index out, Index kernel, const Conv2dOptions& options = {})
      : Conv2d(scope, in, out, kernel, options, uniform_fan_in(in / options.groups * kernel * kernel),
               uniform_fan_in(in / options.groups * kernel * kernel)) {}
  /// With a start of its own.
  Conv2d(const Scope& scope, Index in, Index out, Index kernel, const Conv2dOptions& options, const Init& weight_init,
         const Init& bias_init = zeros())
      : weight(scope.add("weight", {out, in / options.groups, kernel, kernel}, weight_init)),
        bias(scope.add("bias", {out}, bias_init)),
        options(options) {}
  Var operator()(const Var& x) const { return conv2d(x, weight.on(x), bias.on(x), options); }
};

/// x: [N,...,C]. Groups of channels are normalised over all positions of a sample.                              [Wu18]
struct GroupNorm {
  Parameter &weight, &bias;
  Index groups;
  GroupNorm(const Scope& scope, Index channels, Index groups = 32)
      : weight(scope.add("weight", {channels}, ones())), bias(scope.add("bias", {channels}, zeros())), groups(groups) {}
  Var operator()(const Var& x) const { return group_norm(x, weight.on(x), bias.on(x), groups); }
  /// silu of it; `modulation`: [N,2C], scale and then shift, or none.
  Var then_silu(const Var& x, const Var& modulation = {}) const {
    return group_norm_silu(x, weight.on(x), bias.on(x), groups, modulation);
  }
};

/// x: [..., C], normalised over the last axis.                                                                   [Ba16]
struct LayerNorm {
  Parameter &weight, &bias;
  double eps;
  LayerNorm(const Scope& scope, Index channels, double eps = 1e-5)
      : weight(scope.add("weight", {channels}, ones())), bias(scope.add("bias", {channels}, zeros())), eps(eps) {}
  Var operator()(const Var& x) const { return layer_norm(x, weight.on(x), bias.on(x), eps); }
};

/// Rows of a learned table [count, channels] by number; starts from N(0, 1) if nothing else is said.
struct Embedding {
  Parameter& weight;
  Embedding(const Scope& scope, Index count, Index channels, const Init& init = gaussian())
      : weight(scope.add("weight", {count, channels}, init)) {}
  /// `on`: a Var whose tape the result joins.
  Var operator()(std::span<const Index> indices, const Var& on) const { return embedding(weight.on(on), indices); }
};

/// How a forward pass is meant: in training, dropout draws its masks from `dropout`.
struct Mode {
  bool training = false;
  RandomKey dropout = {.stream = Stream::dropout};
};

/// Sets elements to 0 with probability p and scales the rest by 1/(1-p); nothing outside of training. [Srivastava14]
struct Dropout {
  double p;
  Index id;  ///< tells a network's dropout layers apart
  Var operator()(const Var& x, const Mode& mode) const {
    return mode.training && p > 0 ? dropout(x, p, mode.dropout.with_channel(id)) : x;
  }
};

/// Sinusoidal embedding of N times: cosines first, then sines, of t max_period^(-i/h), i = 0..h-1, h = dim/2; a zero
/// pads an odd dim. [N,dim], computed in double.                                                       [Vaswani17]
/// sec. 3.5, [Ho20]
Tensor timestep_embedding(std::span<const double> t, Index dim, double max_period = 10000);

}  // namespace reverie::inline REVERIE_PRECISION
