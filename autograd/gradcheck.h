#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace reverie::inline REVERIE_PRECISION {

/// The largest disagreement that a gradient check found: |analytic - numeric| / (1 + |numeric|), and where it was.
struct GradcheckResult {
  double error = 0;
  int input = -1;
  Index element = -1;
  double analytic = 0, numeric = 0;
};

/// Compares the gradient that the tape gives with central differences, for y = f(inputs) contracted with a random
/// covector u (never with ones, which hide what cancels in a sum): d(sum u y)/dx against (F(x+h) - F(x-h)) / 2h. In
/// double precision a right gradient is within 1e-7 for functions of size one.
GradcheckResult gradcheck(const std::function<Var(std::span<const Var>)>& f, std::span<const Tensor> inputs,
                          double h = 1e-5);

}  // namespace reverie::inline REVERIE_PRECISION
