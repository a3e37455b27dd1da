#pragma once
#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// The noise levels between which EDM samples. [Karras22] table 1
inline constexpr double edm_sigma_min = 0.002, edm_sigma_max = 80;

/// EDM's preconditioning: D(x; sigma) = c_skip x + c_out F(c_in x; c_noise), so that the raw network F sees inputs, and
/// has to give outputs, of unit variance at every sigma. `loss_weight` times the squared error of D is the squared
/// error of F. [Karras22] table 1, app. B.6
struct EdmPreconditioning {
  double c_skip, c_out, c_in, c_noise, loss_weight;
};

/// sigma > 0; sigma_data: the standard deviation of the data.
EdmPreconditioning edm_preconditioning(double sigma, double sigma_data);

/// D(x; sigma) from the raw network. x = x_0 + sigma n, [N,...,C]; a sigma a sample.
Var edm_denoise(const NetworkFunction& network, const Var& x, std::span<const double> sigma, double sigma_data);

}  // namespace reverie::inline REVERIE_PRECISION
