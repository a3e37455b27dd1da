#include <algorithm>
#include <cmath>

#include "diffusion/formulations/loss_weights.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

Process process(const Config& config) {
  return {schedule_of(config), mean_type(config.diffusion.prediction), variance_type(config.diffusion.variance)};
}

void require_squared_error(const Loss& loss, bool wanted, const char* key) {
  if (wanted && !loss.squared_error) {
    throw UsageError("config: `", key, "` changes a squared error, and the loss ", loss.name, " has none");
  }
}

// x_t = q_sample(x_0, t, noise) at the step t that u falls in; then the table's losses.                [Ho20] Alg. 1
Objective objective(const Config& config, const Process& process) {
  const Config::Diffusion& d = config.diffusion;
  const Loss& loss = find_loss(d.loss);
  require_squared_error(loss, d.loss_weight != "none", "diffusion.loss_weight");
  require_squared_error(loss, d.huber > 0, "diffusion.huber");
  const std::vector<double> weights =
      make_loss_weights(d.loss_weight, process.schedule, process.mean_type, d.loss_weight_parameters);
  return [=, &loss, huber = d.huber, cdf = cdf_called(d.decoder_cdf)](const NetworkFunction& network, const Var& x0,
                                                                      const Var& noise, std::span<const double> u) {
    const Index T = process.schedule.steps();
    std::vector<Index> t;
    for (const double share : u) t.push_back(std::min(static_cast<Index>(share * static_cast<double>(T)), T - 1));
    const Var x_t = process.q_sample(x0, t, noise);
    const Var output = network(x_t, process.original_steps(t));
    return loss.terms({process, t, x0, x_t, noise, output}, {.cdf = cdf, .huber = huber, .weights = weights}).loss;
  };
}

SigmaRange sigma_range(const Config&, const Process& process) {
  const std::vector<double> sigmas = chain_sigmas(process.schedule);
  return {sigmas.front(), sigmas.back()};
}

}  // namespace

Formulation chain_formulation() {
  return {.name = "chain",
          .summary = "a chain of noising steps, with a schedule, a prediction and a variance [Ho20]",
          .parameters = {},
          .process = process,
          .objective = objective,
          .denoiser = [](const Config&, const Process& process, NetworkFunction network,
                         bool clip) { return chain_denoiser(process, std::move(network), clip); },
          .in_chain = [](const Config&, const Process&, Model model) { return model; },
          .sigma_range = sigma_range};
}

}  // namespace reverie::inline REVERIE_PRECISION
