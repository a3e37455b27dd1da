#pragma once
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/plot.h"

namespace reverie::inline REVERIE_PRECISION {

/// metrics.jsonl, the measurements of a run, one JSON object per line: `{"step":50,"loss":0.31,...}`.
class Metrics {
 public:
  /// Opens the file for appending, or creates it. Drops lines of steps after `last_step` (all lines for -1), which a
  /// run killed after its last checkpoint leaves, so that the file equals that of an uninterrupted run up to the
  /// values that depend on the clock.
  Metrics(const std::string& path, Index last_step);

  /// Appends a line and flushes it. Throws Error if that fails.
  void write(Index step, const std::vector<std::pair<std::string, double>>& values);
  /// The training time at the last line kept; "seconds" continues from there.
  double seconds_before() const { return seconds_before_; }
  /// Whether the last step kept has a value of this name.
  bool last_has(const std::string& name) const { return last_names_.contains(name); }

 private:
  std::string path_;
  std::ofstream file_;
  double seconds_before_ = 0;
  std::set<std::string> last_names_;
};

/// The values of metric `y` over metric `x` in a run's metrics, at the lines that have both, with the name `y`. Throws
/// UsageError, listing the metrics there are, if no line has both.
Plot::Series metrics_series(const std::string& path, const std::string& x, const std::string& y);

/// Plots the smoothed training loss and the validation loss over the training steps.
Plot loss_curve(const std::string& metrics_path);

}  // namespace reverie::inline REVERIE_PRECISION
