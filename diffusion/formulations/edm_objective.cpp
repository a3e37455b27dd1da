#include "diffusion/formulations/edm.h"

#include <cmath>

#include "diffusion/process/gaussian.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// E lambda(sigma) |D(x_0 + sigma n; sigma) - x_0|^2 with ln sigma ~ N(p_mean, p_std^2): in F's units, where Huber's
// threshold means the same at every sigma.                                                       [Karras22] eqs. 2, 8
Objective objective(const Config& config, const Process&) {
  require_no_loss_weight(config);
  const OptionValues values = formulation_parameters(config);
  const double mean = values.at("p_mean"), std = values.at("p_std"), sigma_data = values.at("sigma_data");
  if (!(std > 0 && sigma_data > 0)) {
    throw UsageError("config: formulation edm: p_std is ", std, " and sigma_data ", sigma_data,
                     "; both must be positive");
  }
  return [=, huber = config.diffusion.huber](const NetworkFunction& network, const Var& x0, const Var& noise,
                                             std::span<const double> u) {
    std::vector<double> sigma;
    for (const double share : u) sigma.push_back(std::exp(mean + std * normal_quantile(share)));
    const Var x = x0 + per_sample(sigma, x0.rank(), [](double s) { return s; }) * noise;
    const Var D = edm_denoise(network, x, sigma, sigma_data);
    const Var to_units_of_F = per_sample(
        sigma, x0.rank(), [=](double s) { return std::sqrt(edm_preconditioning(s, sigma_data).loss_weight); });
    return prediction_error(to_units_of_F * x0, to_units_of_F * D, huber);
  };
}

DenoiserFunction denoiser(const Config& config, const Process&, NetworkFunction network, bool clip) {
  return edm_denoiser(formulation_parameters(config).at("sigma_data"), std::move(network), clip);
}

}  // namespace

Formulation edm_formulation() {
  return {.name = "edm",
          .summary = "a preconditioned denoiser at any noise level sigma [Karras22]",
          .parameters = {{"p_mean", -1.2, "mean of ln sigma in training"},
                         {"p_std", 1.2, "its standard deviation"},
                         {"sigma_data", 0.5, "standard deviation of the data"}},
          .process = chain_of_denoiser,
          .objective = objective,
          .denoiser = denoiser,
          .in_chain =
              [](const Config& config, const Process& process, Model model) {
                return chain_model(process, off_tape(denoiser(config, process, off_tape(std::move(model)), false)));
              },
          .sigma_range =
              [](const Config&, const Process&) {
                return SigmaRange{edm_sigma_min, edm_sigma_max};
              }};
}

}  // namespace reverie::inline REVERIE_PRECISION
