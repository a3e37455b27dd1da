#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "autograd/profile.h"
#include "data/loader.h"
#include "diffusion/model/checkpoint.h"
#include "diffusion/model/model.h"
#include "diffusion/model/train_options.h"
#include "diffusion/process/timestep_sampler.h"
#include "nn/sharded_gradient.h"

namespace reverie::inline REVERIE_PRECISION {

/// The losses of samples by noise level: sum and count in each quarter of the training distribution, from the least
/// noisy. A loss that stays high in one quarter says more than the mean.
struct QuartileLosses {
  std::array<double, 4> sum{};
  std::array<Index, 4> count{};
  /// `u` in (0, 1), as in Times.
  void add(double u, double loss);
  QuartileLosses& operator+=(const QuartileLosses& other);
  /// None if no sample fell into the quarter.
  std::optional<double> mean(std::size_t quarter) const;
};

/// The result of a training step.
struct StepReport {
  Index step;            ///< steps done, including this one
  double loss;           ///< mean over the batch (with the importance weights of the timestep sampler)
  double gradient_norm;  ///< before clipping
  double learning_rate;
  QuartileLosses quartiles;  ///< without importance weights
};

/// The options with defaults that depend on the data filled in: the shard size for samples of this shape, the length of
/// the learning-rate schedule.
TrainOptions complete(TrainOptions options, const Shape& sample);

/// Trains a diffusion model. Everything that a training step does is a function of the model, the options, the data and
/// the step's number; logging, previews and files are the caller's.
class Trainer {
 public:
  /// A new run, which owns the model. `data` must outlive the trainer. Throws UsageError for options that don't fit the
  /// model or the data.
  Trainer(DiffusionModel model, const Dataset& data, const TrainOptions& options);

  /// One update. Throws Error, and leaves the weights unchanged, if the loss or a gradient is not finite; the message
  /// names the step, and the operation and the parameter where that showed first.
  StepReport step();
  Index steps_done() const { return steps_done_; }
  /// Records the loss of the next step's first shard, as `step` does: to explain it, and to time it. A scope with the
  /// model's kernels is the caller's.
  RecordedLoss first_shard() const;

  /// The loss on the first `validation_count` samples of a held-out set, each at a noise level and with noise that are
  /// the same every time, with the sampling weights. It falls smoothly, unlike the training loss, which jumps with t.
  double validation_loss(const Dataset& held_out);

  /// What a run needs to continue. Throws Error, naming the step and the parameter, if a weight is not finite.
  TrainingState state() const;
  /// Continues from a state. Throws Error, naming `origin`, if it is not of such a model and options.
  void restore(const TrainingState& state, const std::string& origin);

  const TrainOptions& options() const { return options_; }
  /// The model with the raw weights.
  const DiffusionModel& model() const { return model_; }
  /// The weights to sample from: the first moving average, or the raw weights if there is none.
  const TensorList& sampling_weights() const;
  /// Calls `use` with the model holding the sampling weights.
  void with_sampling_weights(const std::function<void(const DiffusionModel&)>& use);

 private:
  struct Batch {
    Tensor x0;
    RandomKey noise;  // of which the noise of each sample is a function
    Times times;
    std::vector<Index> labels;
    Index size() const { return x0.extent(0); }
  };
  Batch draw_batch() const;
  Var shard_loss(Tape& tape, const Batch& batch, Index first, Index last, std::span<double> each) const;
  Var shard_losses(Tape* tape, const Batch& batch, Index first, Index last, const Mode& mode) const;
  Mode training_mode(Index first_sample) const;
  [[noreturn]] void explain_not_finite(const Batch& batch, double loss);

  TrainOptions options_;
  DiffusionModel model_;
  Loader loader_;
  std::unique_ptr<TimestepSampler> timestep_sampler_;
  ShardedGradient gradient_;
  Optimizer optimizer_;
  std::vector<Ema> emas_;
  Index steps_done_ = 0;
  TensorList raw_;  // handles on the weights, for sampling_weights
};

}  // namespace reverie::inline REVERIE_PRECISION
