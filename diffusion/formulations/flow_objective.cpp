#include "diffusion/formulations/flow.h"

#include "diffusion/formulations/losses.h"
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// E |v(x_u, u) - (n - x_0)|^2                                                                          [Liu23] eq. 1
Objective objective(const Config& config, const Process&) {
  require_no_loss_weight(config);
  const FlowTimes& times = find_line("flow times", flow_times(), config.diffusion.flow_times);
  const OptionValues values = formulation_parameters(config);
  const double mean = values.at("logit_mean"), std = values.at("logit_std");
  if (!(std > 0)) throw UsageError("config: formulation flow: logit_std is ", std, "; it must be positive");
  return [=, &times, huber = config.diffusion.huber](const NetworkFunction& network, const Var& x0, const Var& noise,
                                                     std::span<const double> shares) {
    std::vector<double> u;
    for (const double share : shares) u.push_back(times.quantile(share, mean, std));
    const FlowPoint point = flow_interpolate(x0, noise, u);
    return prediction_error(point.target, flow_velocity(network, point.x_u, u), huber);
  };
}

DenoiserFunction denoiser(const Config&, const Process&, NetworkFunction network, bool clip) {
  return flow_denoiser(std::move(network), clip);
}

}  // namespace

Formulation flow_formulation() {
  return {.name = "flow",
          .summary = "straight lines between data and noise, whose velocity is learned [Lipman23], [Liu23]",
          .parameters = {{"logit_mean", 0, "logit_normal times: mean of ln(u / (1 - u))"},
                         {"logit_std", 1, "its standard deviation"}},
          .process = chain_of_denoiser,
          .objective = objective,
          .denoiser = denoiser,
          .in_chain =
              [](const Config& config, const Process& process, Model model) {
                return chain_model(process, off_tape(denoiser(config, process, off_tape(std::move(model)), false)));
              },
          .sigma_range =
              [](const Config&, const Process&) {
                return SigmaRange{0.002, 1000};  // u from 0.002 to 0.999
              }};
}

}  // namespace reverie::inline REVERIE_PRECISION
