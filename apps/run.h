#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "apps/files.h"
#include "apps/log_window.h"
#include "apps/metrics.h"
#include "apps/progress.h"
#include "apps/run_report.h"
#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// The request for previews: with the set's captions or reduced pictures, if the model needs them. They start from the
/// same noise each time, so that images of different training steps can be compared.
SampleRequest preview_request(const Config& config, const DiffusionModel& model, const Dataset& data);

/// Manages a training run's files, metrics and progress line. The Trainer does the training.
class Run {
 public:
  /// `held_out` may be null. `resumed` is the checkpoint that the trainer was loaded from, null for a new run; metrics
  /// of later steps are dropped.
  Run(Trainer& trainer, const Config& config, const Dataset& data, const Dataset* held_out, const RunFolder& folder,
      const Checkpoint* resumed);

  bool done() const { return trainer_.steps_done() >= config_.train.steps; }
  /// Whether an action that runs every `every` steps and after the last step is due now. 0: never.
  bool due(Index every) const { return every > 0 && (trainer_.steps_done() % every == 0 || done()); }

  /// Writes the metrics and the preview of this step that are due but missing, because the run was stopped or failed
  /// between the step's checkpoint and them.
  void catch_up();
  void step();      ///< one training step; writes metrics every train.log_every steps
  void validate();  ///< writes the held-out loss to the metrics, if there is a held-out set
  void save();      ///< writes checkpoint.h5
  void keep();      ///< writes e.g. checkpoints/step-000500.h5
  void show();      ///< prints what the steps and validations since the last call reported; call it after saving
  void record(const std::vector<std::pair<std::string, double>>& settings);  ///< changed settings, in the metrics
  void preview();                                                            ///< writes e.g. previews/step-000500.png
  void
  finish();  ///< writes samples.png, loss.svg and report.html; compares the brightness of samples and held-out data

  /// After an interruption: saves a checkpoint and prints the command that resumes the run.
  void stop(const std::string& command);
  /// After an error: saves a checkpoint, unless it was the training step or the saving that failed.
  void rescue();
  /// Describes the last complete checkpoint, for errors.
  std::string last_checkpoint() const;

 private:
  double share() const { return static_cast<double>(trainer_.steps_done()) / static_cast<double>(config_.train.steps); }
  std::string at_step() const { return concat("step ", trainer_.steps_done(), "/", config_.train.steps); }
  std::string facts(double loss) const;
  Checkpoint checkpoint() const;
  void log();                                    // a line of metrics
  Tensor draw_samples(const std::string& path);  ///< and returns them

  Trainer& trainer_;
  const Config config_;
  const Dataset* held_out_;
  SampleRequest preview_request_;
  const RunFolder folder_;
  Metrics metrics_;
  Progress progress_;
  RunReport report_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  LogWindow since_logged_;
  Index timed_steps_ = 0;  // since the last line of metrics or the start of this process, in ...
  double timed_seconds_ = 0, images_per_second_ = 0;
  bool stepping_ = false;             // inside a training step; true after one that failed
  std::optional<double> shown_loss_;  // smoothed, for display
  std::vector<std::string> unshown_;  // lines to print
  Index saved_step_;                  // -1: nothing saved yet
};

}  // namespace reverie::inline REVERIE_PRECISION
