#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {

Denoiser Formulation::denoiser(NetworkFunction network) const {
  return [this, network = std::move(network)](const Var& x, double sigma) { return denoise(network, x, sigma); };
}

NetworkFunction Formulation::in_chain(NetworkFunction network) const {
  return chain_network(process_, denoiser(std::move(network)));
}

}  // namespace reverie::inline REVERIE_PRECISION
