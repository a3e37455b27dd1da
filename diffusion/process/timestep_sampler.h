#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/tables/options.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// The noise levels at which the samples of a batch are trained. `u` in (0, 1) is the quantile in the training
/// distribution of noise levels, 0 the least noisy (in a chain of T time steps: time step u T, rounded down). `weights`
/// multiply the losses so that their mean estimates the mean over uniform u.
struct Times {
  std::vector<double> u, weights;
};

/// Draws the times for training. Its state is what it has learned from losses; apart from that, draws are functions of
/// (seed, training step).
class TimestepSampler {
 public:
  virtual ~TimestepSampler() = default;
  virtual Times draw(std::uint64_t seed, Index step, Index count) const = 0;
  /// Takes the losses (before weighting) of a training step's samples, in the samples' order.
  virtual void observe(std::span<const double> /*u*/, std::span<const double> /*losses*/) {}
  /// The state as named tensors for a checkpoint; empty if there is none.
  virtual std::map<std::string, Tensor> state() const { return {}; }
  /// Restores a state. Throws Error, naming `origin`, if it isn't one of this sampler.
  virtual void restore(const std::map<std::string, Tensor>& /*state*/, const std::string& /*origin*/) {}
};

/// A row of the table of timestep samplers.
struct TimestepSamplerKind {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// T: the length of the chain; `values` has every one of `options`.
  std::unique_ptr<TimestepSampler> (*make)(Index T, const OptionValues& values);
};
std::span<const TimestepSamplerKind> timestep_samplers();
/// Builds the timestep sampler called `name`. Throws UsageError for an unknown name or option, or an invalid value.
std::unique_ptr<TimestepSampler> make_timestep_sampler(const std::string& name, Index T,
                                                       const OptionValues& given = {});

/// Importance sampling by the second moment of the loss: draws time steps with large losses more often and weights them
/// so that the expected gradient is unchanged. This makes the gradient of the variational bound less noisy.
/// [Nichol21] sec. 3.3
class LossSecondMoment : public TimestepSampler {
 public:
  /// `history`: number of losses stored per time step; `uniform_prob`: the fraction of draws that ignore them. Times
  /// are uniform until every time step has a full history.
  LossSecondMoment(Index T, Index history, double uniform_prob);
  /// The probability of each time step: proportional to the root of its mean squared loss.
  std::vector<double> probabilities() const;

  Times draw(std::uint64_t seed, Index step, Index count) const override;
  void observe(std::span<const double> u, std::span<const double> losses) override;
  std::map<std::string, Tensor> state() const override;
  void restore(const std::map<std::string, Tensor>& state, const std::string& origin) override;

  /// The middle of time step t's interval of u.
  double middle(Index t) const { return (static_cast<double>(t) + 0.5) / static_cast<double>(histories_.size()); }

 private:
  std::size_t history_;
  double uniform_prob_;
  std::vector<std::deque<double>> histories_;  // the last losses at each time step, oldest first
};

}  // namespace reverie::inline REVERIE_PRECISION
