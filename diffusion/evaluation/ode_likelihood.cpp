#include "diffusion/evaluation/ode_likelihood.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The state of the ODE: y = x / sqrt(1 + sigma^2), whose values stay of size 1 throughout, and the divergence so far,
// in nats per dimension and per sample.
struct State {
  Tensor y;
  std::vector<double> divergence;
};

// a + sum of c_i k_i
State combined(const State& a, std::span<const double> c, std::span<const State> k) {
  State result{a.y.clone(), a.divergence};
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (c[i] == 0) continue;
    result.y = (Var(result.y) + c[i] * Var(k[i].y)).value();
    for (std::size_t n = 0; n < a.divergence.size(); ++n) result.divergence[n] += c[i] * k[i].divergence[n];
  }
  return result;
}

// The probes for the trace of the Jacobian: random signs [Hutchinson90], or the unit vector of every coordinate.
std::vector<Tensor> make_probes(const Shape& shape, const OdeOptions& options) {
  std::vector<Tensor> probes;
  const Index width = shape.size() / shape[0];
  for (Index p = 0; p < (options.probes > 0 ? options.probes : width); ++p) {
    Tensor probe = Tensor::zeros(shape);
    if (options.probes == 0) {
      for (Index n = 0; n < shape[0]; ++n) probe[n * width + p] = 1;
    } else {
      const RandomKey key = RandomKey{.seed = options.seed, .stream = Stream::probe}.with_channel(p);
      probe = normal_rows(key, shape, options.first_sample);
      for (real& value : probe.values()) value = value < 0 ? real(-1) : real(1);
    }
    probes.push_back(probe);
  }
  return probes;
}

// The right-hand side in s = ln sigma: dy/ds = y / (1 + sigma^2) - D(x; sigma) / sqrt(1 + sigma^2), whose Jacobian in y
// is I / (1 + sigma^2) - dD/dx.
class Slope {
 public:
  Slope(const Denoiser& denoise, std::vector<Tensor> probes, bool exact)
      : denoise_(denoise), probes_(std::move(probes)), exact_(exact) {}

  State operator()(const State& state, double s) {
    const double sigma2 = std::exp(2 * s), scale = std::sqrt(1 + sigma2);
    const Index N = state.y.extent(0), width = state.y.size() / N;
    const Tensor x = (Var(state.y) * scale).value();
    std::vector<double> trace(static_cast<std::size_t>(N));
    Tensor D;
    for (const Tensor& probe : probes_) {
      Tape tape;
      tape.freeze_parameters();
      const Var on_tape = tape.variable(x), output = denoise_(on_tape, std::exp(s));
      ++evaluations;
      D = output.value();
      tape.backward(output, probe, {});  // probe^T dD/dx
      const Tensor row = tape.gradient(on_tape);
      for (Index i = 0; i < row.size(); ++i) {
        trace[i / width] += static_cast<double>(row[i]) * static_cast<double>(probe[i]);
      }
    }
    State slope{(Var(state.y) / (1 + sigma2) - Var(D) / scale).value(), std::move(trace)};
    const double shares = static_cast<double>(width) * (exact_ ? 1.0 : static_cast<double>(probes_.size()));
    for (double& t : slope.divergence) t = 1 / (1 + sigma2) - t / shares;
    return slope;
  }

  Index evaluations = 0;

 private:
  const Denoiser& denoise_;
  std::vector<Tensor> probes_;
  bool exact_;
};

// The Dormand-Prince pair: nodes, stages, and the difference of the fifth-order and fourth-order results. The last
// stage is the fifth-order result, whose slope is the first stage of the next integration step.
// [Hairer93] table II.5.2
constexpr std::array<double, 7> nodes = {0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1};
constexpr std::array<std::array<double, 6>, 7> stages = {{
    {},
    {1. / 5},
    {3. / 40, 9. / 40},
    {44. / 45, -56. / 15, 32. / 9},
    {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
    {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
    {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
}};
constexpr std::array<double, 7> error_weights = {71. / 57600,      0,          -71. / 16695, 71. / 1920,
                                                 -17253. / 339200, 22. / 525., -1. / 40};

// Root mean square over a sample's values, the maximum over samples (and their divergences), in units of the tolerance.
double error_size(const State& error, const State& at, double tolerance) {
  const Index N = error.y.extent(0), width = error.y.size() / N;
  double largest = 0;
  for (Index n = 0; n < N; ++n) {
    double squares = 0;
    for (Index i = n * width; i < (n + 1) * width; ++i) {
      squares += std::pow(static_cast<double>(error.y[i]) / (1 + std::abs(static_cast<double>(at.y[i]))), 2);
    }
    const double of_divergence = std::abs(error.divergence[n]);
    if (!std::isfinite(squares + of_divergence)) return INFINITY;  // std::max would pass over NaN
    largest = std::max({largest, std::sqrt(squares / static_cast<double>(width)), of_divergence});
  }
  return largest / tolerance;
}

}  // namespace

OdeLikelihood ode_log_likelihood(const Denoiser& denoise, const Tensor& x, const OdeOptions& options,
                                 const std::function<bool(double)>& progress) {
  if (!(options.sigma_min > 0 && options.sigma_min < options.sigma_max && options.tolerance > 0)) {
    throw UsageError("ode likelihood: from sigma ", options.sigma_min, " to ", options.sigma_max, " with tolerance ",
                     options.tolerance, "; expects 0 < sigma_min < sigma_max and a positive tolerance");
  }
  const Index N = x.extent(0), width = x.size() / N;
  const double begin = std::log(options.sigma_min), end = std::log(options.sigma_max);
  Slope slope(denoise, make_probes(x.shape(), options), options.probes == 0);
  const double start_scale = std::sqrt(1 + options.sigma_min * options.sigma_min);
  State state{(Var(x) / start_scale).value(), std::vector<double>(static_cast<std::size_t>(N))};

  std::array<State, 7> k;
  k[0] = slope(state, begin);
  double s = begin, h = (end - begin) / 50;
  while (s < end) {
    if (h < 1e-6 * (end - begin)) {
      throw Error("ode likelihood: steps became too small near sigma ", std::exp(s), "; a larger tolerance may help");
    }
    const bool last = s + h >= end;
    if (last) h = end - s;
    State next;
    for (std::size_t i = 1; i < 7; ++i) {
      std::array<double, 6> c = stages[i];
      for (double& value : c) value *= h;
      next = combined(state, std::span(c).first(i), k);
      k[i] = slope(next, s + nodes[i] * h);
    }
    std::array<double, 7> c = error_weights;
    for (double& value : c) value *= h;
    const State none{Tensor::zeros(x.shape()), std::vector<double>(static_cast<std::size_t>(N))};
    const double error = error_size(combined(none, c, k), next, options.tolerance);
    if (!std::isfinite(error))
      throw Error("ode likelihood: the denoiser's output near sigma ", std::exp(s), " is not finite");
    if (error <= 1) {
      s = last ? end : s + h;
      state = next;
      k[0] = k[6];
      if (progress && !progress((s - begin) / (end - begin))) throw Error("ode likelihood: interrupted");
    }
    h *= std::clamp(0.9 * std::pow(std::max(error, 1e-10), -0.2), 0.2, 5.0);  // [Hairer93] eq. II.4.13
  }

  // ln p(x) = ln N(y_end; 0, 1) + the divergence + the log of the volume change from dividing by sqrt(1 + sigma_min^2).
  OdeLikelihood result{.log_density = {}, .evaluations = slope.evaluations};
  for (Index n = 0; n < N; ++n) {
    const double d = static_cast<double>(width);
    double squares = 0;
    for (Index i = n * width; i < (n + 1) * width; ++i) squares += std::pow(static_cast<double>(state.y[i]), 2);
    result.log_density.push_back(-(squares + d * std::log(2 * std::numbers::pi)) / 2 + d * state.divergence[n] -
                                 d * std::log(start_scale));
  }
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
