#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "apps/files.h"
#include "apps/metrics.h"
#include "apps/progress.h"
#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// Manages a training run's files, metrics and progress line. The Trainer does the training.
class Run {
 public:
  /// `held_out` may be null. `resumed`: the trainer was loaded from the folder's checkpoint; later metrics are dropped.
  Run(Trainer& trainer, const Config& config, const Dataset* held_out, const RunFolder& folder, bool resumed);

  bool done() const { return trainer_.steps_done() >= config_.train.steps; }
  /// Whether an action that runs every `every` steps and after the last step is due now. 0: never.
  bool due(Index every) const { return every > 0 && (trainer_.steps_done() % every == 0 || done()); }

  void step();      ///< one training step; writes metrics every train.log_every steps
  void validate();  ///< writes the held-out loss to the metrics, if there is a held-out set
  void save();      ///< writes checkpoint.h5
  void preview();   ///< writes e.g. previews/step-000500.png
  void finish();    ///< writes samples.png and loss.svg; compares the brightness of samples and held-out data

  /// After an interruption: saves a checkpoint and prints the command that resumes the run.
  void stop(const std::string& command);
  /// Describes the last complete checkpoint, for errors.
  std::string last_checkpoint() const;

 private:
  double share() const { return static_cast<double>(trainer_.steps_done()) / static_cast<double>(config_.train.steps); }
  std::string at_step() const { return concat("step ", trainer_.steps_done(), "/", config_.train.steps); }
  std::string facts(double loss, double images_per_second) const;
  Tensor draw_samples(const std::string& path);  ///< and returns them

  Trainer& trainer_;
  const Config config_;
  const Dataset* held_out_;
  const RunFolder folder_;
  Metrics metrics_;
  Progress progress_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  struct Sums {
    Index steps = 0;
    double loss = 0, seconds = 0;
    QuartileLosses quartiles;
  } since_logged_;
  std::optional<double> shown_loss_;  // smoothed, for display
  Index saved_step_;                  // -1: nothing saved yet
};

}  // namespace reverie::inline REVERIE_PRECISION
