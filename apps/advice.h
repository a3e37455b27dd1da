#pragma once
#include <string>
#include <vector>

#include "apps/metrics.h"

namespace reverie::inline REVERIE_PRECISION {

/// A sentence about a run, for people who wonder whether to train on.
struct Advice {
  enum class Kind { go_on, stop, note } kind;
  std::string text;
};

/// Says whether more training steps are likely to help: compares the best validation loss of the last third of the run
/// with the best one before; and how near samples are to training images, compared with held-out images (the medians
/// `nearest_sample` and `nearest_held_out` of the metrics), at first and now. Says too if there is not enough to tell.
std::vector<Advice> when_to_stop(const MetricsTable& metrics);

}  // namespace reverie::inline REVERIE_PRECISION
