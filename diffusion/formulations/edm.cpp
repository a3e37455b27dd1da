#include "diffusion/formulations/edm.h"

#include <algorithm>
#include <cmath>

#include "diffusion/formulations/losses.h"
#include "diffusion/process/gaussian.h"

namespace reverie::inline REVERIE_PRECISION {

EdmPreconditioning edm_preconditioning(double sigma, double sigma_data) {
  const double total = sigma * sigma + sigma_data * sigma_data;
  return {.c_skip = sigma_data * sigma_data / total,
          .c_out = sigma * sigma_data / std::sqrt(total),
          .c_in = 1 / std::sqrt(total),
          .c_noise = std::log(sigma) / 4,
          .loss_weight = total / std::pow(sigma * sigma_data, 2)};
}

// [Karras22] eq. 7
Var edm_denoise(const NetworkFunction& network, const Var& x, std::span<const double> sigma, double sigma_data) {
  const auto coefficient = [&](double EdmPreconditioning::*c) {
    return per_sample(sigma, x.rank(), [&](double s) { return edm_preconditioning(s, sigma_data).*c; });
  };
  std::vector<double> times;
  for (const double s : sigma) times.push_back(network_time_scale * edm_preconditioning(s, sigma_data).c_noise);
  const Var F = network(coefficient(&EdmPreconditioning::c_in) * x, times);
  return coefficient(&EdmPreconditioning::c_skip) * x + coefficient(&EdmPreconditioning::c_out) * F;
}

EdmFormulation::EdmFormulation(Process process, const EdmOptions& options)
    : Formulation(std::move(process)), options_(options) {
  require_fixed_variance("edm", this->process());
  if (!(options.p_std > 0 && options.sigma_data > 0)) {
    throw UsageError("config: formulation edm: p_std is ", options.p_std, " and sigma_data ", options.sigma_data,
                     "; both must be positive");
  }
}

// E lambda(sigma) |D(x_0 + sigma n; sigma) - x_0|^2 with ln sigma ~ N(p_mean, p_std^2), computed in the units of F, so
// that Huber's threshold means the same at every sigma.
// [Karras22] eqs. 2, 8
Var EdmFormulation::losses(const NetworkFunction& network, const Var& x0, const Var& noise,
                           std::span<const double> u) const {
  const double sigma_data = options_.sigma_data;
  std::vector<double> sigma;
  for (const double share : u) sigma.push_back(std::exp(options_.p_mean + options_.p_std * normal_quantile(share)));
  const Var x = x0 + per_sample(sigma, x0.rank(), [](double s) { return s; }) * noise;
  const Var D = edm_denoise(network, x, sigma, sigma_data);
  const Var to_units_of_F =
      per_sample(sigma, x0.rank(), [=](double s) { return std::sqrt(edm_preconditioning(s, sigma_data).loss_weight); });
  return prediction_error(to_units_of_F * x0, to_units_of_F * D, options_.huber);
}

// Above edm_sigma_max the network is not trained, and x holds almost nothing of x_0: clamps sigma, scaling x to match.
Var EdmFormulation::denoise(const NetworkFunction& network, const Var& x, double sigma) const {
  const double trained = std::min(sigma, edm_sigma_max);
  const std::vector<double> sigmas(x.extent(0), trained);
  return edm_denoise(network, x * (trained / sigma), sigmas, options_.sigma_data);
}

}  // namespace reverie::inline REVERIE_PRECISION
