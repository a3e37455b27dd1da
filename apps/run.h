#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "apps/files.h"
#include "apps/metrics.h"
#include "apps/progress.h"
#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a training run leaves behind and shows: its folder, its metrics, the progress line. The training itself is the
/// Trainer's.
class Run {
 public:
  /// `held_out` may be null. `resumed`: the trainer comes from the folder's checkpoint; the metrics are cut back to it.
  Run(Trainer& trainer, const Config& config, const Dataset* held_out, const RunFolder& folder, bool resumed);

  bool done() const { return trainer_.steps_done() >= config_.train.steps; }
  /// Whether what is done every so many steps, and after the last one, is due now. `every` 0: never.
  bool due(Index every) const { return every > 0 && (trainer_.steps_done() % every == 0 || done()); }

  void step();      ///< one update, shown; every train.log_every a line of metrics
  void validate();  ///< the held-out loss to the metrics, if there is a held-out set
  void save();      ///< checkpoint.h5
  void preview();   ///< previews/step-000500.png
  void finish();    ///< samples.png and loss.svg; says how bright samples are, beside the held-out data

  /// After an interruption: saves what isn't saved, and says how to go on.
  void stop(const std::string& command);
  /// Where the last whole checkpoint is, for errors.
  std::string last_checkpoint() const;

 private:
  double share() const { return static_cast<double>(trainer_.steps_done()) / static_cast<double>(config_.train.steps); }
  std::string at_step() const { return concat("step ", trainer_.steps_done(), "/", config_.train.steps); }
  std::string facts(double loss, double images_per_second) const;
  Tensor draw_samples(const std::string& path);  ///< returns them

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
  std::optional<double> shown_loss_;  // smoothed for the eye
  Index saved_step_;                  // -1: nothing is saved
};

}  // namespace reverie::inline REVERIE_PRECISION
