#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "nn/layers.h"

namespace reverie::inline REVERIE_PRECISION {

/// Replaces every parameter's initial value by a random one, so that none is zero.
inline void stir(ParameterStore& store, double size = 0.5) {
  for (const Parameter& p : store.all()) {
    Tensor value = p.value;
    fill_uniform(RandomKey{.seed = 9, .stream = Stream::probe}.with_channel(p.slot), -size, size, value.values());
  }
}

/// The largest error |analytic - numeric| / (1 + |numeric|) of a layer's gradients with respect to its inputs and
/// parameters, contracted with a random covector. `stride`: checks only every stride-th element, for large layers.
inline double layer_gradient_error(ParameterStore& store, std::vector<Tensor> inputs,
                                   const std::function<Var(std::span<const Var>)>& layer, Index stride = 1,
                                   double h = 1e-5) {
  Tape tape;
  std::vector<Var> on_tape;
  for (const Tensor& input : inputs) on_tape.push_back(tape.variable(input));
  const Var y = layer(on_tape);
  const Tensor u = normal({.seed = 11, .stream = Stream::probe}, y.shape());
  TensorList gradients = store.zeros_like();
  tape.backward(y, u, gradients);
  for (const Var& x : on_tape) gradients.push_back(tape.gradient(x));

  TensorList points = store.values();
  points.insert(points.end(), inputs.begin(), inputs.end());
  const std::vector<Var> off_tape(inputs.begin(), inputs.end());
  const auto contracted = [&] {
    const Tensor value = layer(off_tape).value();
    double sum = 0;
    for (Index i = 0; i < value.size(); ++i) sum += double{value[i]} * u[i];
    return sum;
  };
  double worst = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (Index j = 0; j < points[i].size(); j += stride) {
      const real x = points[i][j];
      points[i][j] = x + real(h);
      const double above = contracted();
      points[i][j] = x - real(h);
      const double below = contracted();
      points[i][j] = x;
      const double numeric = (above - below) / (2 * h);
      const double error = std::abs(gradients[i][j] - numeric) / (1 + std::abs(numeric));
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

}  // namespace reverie::inline REVERIE_PRECISION
