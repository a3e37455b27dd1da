#pragma once
#include "autograd/ops.h"
#include "nn/parameter.h"

/// Layers are plain structs with references to their parameters. Calling a layer records its operations.
namespace reverie::inline REVERIE_PRECISION {

/// y = x W^T + b.  x: [..., in], W: [out, in], b: [out].
struct Linear {
  Parameter &weight, &bias;
  Linear(const Scope& scope, Index in, Index out)
      : weight(scope.add("weight", {out, in}, uniform_fan_in(in))),
        bias(scope.add("bias", {out}, uniform_fan_in(in))) {}
  /// With another initialisation of the weight; the bias starts at zero.
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
  /// With other initialisations.
  Conv2d(const Scope& scope, Index in, Index out, Index kernel, const Conv2dOptions& options, const Init& weight_init,
         const Init& bias_init = zeros())
      : weight(scope.add("weight", {out, in / options.groups, kernel, kernel}, weight_init)),
        bias(scope.add("bias", {out}, bias_init)),
        options(options) {}
  Var operator()(const Var& x) const { return conv2d(x, weight.on(x), bias.on(x), options); }
};

/// Normalises groups of channels over all positions of a sample. x: [N,...,C].
/// [Wu18]
struct GroupNorm {
  Parameter &weight, &bias;
  Index groups;
  GroupNorm(const Scope& scope, Index channels, Index groups = 32)
      : weight(scope.add("weight", {channels}, ones())), bias(scope.add("bias", {channels}, zeros())), groups(groups) {}
  Var operator()(const Var& x) const { return group_norm(x, weight.on(x), bias.on(x), groups); }
  /// silu of the result; `modulation`: [N,2C], first scale, then shift, or none.
  Var then_silu(const Var& x, const Var& modulation = {}) const {
    return group_norm_silu(x, weight.on(x), bias.on(x), groups, modulation);
  }
};

/// Normalises over the last axis. x: [..., C].
/// [Ba16]
struct LayerNorm {
  Parameter &weight, &bias;
  double eps;
  LayerNorm(const Scope& scope, Index channels, double eps = 1e-5)
      : weight(scope.add("weight", {channels}, ones())), bias(scope.add("bias", {channels}, zeros())), eps(eps) {}
  Var operator()(const Var& x) const { return layer_norm(x, weight.on(x), bias.on(x), eps); }
};

/// Looks up rows of a learned table [count, channels]. It starts from N(0, 1) unless `init` says otherwise.
struct Embedding {
  Parameter& weight;
  Embedding(const Scope& scope, Index count, Index channels, const Init& init = gaussian())
      : weight(scope.add("weight", {count, channels}, init)) {}
  /// `on`: a Var whose tape the result joins.
  Var operator()(std::span<const Index> indices, const Var& on) const { return embedding(weight.on(on), indices); }
};

/// Training or evaluation. In training, dropout draws its masks with the key `dropout`.
struct Mode {
  bool training = false;
  RandomKey dropout = {.stream = Stream::dropout};
};

/// In training, sets elements to 0 with probability p and scales the others by 1/(1-p); else does nothing.
/// [Srivastava14]
struct Dropout {
  double p;
  Index id;  ///< of the layer, so that no two layers of a network draw the same mask
  Var operator()(const Var& x, const Mode& mode) const {
    return mode.training && p > 0 ? dropout(x, p, mode.dropout.with_channel(id)) : x;
  }
};

/// Returns the sinusoidal embedding of N times, [N,dim], computed in double: cosines, then sines, of
/// t max_period^(-i/h), i = 0..h-1, h = dim/2. If dim is odd, the last element is 0.
/// [Vaswani17] sec. 3.5, [Ho20]
Tensor timestep_embedding(std::span<const double> t, Index dim, double max_period = 10000);

}  // namespace reverie::inline REVERIE_PRECISION
