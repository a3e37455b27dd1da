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
/// noisy. Shows at which noise levels the loss is high, which the mean hides.
struct QuartileLosses {
  std::array<double, 4> sum{};
  std::array<Index, 4> count{};
  /// Adds a sample; `u` in (0, 1), as in Times.
  void add(double u, double loss);
  QuartileLosses& operator+=(const QuartileLosses& other);
  /// The mean loss of a quarter; nullopt if it has no samples.
  std::optional<double> mean(std::size_t quarter) const;
};

/// The result of a training step.
struct StepReport {
  Index step;            ///< training steps done, including this one
  double loss;           ///< mean over the batch (with the importance weights of the timestep sampler)
  double gradient_norm;  ///< before clipping
  double learning_rate;
  QuartileLosses quartiles;  ///< without importance weights
};

/// Fills in options whose defaults depend on the data: the shard size for samples of this shape, and the length of the
/// learning-rate schedule.
TrainOptions complete(TrainOptions options, const Shape& sample);

/// Trains a diffusion model. A training step is a function of the model, the options, the data and its number; logging,
/// previews and files are left to the caller.
class Trainer {
 public:
  /// Starts a new run, which owns the model. `data` must outlive the trainer. Throws UsageError for options that don't
  /// suit the model or the data.
  Trainer(DiffusionModel model, const Dataset& data, const TrainOptions& options);

  /// Performs one training step. If the loss or a gradient is not finite, throws Error and leaves the weights
  /// unchanged; the message names the training step, and the operation and the parameter where it appeared first.
  StepReport step();
  Index steps_done() const { return steps_done_; }
  /// Records the loss of the first shard of the next training step, as `step` does, so that it can be explained or
  /// timed. The caller must activate the model's kernels.
  RecordedLoss first_shard() const;

  /// The loss on `validation_count` samples (a Subset) of a held-out set, with the sampling weights. Noise and noise
  /// levels are the same at every call, so it falls smoothly, unlike the training loss, which varies with the random t.
  double validation_loss(const Dataset& held_out);

  /// The state a run needs to continue. Throws Error, naming the training step and the parameter, if a weight is not
  /// finite.
  TrainingState state() const;
  /// Continues from a state. Throws Error, naming `origin`, if its model, options or data differ.
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
    RandomKey noise;  // determines the noise of each sample
    Times times;
    std::vector<Index> labels;  // as many for each sample as the network takes
    Index size() const { return x0.extent(0); }
  };
  Batch draw_batch() const;
  const std::string& data_fingerprint() const;
  Var shard_loss(Tape& tape, const Batch& batch, Index first, Index last, std::span<double> each) const;
  Var shard_losses(Tape* tape, const Batch& batch, Index first, Index last, const Mode& mode) const;
  Mode training_mode(Index first_sample) const;
  [[noreturn]] void explain_not_finite(const Batch& batch, double loss);

  TrainOptions options_;
  DiffusionModel model_;
  std::vector<Index> labels_;  // of the whole training set, as the network takes them
  const Dataset& data_;
  mutable std::string fingerprint_;  // of the data; computed when it is first needed
  Loader loader_;
  std::unique_ptr<TimestepSampler> timestep_sampler_;
  ShardedGradient gradient_;
  Optimizer optimizer_;
  std::vector<Ema> emas_;
  Index steps_done_ = 0;
  TensorList raw_;  // handles on the weights, for sampling_weights
};

}  // namespace reverie::inline REVERIE_PRECISION
