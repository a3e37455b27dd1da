#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace reverie::inline REVERIE_PRECISION {

/// The largest error |analytic - numeric| / (1 + |numeric|) of a gradient check, and the element where it occurred.
struct GradcheckResult {
  double error = 0;
  int input = -1;
  Index element = -1;
  double analytic = 0, numeric = 0;
};

/// Compares the tape's gradient of F(x) = sum(u f(x)) with central differences (F(x+h) - F(x-h)) / 2h. The covector u
/// is random: with ones, errors could cancel in the sum. In double, a correct gradient of a function of order one is
/// within 1e-7.
GradcheckResult gradcheck(const std::function<Var(std::span<const Var>)>& f, std::span<const Tensor> inputs,
                          double h = 1e-5);

}  // namespace reverie::inline REVERIE_PRECISION
