#include "diffusion/process/process.h"

#include <cmath>

#include "diffusion/process/gaussian.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Broadcasts `value` to the shape of x.
Var spread(const Var& value, const Var& x) {
  return value.shape() == x.shape() ? value : value + Var(Tensor::zeros(x.shape()));
}

}  // namespace

Process::Process(NoiseSchedule schedule_, MeanType mean_type_, VarianceType variance_type_)
    : schedule(std::move(schedule_)), mean_type(mean_type_), variance_type(variance_type_) {
  if (schedule.alphas_cumprod.back() == 0 && mean_type == MeanType::eps) {
    throw UsageError(
        "process: at the end of this schedule x_t is pure noise, from which eps says nothing about x_0; predict v or "
        "x0 "
        "[Lin23]");
  }
}

Var Process::q_sample(const Var& x0, Timesteps t, const Var& noise) const {
  check("q_sample", x0, t);
  require_shape("q_sample", "the noise", noise.shape(), x0.shape());
  // sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise
  // [Ho20] eq. 4
  const auto& alpha_bar = schedule.alphas_cumprod;
  return per_sample(t, x0.rank(), [&](std::size_t k) { return std::sqrt(alpha_bar[k]); }) * x0 +
         per_sample(t, x0.rank(), [&](std::size_t k) { return std::sqrt(1 - alpha_bar[k]); }) * noise;
}

// q(x_t | x_0) = N(sqrt(alpha_bar) x_0, (1 - alpha_bar) I).
// [Ho20] eq. 4
Gaussian Process::q_mean_variance(const Var& x0, Timesteps t) const {
  check("q_mean_variance", x0, t);
  const auto& alpha_bar = schedule.alphas_cumprod;
  const int rank = x0.rank();
  return {per_sample(t, rank, [&](std::size_t k) { return std::sqrt(alpha_bar[k]); }) * x0,
          spread(per_sample(t, rank, [&](std::size_t k) { return 1 - alpha_bar[k]; }), x0),
          spread(per_sample(t, rank, [&](std::size_t k) { return std::log(1 - alpha_bar[k]); }), x0)};
}

// [Ho20] eq. 7
Var Process::x0_to_posterior_mean(const Var& x0, const Var& x_t, Timesteps t) const {
  return extract(schedule.posterior_mean_coef1, t, x_t.rank()) * x0 +
         extract(schedule.posterior_mean_coef2, t, x_t.rank()) * x_t;
}

Gaussian Process::posterior(const Var& x0, const Var& x_t, Timesteps t) const {
  check("posterior", x_t, t);
  require_shape("posterior", "x_0", x0.shape(), x_t.shape());
  const int rank = x_t.rank();
  return {x0_to_posterior_mean(x0, x_t, t), spread(extract(schedule.posterior_variance, t, rank), x_t),
          spread(extract(schedule.posterior_log_variance_clipped, t, rank), x_t)};
}

PMeanVariance Process::p_mean_variance(const Var& x_t, Timesteps t, const NetworkOutput& output, bool clip) const {
  check("p_mean_variance", x_t, t);
  const VarianceTerms terms = kind(variance_type).terms(schedule, t, x_t.rank(), output.variance);
  Var x0 = pred_x0(x_t, t, output.prediction);
  if (clip) x0 = clamp(x0, -1, 1);
  return {x0_to_posterior_mean(x0, x_t, t), spread(terms.variance, x_t), spread(terms.log_variance, x_t), x0};
}

PMeanVariance Process::p_mean_variance(const Var& x_t, Timesteps t, const Var& model_output, bool clip) const {
  return p_mean_variance(x_t, t, split_output(model_output, x_t.shape(), variance_type), clip);
}

Var Process::target(const Var& x0, Timesteps t, const Var& noise) const {
  check("target", x0, t);
  const auto factors = [&](std::size_t k) { return kind(mean_type).target(schedule.alphas_cumprod[k]); };
  return per_sample(t, x0.rank(), [&](std::size_t k) { return factors(k).first; }) * x0 +
         per_sample(t, x0.rank(), [&](std::size_t k) { return factors(k).second; }) * noise;
}

Var Process::pred_x0(const Var& x_t, Timesteps t, const Var& prediction) const {
  check("pred_x0", x_t, t);
  const auto factors = [&](std::size_t k) { return kind(mean_type).x0(schedule.alphas_cumprod[k]); };
  return per_sample(t, x_t.rank(), [&](std::size_t k) { return factors(k).first; }) * x_t +
         per_sample(t, x_t.rank(), [&](std::size_t k) { return factors(k).second; }) * prediction;
}

Var Process::eps_from_x0(const Var& x_t, Timesteps t, const Var& x0) const {
  check("eps_from_x0", x_t, t);
  const auto& alpha_bar = schedule.alphas_cumprod;
  return (x_t - per_sample(t, x_t.rank(), [&](std::size_t k) { return std::sqrt(alpha_bar[k]); }) * x0) *
         per_sample(t, x_t.rank(), [&](std::size_t k) { return 1 / std::sqrt(1 - alpha_bar[k]); });
}

Var Process::prior_kl(const Var& x0) const {
  const std::vector<Index> last(static_cast<std::size_t>(x0.extent(0)), schedule.steps() - 1);
  const Gaussian q = q_mean_variance(x0, last);
  return bits_per_dim(normal_kl(q.mean, q.log_variance, Tensor::scalar(0), Tensor::scalar(0)));
}

std::vector<double> Process::original_steps(Timesteps t) const {
  std::vector<double> original;
  for (const Index step : t) original.push_back(static_cast<double>(schedule.original_steps[step]));
  return original;
}

void Process::check(const char* function, const Var& x, Timesteps t) const {
  if (x.rank() < 2 || x.extent(0) != static_cast<Index>(t.size())) {
    throw ShapeError(function, ": x is ", x.shape(), " and there are ", t.size(),
                     " steps; expects x [N,...,C] and N steps");
  }
  for (const Index step : t) {
    if (step < 0 || step >= schedule.steps()) {
      throw Error(function, ": step ", step, " is outside the chain 0 .. ", schedule.steps() - 1);
    }
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
