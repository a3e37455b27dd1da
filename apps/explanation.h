#pragma once
#include <string>

#include "autograd/profile.h"
#include "nn/parameter.h"

namespace reverie::inline REVERIE_PRECISION {

/// 802816 -> "803k", with a unit "803 kB": three digits and k, M, G, T for thousands, millions, ...
std::string short_number(double value, const std::string& unit = "");

/// Every operation of a plan, a line each: its place on the tape, bytes kept, floating-point operations, shape, what it
/// was computed from, and the layer of `parameters` that it belongs to (its block stands above); then the sums by kind,
/// the largest first.
std::string plan_text(const TapePlan& plan, const ParameterStore& parameters);

/// Where the time goes: operations of the same kind and shapes together, the slowest first; then by kind.
std::string times_text(const TapePlan& plan, const TapeTimes& times);

/// The same plan as a graph for Graphviz: an operation's colour tells its share of the floating-point operations.
std::string plan_graph(const TapePlan& plan, const ParameterStore& parameters);

}  // namespace reverie::inline REVERIE_PRECISION
