#include "benchmarks/reference/comparison.h"

#include <cmath>
#include <limits>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// Returns the larger of two numbers; a NaN counts as larger than anything.
double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }

}  // namespace

void Comparison::add(const std::string& output, const Shape& got_shape, std::span<const double> got,
                     const Shape& want_shape, std::span<const double> want) {
  seen_.insert(output);
  const bool both_single = got_shape.size() == 1 && want_shape.size() == 1;
  if (got_shape != want_shape && !both_single) {
    return fail(concat("output `", output, "` is ", got_shape, ", expected ", want_shape));
  }
  std::size_t failed = 0, worst_element = 0;
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (got[i] == want[i]) continue;  // infinities too
    const double error = std::abs(got[i] - want[i]), allowed = atol_ + rtol_ * std::abs(want[i]);
    const bool holds = std::isfinite(want[i]) && error <= allowed;
    const double excess = std::isfinite(error) ? error / allowed : std::numeric_limits<double>::infinity();
    abs_ = larger(error, abs_);
    if (!(std::abs(want[i]) <= atol_)) rel_ = larger(error / std::abs(want[i]), rel_);
    if (holds) continue;
    if (failed++ == 0 || excess > worst) {
      worst = excess;
      worst_element = i;
    }
  }
  if (failed == 0 || (!worst_output_.empty() && worst <= worst_)) return;
  worst_ = worst;
  worst_output_ = concat("output `", output, "`: element ", worst_element, " is ", got[worst_element], ", expected ",
                         want[worst_element], " (", failed, " of ", want.size(), " out of tolerance)");
}

void Comparison::require(const std::string& output) {
  if (!seen_.contains(output)) fail(concat("output `", output, "` was not computed"));
}

void Comparison::fail(const std::string& why) {
  if (failure_.empty()) failure_ = why;
}

CaseResult Comparison::result() const {
  const std::string& why = failure_.empty() ? worst_output_ : failure_;
  return {.verdict = why.empty() ? Verdict::pass : Verdict::fail, .abs = abs_, .rel = rel_, .why = why};
}

}  // namespace reverie::inline REVERIE_PRECISION
