#pragma once
#include <span>
#include <string>

#include "nn/chunks.h"

namespace reverie::inline REVERIE_PRECISION {

/// An exponential moving average (EMA) of the parameters: e = r e + (1 - r) p after every update, from e = p at the
/// start. With warm-up, r is at most (1 + s)/(10 + s) at update s. Without it, an average of rate 0.995 would still be
/// 5% random initialisation after 600 steps, enough to spoil every sample.
class Ema {
 public:
  Ema(double rate, bool warmup, const ParameterStore& parameters)
      : rate_(rate), warmup_(warmup), average_(parameters.clone_values()) {}
  /// `update`: the number of updates of the parameters so far, including this one.
  void update(const ParameterStore& parameters, Index update);
  /// The same for a chunk of one parameter.
  void update(const real* parameter, const Chunk& chunk, Index update);
  TensorList& average() { return average_; }
  const TensorList& average() const { return average_; }
  double rate() const { return rate_; }
  /// The weight of the initial parameters in the average after this many updates.
  static double share_of_start(double rate, bool warmup, Index updates);

 private:
  static double effective(double rate, bool warmup, Index update);
  double rate_;
  bool warmup_;
  TensorList average_;
};

struct OptimizerOptions {
  std::string name = "adamw";  ///< adamw, adam or sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0;      ///< sgd only
  double weight_decay = 0;  ///< adamw: p *= 1 - lr wd before the update; adam, sgd: adds wd p to the gradient
};

/// AdamW, Adam and SGD with momentum, in PyTorch's conventions.
/// [Loshchilov19], [Kingma15]
class Optimizer {
 public:
  Optimizer(OptimizerOptions options, const ParameterStore& parameters);

  /// Updates every parameter with the gradient times `gradient_scale` (from clipping), then the moving averages, in one
  /// pass over memory.
  void step(const TensorList& gradients, double learning_rate, double gradient_scale = 1, std::span<Ema> averages = {});

  // The state, for checkpoints: moments by name ("m", "v"; empty lists if the optimizer has none), number of updates.
  TensorList& moment(const std::string& name) { return name == "m" ? m_ : v_; }
  const TensorList& moment(const std::string& name) const { return name == "m" ? m_ : v_; }
  Index updates = 0;
  static constexpr const char* moments[] = {"m", "v"};

 private:
  OptimizerOptions options_;
  TensorList parameters_, m_, v_;
};

/// The names of all optimizers.
std::span<const char* const> optimizer_names();

/// The square root of the sum of squares over all tensors; the same bits for any number of threads.
double global_norm(const TensorList& gradients);
/// The factor that clips a gradient of this norm to at most `limit` (0: no limit), computed as in PyTorch.
double clip_factor(double norm, double limit);

/// The learning rate as a function of the training step: a linear warm-up from 0, then constant, or half a cosine down
/// to `final_fraction` of the base rate at the last training step.
struct LearningRate {
  double base = 1e-3;
  Index warmup_steps = 0;
  std::string decay = "constant";  ///< constant or cosine
  Index total_steps = 0;
  double final_fraction = 0;
  /// `step` counts from 0. Throws UsageError for an unknown decay.
  double operator()(Index step) const;
};

}  // namespace reverie::inline REVERIE_PRECISION
