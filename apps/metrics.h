#pragma once
#include <fstream>
#include <map>
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
  /// Whether the lines kept have a value of this name at this step, the last one.
  bool has(Index step, const std::string& name) const { return step == last_step_ && last_names_.contains(name); }

 private:
  std::string path_;
  std::ofstream file_;
  Index last_step_;
  double seconds_before_ = 0;
  std::set<std::string> last_names_;
};

/// The values of one name in a run's metrics, and their training steps.
struct MetricSeries {
  std::vector<double> step, value;  ///< of equal length; a value that isn't finite is NaN
};
/// What metrics.jsonl holds.
struct MetricsTable {
  std::map<std::string, MetricSeries> series;
  std::string problem;  ///< empty, or says that a part of the file was left out, and why

  /// The values of a name; empty if there are none.
  const MetricSeries& of(const std::string& name) const;
};
/// Reads metrics.jsonl up to the first line that is damaged. Throws Error if there is no such file.
MetricsTable read_metrics(const std::string& path);

/// Plots the smoothed training loss and the validation loss over the training steps.
Plot loss_curve(const std::string& metrics_path);

}  // namespace reverie::inline REVERIE_PRECISION
