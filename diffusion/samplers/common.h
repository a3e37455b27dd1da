#pragma once
#include "diffusion/samplers/sampler.h"

/// What samplers share.
namespace reverie::inline REVERIE_PRECISION {

// --- In the chain's form.

/// p(x_{t-1} | x_t) at step t of the chain for the whole batch: asks the model, and clamps x_0 as the options say.
PMeanVariance predict(const Sampling& sampling, const Tensor& x_t, Index t);

/// The x_0 and the noise in x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps, after clamping and guidance.
struct X0AndEps {
  Var x0, eps;
};
X0AndEps predict_x0_and_eps(const Sampling& sampling, const Tensor& x_t, Index t);

// --- In the sigma form.

/// The denoiser that samplers ask, whichever sort of model it comes from, after guidance and clamping. Holds a
/// reference to `sampling`.
Denoiser sampling_denoiser(const Sampling& sampling);

/// From sigma to `next`, had the denoiser's answer stayed what it is: (next/sigma) x + (1 - next/sigma) D. This is
/// Euler's step along `slope`, and the exact solution for constant D that exponential integrators build on
/// ([Lu22] eq. 8 with h = ln(sigma/next), next/sigma = e^-h).
Tensor step(const Tensor& x, const Tensor& denoised, double sigma, double next);

/// dx/dsigma = (x - D(x; sigma)) / sigma                                                             [Karras22] eq. 1
Var slope(const Tensor& x, const Tensor& denoised, double sigma);

/// Before step i of n, noise is put in: raises x from sigma to the level that is returned.  [Karras22] Alg. 2
double churn(Tensor& x, double sigma, Index i, std::span<const double> sigmas, const SamplerOptions& options,
             const NoiseSource& noise);

/// A step from sigma to `next` as a deterministic one to `down`, and noise `up` on it: down^2 + up^2 = next^2.
/// eta = 1 is the reverse SDE, [Song21] eq. 16 in the sigma form.
struct AncestralSplit {
  double down, up;
};
AncestralSplit ancestral_split(double sigma, double next, double eta);

/// x + scale * noise(i); asks for none where scale = 0.
Tensor add_noise(const Tensor& x, double scale, const NoiseSource& noise, Index i);

/// Coefficients, that of x^0 first, of the polynomial that is 1 at nodes[j] and 0 at the others.
std::vector<double> lagrange_basis(std::span<const double> nodes, std::size_t j);

}  // namespace reverie::inline REVERIE_PRECISION
