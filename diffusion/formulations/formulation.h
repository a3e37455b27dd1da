#pragma once
#include <functional>
#include <memory>
#include <string>

#include "diffusion/model/config.h"
#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// The loss of each sample, [N], on x0's tape if it has one: x0 is noised with `noise` to the level that belongs to the
/// sample's u in (0, 1) (its share of the training distribution of noise levels, 0 the least noisy), the network asked,
/// its answer judged. x0, noise: [N,...,C].
using Objective =
    std::function<Var(const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u)>;

/// The noise levels at which a network was trained, as sigmas.
struct SigmaRange {
  double min, max;
};

/// A line of the table of formulations: how a network is made a diffusion model. Trainer, samplers and evaluation ask
/// it, and know no other difference between models.
struct Formulation {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> parameters;
  /// The chain on which samplers of the chain walk and the variational bound is counted; the chain's own training too.
  /// Throws UsageError for a configuration that can't be.
  Process (*process)(const Config& config);
  /// What to train on. Throws UsageError for a configuration that can't be.
  Objective (*objective)(const Config& config, const Process& process);
  /// The trained network (its answers as they are) in the sigma form; `clip` clamps predicted data to [-1, 1].
  DenoiserFunction (*denoiser)(const Config& config, const Process& process, NetworkFunction network, bool clip);
  /// The trained network as `process` expects it.
  Model (*in_chain)(const Config& config, const Process& process, Model model);
  SigmaRange (*sigma_range)(const Config& config, const Process& process);
};

std::span<const Formulation> formulations();
/// By name. Throws UsageError, listing what there is, for another.
const Formulation& find_formulation(const std::string& name);

// One a file.
Formulation chain_formulation();
Formulation continuous_formulation();
Formulation edm_formulation();
Formulation flow_formulation();

/// What formulations other than the chain share: they predict x_0, with a fixed variance, wherever a chain is wanted.
Process chain_of_denoiser(const Config& config);
/// Throws UsageError for a loss weight, in a formulation that has a weighting of its own.
void require_no_loss_weight(const Config& config);
/// The schedule that a configuration asks for.
NoiseSchedule schedule_of(const Config& config);
/// The formulation's parameters, given or from the table.
OptionValues formulation_parameters(const Config& config);

}  // namespace reverie::inline REVERIE_PRECISION
