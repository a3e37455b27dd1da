#pragma once
#include "diffusion/formulations/formulation.h"
#include "diffusion/formulations/losses.h"

namespace reverie::inline REVERIE_PRECISION {

struct ChainOptions {
  Loss loss = find_loss("mse");
  Cdf cdf = Cdf::tanh;               ///< normal CDF in the bound's decoder term
  double huber = 0;                  ///< see `prediction_error`
  std::vector<double> weights = {};  ///< of the squared error at each time step, from `make_loss_weights`; empty for 1
};

/// Denoising diffusion probabilistic model (DDPM): a chain of T noising steps; the network is trained at a random time
/// step t.
/// [Ho20]
class ChainFormulation : public Formulation {
 public:
  /// Throws UsageError for weights or huber if the loss has no squared error.
  explicit ChainFormulation(Process process, ChainOptions options = {});

  Var losses(const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u) const override;
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override;
  SigmaRange sigma_range() const override;
  NetworkFunction in_chain(NetworkFunction network) const override { return network; }

 private:
  ChainOptions options_;
  SigmaScale scale_;
};

}  // namespace reverie::inline REVERIE_PRECISION
