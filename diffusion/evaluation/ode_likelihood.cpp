#include "diffusion/evaluation/ode_likelihood.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The number of integration steps: doubled until every sample is accurate enough.
constexpr Index fewest_steps = 16, most_steps = 4096;

// The state of the ODE: y = x / sqrt(1 + sigma^2), whose values stay of size 1 throughout, and the divergence so far,
// in nats per dimension and per sample.
struct State {
  Tensor y;
  std::vector<double> divergence;
};

// a + h b
State moved(const State& a, double h, const State& b) {
  State result{(Var(a.y) + h * Var(b.y)).value(), a.divergence};
  for (std::size_t n = 0; n < a.divergence.size(); ++n) result.divergence[n] += h * b.divergence[n];
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

void require_finite(const Tensor& x, double sigma2, const char* what) {
  for (const real value : x.values()) {
    if (!std::isfinite(value)) {
      throw Error("ode likelihood: ", what, " at sigma ", std::sqrt(sigma2), " is ", value,
                  "; every number has to be finite");
    }
  }
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
      require_finite(D, sigma2, "the denoiser's output");
      tape.backward(output, probe, {});  // probe^T dD/dx
      const Tensor row = tape.gradient(on_tape);
      require_finite(row, sigma2, "the denoiser's gradient");
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

// A solution with some number of integration steps of equal length in s.
struct Solution {
  Tensor y;                                     // at the end
  std::vector<std::vector<double>> divergence;  // after each step, per sample
};

// The classical Runge-Kutta method, of fourth order. The steps are the same for every sample, so a sample's solution
// doesn't depend on the others in its batch.
// [Hairer93] table II.1.2
Solution solve(Slope& slope, State state, double begin, double end, Index steps, const std::function<void()>& stepped) {
  Solution solution;
  const double h = (end - begin) / static_cast<double>(steps);
  for (Index i = 0; i < steps; ++i) {
    const double s = begin + h * static_cast<double>(i);
    const State k1 = slope(state, s), k2 = slope(moved(state, h / 2, k1), s + h / 2),
                k3 = slope(moved(state, h / 2, k2), s + h / 2), k4 = slope(moved(state, h, k3), s + h);
    state = moved(moved(moved(moved(state, h / 6, k1), h / 3, k2), h / 3, k3), h / 6, k4);
    solution.divergence.push_back(state.divergence);
    stepped();
  }
  solution.y = state.y;
  return solution;
}

// ln N(y; 0, 1) + the divergence, of sample n and per dimension.
double log_density(const Solution& solution, Index n) {
  const Tensor y = solution.y.rows(n, n + 1);
  double squares = 0;
  for (const real value : y.values()) squares += std::pow(static_cast<double>(value), 2);
  return solution.divergence.back()[n] - (squares / static_cast<double>(y.size()) + std::log(2 * std::numbers::pi)) / 2;
}

// How far two solutions are apart, of sample n and per dimension: in the log density, or in the divergence anywhere on
// the way, whichever is larger (the first alone may agree by chance). `fine` has twice as many steps.
double difference(const Solution& fine, const Solution& coarse, Index n) {
  double largest = std::abs(log_density(fine, n) - log_density(coarse, n));
  for (std::size_t i = 0; i < coarse.divergence.size(); ++i) {
    largest = std::max(largest, std::abs(fine.divergence[2 * i + 1][n] - coarse.divergence[i][n]));
  }
  return largest;
}

}  // namespace

OdeLikelihood ode_log_likelihood(const Denoiser& denoise, const Tensor& x, const OdeOptions& options,
                                 const std::function<bool(double)>& progress) {
  if (!(options.sigma_min > 0 && options.sigma_min < options.sigma_max && std::isfinite(options.sigma_max) &&
        options.tolerance > 0)) {
    throw UsageError("ode likelihood: from sigma ", options.sigma_min, " to ", options.sigma_max, " with tolerance ",
                     options.tolerance, "; expects 0 < sigma_min < sigma_max and a positive tolerance");
  }
  const Index N = x.extent(0);
  const auto samples = static_cast<std::size_t>(N);
  const double begin = std::log(options.sigma_min), end = std::log(options.sigma_max);
  const double d = static_cast<double>(x.size() / N), start_scale = std::sqrt(1 + std::pow(options.sigma_min, 2));
  Slope slope(denoise, make_probes(x.shape(), options), options.probes == 0);
  const State start{(Var(x) / start_scale).value(), std::vector<double>(samples)};
  Index done = 0;
  const auto stepped = [&] {  // there are at least two solutions
    const double share = static_cast<double>(++done) / (3 * fewest_steps);
    if (progress && !progress(std::min(share, 1.0))) throw Error("ode likelihood: interrupted");
  };

  OdeLikelihood result{.log_density = std::vector<double>(samples), .numerical_error = std::vector<double>(samples)};
  std::vector<bool> accurate(samples);
  Solution coarse = solve(slope, start, begin, end, fewest_steps, stepped);
  for (Index steps = 2 * fewest_steps; std::find(accurate.begin(), accurate.end(), false) != accurate.end();
       steps *= 2) {
    const Solution fine = solve(slope, start, begin, end, steps, stepped);
    for (Index n = 0; n < N; ++n) {
      if (accurate[n]) continue;
      const double error = difference(fine, coarse, n);
      accurate[n] = error <= options.tolerance;
      if (!accurate[n] && steps == most_steps) {
        throw Error("ode likelihood: with ", steps, " integration steps the log density of sample ",
                    options.first_sample + n, " is still uncertain by ", error,
                    " nats per dimension; a tolerance above ", options.tolerance, " may help");
      }
      // The last term is the log of the volume change from dividing x by sqrt(1 + sigma_min^2).
      result.log_density[n] = d * (log_density(fine, n) - std::log(start_scale));
      result.numerical_error[n] = d * error;
    }
    coarse = fine;
  }
  result.evaluations = slope.evaluations;
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
