#include "diffusion/formulations/edm.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

EdmPreconditioning edm_preconditioning(double sigma, double sigma_data) {
  const double total = sigma * sigma + sigma_data * sigma_data;
  return {.c_skip = sigma_data * sigma_data / total,
          .c_out = sigma * sigma_data / std::sqrt(total),
          .c_in = 1 / std::sqrt(total),
          .c_noise = std::log(sigma) / 4,
          .loss_weight = total / std::pow(sigma * sigma_data, 2)};
}

Var edm_denoise(const NetworkFunction& network, const Var& x, std::span<const double> sigma, double sigma_data) {
  const auto coefficient = [&](double EdmPreconditioning::*c) {
    return per_sample(sigma, x.rank(), [&](double s) { return edm_preconditioning(s, sigma_data).*c; });
  };
  std::vector<double> times;
  for (const double s : sigma) times.push_back(network_time_scale * edm_preconditioning(s, sigma_data).c_noise);
  const Var F = network(coefficient(&EdmPreconditioning::c_in) * x, times);
  return coefficient(&EdmPreconditioning::c_skip) * x + coefficient(&EdmPreconditioning::c_out) * F;  // eq. 7
}

}  // namespace reverie::inline REVERIE_PRECISION
