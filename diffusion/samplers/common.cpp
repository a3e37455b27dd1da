#include "diffusion/samplers/common.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Adds the classifier's gradient to the score, -eps / sqrt(1 - alpha_bar), and returns the resulting x_0.
// [Dhariwal21] eq. 14, Alg. 2
Var pushed(const Sampling& sampling, const Var& x0, const Var& x_t, std::span<const double> t, double alpha_bar) {
  if (!sampling.classifier || alpha_bar == 0) return x0;
  return x0 + ((1 - alpha_bar) / std::sqrt(alpha_bar)) * sampling.classifier(x_t, t);
}

Var limited_x0(const Var& x0, const SamplerOptions& options) {
  if (options.dynamic_threshold > 0) return dynamic_threshold(x0.value(), options.dynamic_threshold);
  return options.clip ? clamp(x0, -1, 1) : x0;
}

}  // namespace

Sampling with_finite_checks(Sampling sampling, const char* sampler) {
  const auto step = std::make_shared<Index>(sampling.first + 1);
  const auto check = [=, first = sampling.first_sample](const Var& x, const auto&... what) {
    const Tensor& values = x.value();
    const auto bad = static_cast<Index>(first_not_finite(values));
    if (bad == values.size()) return x;
    throw Error("sampler ", sampler, ": in sampling step ", *step, " ", what..., " is ", values[bad], " for sample ",
                first + bad / (values.size() / values.extent(0)),
                "; every number has to be finite: are the sampler's or guidance's options too extreme, or did training "
                "diverge?");
  };
  if (sampling.network) {
    sampling.network = [=, network = std::move(sampling.network)](const Var& x_t, std::span<const double> t) {
      return check(network(x_t, t), "the network's output at t = ", t[0]);
    };
  }
  if (sampling.denoise) {
    sampling.denoise = [=, denoise = std::move(sampling.denoise)](const Var& x, double sigma) {
      return check(denoise(x, sigma), "the denoiser's output at sigma = ", sigma);
    };
  }
  sampling.observe = [=, observe = std::move(sampling.observe)](Index i, const Var& x, const Var& pred_x0) {
    check(x, "x");
    *step = i + 2;
    if (observe) observe(i, x, pred_x0);
  };
  return sampling;
}

std::vector<double> alpha_bars(const Sampler& sampler, const NoiseSchedule& schedule,
                               const std::vector<double>& sigmas) {
  std::vector<double> all;
  if (sampler.chain) {
    all.assign(schedule.alphas_cumprod.rbegin(), schedule.alphas_cumprod.rend());
    all.push_back(1);
  } else {
    for (const double sigma : sigmas.empty() ? chain_grid_sigmas(schedule) : sigmas)
      all.push_back(1 / (1 + sigma * sigma));
  }
  return all;
}

Index end_of(const Sampling& sampling) { return sampling.last > 0 ? sampling.last : sampling.process.schedule.steps(); }

PMeanVariance predict(const Sampling& sampling, const Var& x_t, Index t) {
  const std::vector<Index> all(x_t.extent(0), t);
  const Process& process = sampling.process;
  PMeanVariance p = process.p_mean_variance(x_t, all, sampling.network(x_t, process.original_steps(all)), false);
  p.pred_x0 = limited_x0(p.pred_x0, sampling.options);
  p.mean = process.posterior(p.pred_x0, x_t, all).mean;
  return p;
}

X0AndEps predict_x0_and_eps(const Sampling& sampling, const Var& x_t, Index t) {
  const std::vector<Index> all(x_t.extent(0), t);
  const Process& process = sampling.process;
  const std::vector<double> steps = process.original_steps(all);
  const NetworkOutput output = split_output(sampling.network(x_t, steps), x_t.shape(), process.variance_type);
  const double alpha_bar = process.schedule.alphas_cumprod[t];
  const Var x0 = limited_x0(pushed(sampling, process.pred_x0(x_t, all, output.prediction), x_t, steps, alpha_bar),
                            sampling.options);
  return {x0, process.eps_from_x0(x_t, all, x0)};
}

Denoiser sampling_denoiser(const Sampling& sampling) {
  const Denoiser denoise = sampling.denoise ? sampling.denoise : chain_denoiser(sampling.process, sampling.network);
  return [&sampling, denoise, scale = SigmaScale(sampling.process.schedule)](const Var& x, double sigma) {
    const double alpha_bar = 1 / (1 + sigma * sigma);
    Var x0 = denoise(x, sigma);
    if (sampling.classifier) {
      const std::vector<double> t(x.extent(0), scale.step(sigma));
      x0 = pushed(sampling, x0, std::sqrt(alpha_bar) * x, t, alpha_bar);
    }
    return limited_x0(x0, sampling.options);
  };
}

Var step(const Var& x, const Var& denoised, double sigma, double next) {
  return (next / sigma) * x + (1 - next / sigma) * denoised;
}

Var slope(const Var& x, const Var& denoised, double sigma) { return (x - denoised) / sigma; }

double churn(Var& x, double sigma, Index i, std::span<const double> sigmas, const SamplerOptions& options,
             const NoiseSource& noise) {
  if (sigma < options.s_tmin || sigma > options.s_tmax) return sigma;
  const double gamma = std::min(options.s_churn / static_cast<double>(sigmas.size() - 1), std::sqrt(2.0) - 1);
  const double raised = sigma * (1 + gamma);
  x = add_noise(x, options.s_noise * std::sqrt((raised - sigma) * (raised + sigma)), noise, i);
  return raised;
}

AncestralSplit ancestral_split(double sigma, double next, double eta) {
  const double full = next * std::sqrt((sigma - next) * (sigma + next)) / sigma;
  const double up = std::min(next, eta * full);  // a larger value would make `down` imaginary
  return {std::sqrt((next - up) * (next + up)), up};
}

Var add_noise(const Var& x, double scale, const NoiseSource& noise, Index i) {
  return scale == 0 ? x : x + scale * Var(noise(i));
}

std::vector<double> lagrange_basis(std::span<const double> nodes, std::size_t j) {
  std::vector<double> polynomial{1};
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    if (k == j) continue;
    const double width = nodes[j] - nodes[k];  // multiply by (x - nodes[k]) / width
    polynomial.push_back(0);
    for (std::size_t power = polynomial.size(); power-- > 0;) {
      polynomial[power] = ((power > 0 ? polynomial[power - 1] : 0) - nodes[k] * polynomial[power]) / width;
    }
  }
  return polynomial;
}

}  // namespace reverie::inline REVERIE_PRECISION
