#pragma once
#include <optional>
#include <string>

#include "apps/metrics.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// The validation loss of a run that went well, with a ready configuration, to compare others with.
struct KnownCurve {
  std::string config;   ///< "configs/digits.toml"
  std::string differs;  ///< the keys in which the run's configuration differs from it; empty if none
  MetricSeries loss;
};
/// Finds the curve for a run's configuration: data, diffusion process and network must be those of a ready
/// configuration, so that losses can be compared, and at most three settings of the training may differ. nullopt if
/// there is none. configs/curves/ has the curves; scripts/curves remakes them.
std::optional<KnownCurve> known_curve(const Config& config);

}  // namespace reverie::inline REVERIE_PRECISION
