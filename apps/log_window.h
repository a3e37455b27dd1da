#pragma once
#include <map>
#include <string>

#include "diffusion/training/trainer.h"

namespace reverie::inline REVERIE_PRECISION {

/// What the next line of metrics is computed from: the training steps since the last one. A checkpoint holds it, so
/// that the metrics of a resumed run equal those of an uninterrupted one.
struct LogWindow {
  Index steps = 0;
  double loss = 0;                              ///< the sum over the steps
  QuartileLosses quartiles;                     ///< of the samples of all steps
  double gradient_norm = 0, learning_rate = 0;  ///< of the last step

  void add(const StepReport& report);
  /// All numbers by name, for Checkpoint::log; empty if there are no steps.
  std::map<std::string, double> values() const;
  /// The inverse of values(); missing names are 0.
  static LogWindow from(const std::map<std::string, double>& values);
};

}  // namespace reverie::inline REVERIE_PRECISION
