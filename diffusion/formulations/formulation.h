#pragma once
#include <span>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// Noise levels as sigmas: x = x_0 + sigma n.
struct SigmaRange {
  double min, max;
};

/// Defines how a network is trained at a noise level, and how its output denoises. Trainer, samplers and evaluation use
/// models only through this interface. To add your own formulation, derive from it and override three functions.
class Formulation {
 public:
  /// `process`: the chain that chain samplers (ddpm, ddim) follow and that the variational bound is computed on.
  explicit Formulation(Process process) : process_(std::move(process)) {}
  virtual ~Formulation() = default;
  const Process& process() const { return process_; }

  /// The loss per sample, [N]: adds `noise` to x_0 at the noise level given by u in (0, 1), the quantile in the
  /// training distribution of noise levels (0 the least noisy), and evaluates the network there. x0, noise: [N,...,C].
  virtual Var losses(const NetworkFunction& network, const Var& x0, const Var& noise,
                     std::span<const double> u) const = 0;
  /// D(x; sigma), the expected x_0, from the network's output; not clipped. x = x_0 + sigma n, [N,...,C].
  virtual Var denoise(const NetworkFunction& network, const Var& x, double sigma) const = 0;
  /// The noise levels that the network is trained on.
  virtual SigmaRange sigma_range() const = 0;
  /// Converts the network to one that predicts what `process()` expects; by default through denoise().
  virtual NetworkFunction in_chain(NetworkFunction network) const;

  /// denoise() with the network bound. The formulation must outlive the result.
  Denoiser denoiser(NetworkFunction network) const;

 private:
  Process process_;
};

}  // namespace reverie::inline REVERIE_PRECISION
