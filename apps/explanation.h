#pragma once
#include <string>

#include "autograd/profile.h"
#include "diffusion/training/trainer.h"
#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// Formats a number with three digits and an SI prefix: 802816 -> "803k", or "803 kB" with a unit.
std::string short_number(double value, const std::string& unit = "");

/// Lists the operations of a plan, one per line: position on the tape, bytes saved, FLOPs, shape, inputs, and layer,
/// under a heading for each block of layers. Sums by kind of operation follow, the largest first.
std::string plan_text(const TapePlan& plan, const ParameterStore& parameters);

/// Lists the time per kind of operation and shapes, the slowest first; then per kind alone.
std::string times_text(const TapePlan& plan, const TapeTimes& times);

/// Returns the time of the fastest of `runs` training steps, in seconds, after one that warms up.
double step_seconds(Trainer& trainer, int runs);

/// Formats the plan as a Graphviz graph; an operation's colour shows its share of the FLOPs.
std::string plan_graph(const TapePlan& plan, const ParameterStore& parameters);

}  // namespace reverie::inline REVERIE_PRECISION
