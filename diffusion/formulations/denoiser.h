#pragma once
#include <functional>
#include <vector>

#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// D(x; sigma) = E[x_0 | x], where x = x_0 + sigma n with n ~ N(0, 1). x: [N,...,C], sigma > 0; the result has x's
/// shape. This is the sigma form, [Karras22] sec. 2; the chain's x_t is x / sqrt(1 + sigma^2), and the x_u of flow
/// matching is x / (1 + sigma). Recorded if x is on a tape.
using Denoiser = std::function<Var(const Var& x, double sigma)>;

/// The sigma of every time step, ascending: sqrt(1 / alphas_cumprod - 1). If the chain ends in pure noise, the last one
/// is 1e5 instead of infinity.
std::vector<double> chain_sigmas(const NoiseSchedule& schedule);

/// Converts between original time steps and sigmas: interpolates linearly in log sigma between time steps, constant
/// beyond the ends.
class SigmaScale {
 public:
  explicit SigmaScale(const NoiseSchedule& schedule);
  double step(double sigma) const;
  double sigma(double original_step) const;

 private:
  std::vector<double> steps_, log_sigmas_;
};

/// D(x; sigma) from a network that predicts eps, x_0 or v on a chain; not clipped. `scale` belongs to the whole chain,
/// not to a respaced one, because the network is evaluated between time steps.
Var chain_denoise(const Process& process, const SigmaScale& scale, const NetworkFunction& network, const Var& x,
                  double sigma);
/// chain_denoise with process and network bound.
Denoiser chain_denoiser(const Process& process, NetworkFunction network);

/// The inverse: wraps a denoiser as a network that predicts what `process` expects. All samples of a batch must be at
/// the same time step (Error). Throws UsageError for a learned variance, which a denoiser lacks.
NetworkFunction chain_network(const Process& process, Denoiser denoise);

/// Throws UsageError, naming the formulation, for a process that expects the network to learn the variance.
void require_fixed_variance(const char* formulation, const Process& process);

}  // namespace reverie::inline REVERIE_PRECISION
