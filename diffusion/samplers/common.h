#pragma once
#include "diffusion/samplers/sampler.h"

/// Functions shared by samplers.
namespace reverie::inline REVERIE_PRECISION {

/// The same, but throws Error, naming the sampler and the sampling step, as soon as an output of the network or x is
/// NaN or infinite. (Clamping would turn an infinity into a 1 that nobody notices.) `observe` must be called.
Sampling with_finite_checks(Sampling sampling, const char* sampler);

// --- In the chain's form.

/// The end of the sampling steps to perform; sampling step i is at time step T - 1 - i.
Index end_of(const Sampling& sampling);

/// p(x_{t-1} | x_t) at time step t for the whole batch, from one network evaluation; x_0 is clamped according to the
/// options.
PMeanVariance predict(const Sampling& sampling, const Var& x_t, Index t);

/// The x_0 and the noise in x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps, after clamping and guidance.
struct X0AndEps {
  Var x0, eps;
};
X0AndEps predict_x0_and_eps(const Sampling& sampling, const Var& x_t, Index t);

// --- In the sigma form.

/// The denoiser that samplers in the sigma form evaluate, with guidance and clamping. Holds a reference to `sampling`.
Denoiser sampling_denoiser(const Sampling& sampling);

/// The Euler step from sigma to `next`, with the denoiser's output held constant: (next/sigma) x + (1 - next/sigma) D.
/// Exact for constant D; exponential integrators build on it, with h = ln(sigma/next) and next/sigma = e^-h.
/// [Lu22] eq. 8
Var step(const Var& x, const Var& denoised, double sigma, double next);

/// dx/dsigma = (x - D(x; sigma)) / sigma
/// [Karras22] eq. 1
Var slope(const Var& x, const Var& denoised, double sigma);

/// Adds noise before sampling step i of n: raises x from sigma to the returned noise level.
/// [Karras22] Alg. 2
double churn(Var& x, double sigma, Index i, std::span<const double> sigmas, const SamplerOptions& options,
             const NoiseSource& noise);

/// Splits a sampling step from sigma to `next` into a deterministic step to `down` and noise of standard deviation
/// `up`: down^2 + up^2 = next^2. eta = 1 is the reverse SDE, [Song21] eq. 16 in the sigma form.
struct AncestralSplit {
  double down, up;
};
AncestralSplit ancestral_split(double sigma, double next, double eta);

/// x + scale * noise(i); draws no noise if scale = 0.
Var add_noise(const Var& x, double scale, const NoiseSource& noise, Index i);

/// Coefficients, lowest order first, of the polynomial that is 1 at nodes[j] and 0 at the other nodes.
std::vector<double> lagrange_basis(std::span<const double> nodes, std::size_t j);

}  // namespace reverie::inline REVERIE_PRECISION
