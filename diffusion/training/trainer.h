#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "autograd/profile.h"
#include "data/loader.h"
#include "diffusion/model/checkpoint.h"
#include "diffusion/model/model.h"
#include "diffusion/process/timestep_sampler.h"
#include "nn/optimizer.h"
#include "nn/sharded_gradient.h"

namespace reverie::inline REVERIE_PRECISION {

/// The losses of samples by noise level: sum and count in each quarter of the training distribution, from the least
/// noisy. A loss that stays high in one quarter tells more than the mean.
struct QuartileLosses {
  std::array<double, 4> sum{};
  std::array<Index, 4> count{};
  /// `u` in (0, 1), as in Times.
  void add(double u, double loss);
  QuartileLosses& operator+=(const QuartileLosses& other);
  /// None where no sample fell into the quarter.
  std::optional<double> mean(std::size_t quarter) const;
};

/// What happened in a step.
struct StepReport {
  Index step;            ///< steps done, this one included
  double loss;           ///< mean over the batch (with importance weights where the timestep sampler has them)
  double gradient_norm;  ///< before clipping
  double learning_rate;
  QuartileLosses quartiles;  ///< without importance weights
};

/// Samples [H,W,C] or [2] a task: train.shard_size or, if that is 0, those of eight images at once.
Index shard_size(const Config& config, const Shape& sample);

/// Trains a diffusion model. Everything that a step does is a function of the configuration, the data and the step's
/// number; logging, previews and files stay outside.
class Trainer {
 public:
  /// A new run. `train` must outlive the trainer. Throws UsageError for a configuration that doesn't fit the data.
  Trainer(const Config& config, const Dataset& train);
  /// A run that goes on from a checkpoint, under a configuration that may differ in `train.steps` and in what is merely
  /// logged. Throws UsageError naming any other key that differs, and data of another shape.
  Trainer(const Config& config, const Dataset& train, const Checkpoint& checkpoint, const std::string& origin);

  /// One update. Throws Error, and leaves the weights as they were, if the loss or a gradient is not finite; the
  /// message names the step, and the operation and the parameter where that showed first.
  StepReport step();
  Index steps_done() const { return steps_done_; }
  /// Records the loss of the next step's first shard, as `step` does: to explain it, and to time it.
  RecordedLoss first_shard() const;

  /// The loss on the first `train.validation_count` samples of a held-out set, each at a noise level and with a noise
  /// of its own that are the same every time; with the first moving average (the raw weights if there is none). Unlike
  /// the training loss, which jumps with the random t, it falls smoothly.
  double validation_loss(const Dataset& held_out);

  /// Everything that a run needs to go on. Throws Error, naming the step and the parameter, if a weight is not finite.
  Checkpoint checkpoint() const;
  DiffusionModel& model() { return model_; }
  const DiffusionModel& model() const { return model_; }
  /// The weights that samples should come from: the first moving average, or the raw weights.
  const TensorList& sampling_weights() const;

 private:
  struct Batch {
    Tensor x0;
    RandomKey noise;  // from which shards draw that of their samples
    Times times;
    std::vector<Index> labels;
    Index size() const { return x0.extent(0); }
  };
  Batch draw_batch() const;
  Var shard_loss(Tape& tape, const Batch& batch, Index first, Index last, std::span<double> each) const;
  Var shard_losses(Tape* tape, const Batch& batch, Index first, Index last, const Mode& mode) const;
  Mode training_mode(Index first_sample) const;
  [[noreturn]] void explain_not_finite(const Batch& batch, double loss);

  Config config_;
  DiffusionModel model_;
  Loader loader_;
  Objective objective_;
  std::unique_ptr<TimestepSampler> timestep_sampler_;
  ShardedGradient gradient_;
  Optimizer optimizer_;
  std::vector<Ema> emas_;
  Index steps_done_ = 0;
  TensorList raw_;  // handles on the weights, for sampling_weights
};

}  // namespace reverie::inline REVERIE_PRECISION
