#pragma once
#include <string>

#include "diffusion/evaluation/comparison.h"
#include "diffusion/evaluation/evaluation.h"

namespace reverie::inline REVERIE_PRECISION {

/// Formats the results of an evaluation in lines of at most 80 columns.
std::string report(const BoundEvaluation& bound);
std::string report(const LikelihoodEvaluation& likelihood, const Shape& sample);
std::string report(const Comparison& comparison, const Judge& judge);

}  // namespace reverie::inline REVERIE_PRECISION
