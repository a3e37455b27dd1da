// Options of sampling by name: those that a sampler uses, and their checks.
#include "diffusion/model/sampling.h"
#include "diffusion/samplers/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {

std::string grid_name(const Sampler& sampler, const SampleOptions& options) {
  return sampler.chain ? "" : options.sigmas.empty() ? sampler.sigmas : options.sigmas;
}

void choose_sampler(SampleOptions& options, const std::string& name) {
  find_sampler(name);
  if (name == options.sampler) return;
  options.sampler = name;
  options.sampler_parameters.clear();
  options.solver_type.clear();
  options = without_unused(std::move(options));
}

SampleOptions without_unused(SampleOptions options) {
  const Sampler& sampler = find_sampler(options.sampler);
  if (sampler.chain) options.sigmas.clear();
  const std::string grid = grid_name(sampler, options);
  if (grid.empty() || grid == chain_grid) options.sigma_parameters.clear();
  return options;
}

void check_options(const Sampler& sampler, const SampleOptions& options) {
  sampler_options(sampler, options.sampler_parameters, options.solver_type);
  const std::string grid = grid_name(sampler, options);
  const bool parameters = !options.sigma_parameters.empty();
  if (grid.empty() && (parameters || !options.sigmas.empty())) {
    throw UsageError("sampler ", sampler.name, ": takes its steps from the chain and doesn't use ",
                     options.sigmas.empty() ? options.sigma_parameters.begin()->first : "sigmas", "; its options are ",
                     sampler.options.empty() ? "none" : names_in(std::span<const OptionInfo>(sampler.options)));
  }
  if (grid == chain_grid && parameters) {
    throw UsageError("sigma grid chain: has no options; ", options.sigma_parameters.begin()->first,
                     " was given, for one of ", names_in(sigma_grids()));
  }
  if (!grid.empty() && grid != chain_grid) {
    complete("sigma grid " + grid, find_line("sigma grid", sigma_grids(), grid).options, options.sigma_parameters);
  }
  constexpr Index most = 1'000'000;
  if (options.steps < 0 || options.steps > most) {
    throw UsageError("sampling: ", options.steps, " steps (--steps, sample.steps); expects 1 to ", most,
                     ", or 0 for all");
  }
  if (!(options.guidance_rescale >= 0 && options.guidance_rescale <= 1)) {
    throw UsageError("sampling: guidance rescale is ", options.guidance_rescale, "; it must be from 0 to 1");
  }
  if (!(options.dynamic_threshold >= 0 && options.dynamic_threshold <= 1)) {
    throw UsageError("sampling: dynamic threshold is ", options.dynamic_threshold, "; it must be from 0 to 1");
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
