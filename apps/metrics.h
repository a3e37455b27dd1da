#pragma once
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "data/plot.h"

namespace reverie::inline REVERIE_PRECISION {

/// metrics.jsonl, what a run has measured: a line of JSON each time, `{"step":50,"loss":0.31,...}`.
class Metrics {
 public:
  /// Goes on with the file, or starts it. Lines of steps after `last_step` (of a run that was killed after its last
  /// checkpoint; -1 for all lines) are dropped, so that the file becomes that of a run that never stopped.
  Metrics(const std::string& path, Index last_step);

  /// Adds a line, and flushes it. Throws Error if that fails.
  void write(Index step, const std::vector<std::pair<std::string, double>>& values);
  /// How long the run had worked at the last line that was kept: "seconds" goes on from there.
  double seconds_before() const { return seconds_before_; }

 private:
  std::string path_;
  std::ofstream file_;
  double seconds_before_ = 0;
};

/// The training loss, smoothed, and the validation loss over the steps.
Plot loss_curve(const std::string& metrics_path);

}  // namespace reverie::inline REVERIE_PRECISION
