#pragma once
#include <functional>
#include <vector>

#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// D(x; sigma): the expected data behind x = x_0 + sigma n with n ~ N(0, 1). x [N,...,C], sigma > 0; the result has x's
/// shape. This is the sigma form [Karras22] sec. 2; the chain's x_t is x / sqrt(1 + sigma^2), and the x_u of flow
/// matching is x / (1 + sigma). Recorded if x is on a tape.
using Denoiser = std::function<Var(const Var& x, double sigma)>;

/// The sigma of every time step of the chain, ascending: sqrt(1 / alphas_cumprod - 1). At a last step of pure noise,
/// where that is infinite, 1e5 stands in.
std::vector<double> chain_sigmas(const NoiseSchedule& schedule);

/// Time steps of the chain, as the network knows them, and their sigmas: linear in log sigma between the chain's steps,
/// constant beyond its ends.
class SigmaScale {
 public:
  explicit SigmaScale(const NoiseSchedule& schedule);
  double step(double sigma) const;
  double sigma(double original_step) const;

 private:
  std::vector<double> steps_, log_sigmas_;
};

/// D(x; sigma) from a network of the chain, whatever it predicts; not clipped. `scale`: of the whole chain, not of a
/// respaced one, because the network is evaluated between time steps.
Var chain_denoise(const Process& process, const SigmaScale& scale, const NetworkFunction& network, const Var& x,
                  double sigma);
/// chain_denoise with process and network bound.
Denoiser chain_denoiser(const Process& process, NetworkFunction network);

/// The inverse: a denoiser as a network of the chain, which predicts what `process` expects. All samples of a batch must
/// be at the same time step (Error). Throws UsageError for a learned variance, which a denoiser doesn't have.
NetworkFunction chain_network(const Process& process, Denoiser denoise);

/// Throws UsageError, naming the formulation, for a process that expects the network to learn the variance.
void require_fixed_variance(const char* formulation, const Process& process);

}  // namespace reverie::inline REVERIE_PRECISION
