#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {

std::span<const Formulation> formulations() {
  static const std::vector<Formulation> table = {chain_formulation(), continuous_formulation(), edm_formulation(),
                                                 flow_formulation()};
  return table;
}

const Formulation& find_formulation(const std::string& name) { return find_line("formulation", formulations(), name); }

NoiseSchedule schedule_of(const Config& config) {
  const Config::Diffusion& d = config.diffusion;
  const NoiseSchedule schedule = make_schedule(d.schedule, d.steps, d.schedule_parameters);
  return d.zero_terminal_snr ? with_zero_terminal_snr(schedule) : schedule;
}

OptionValues formulation_parameters(const Config& config) {
  const Formulation& formulation = find_formulation(config.diffusion.formulation);
  return complete("formulation " + config.diffusion.formulation, formulation.parameters,
                  config.diffusion.formulation_parameters);
}

Process chain_of_denoiser(const Config& config) {
  const VarianceType variance = variance_type(config.diffusion.variance);
  if (kind(variance).learned) {
    throw UsageError("config: `diffusion.variance` ", name(variance), " is learned on a chain; formulation ",
                     config.diffusion.formulation, " wants fixed_small or fixed_large");
  }
  return {schedule_of(config), MeanType::x0, variance};
}

void require_no_loss_weight(const Config& config) {
  if (config.diffusion.loss_weight == "none") return;
  throw UsageError("config: `diffusion.loss_weight` is for the formulations chain and continuous; ",
                   config.diffusion.formulation, " has a weighting of its own");
}

}  // namespace reverie::inline REVERIE_PRECISION
