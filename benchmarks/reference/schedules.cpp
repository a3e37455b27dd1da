#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/samplers/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_schedule(Case& c) {
  const NoiseSchedule s = read_schedule(c);
  c.output("betas", s.betas);
  c.output("alphas_cumprod", s.alphas_cumprod);
  c.output("alphas_cumprod_prev", s.alphas_cumprod_prev);
  c.output("sqrt_recipm1_alphas_cumprod", s.sqrt_recipm1_alphas_cumprod);
  c.output("posterior_variance", s.posterior_variance);
  c.output("posterior_log_variance_clipped", s.posterior_log_variance_clipped);
  c.output("posterior_mean_coef1", s.posterior_mean_coef1);
  c.output("posterior_mean_coef2", s.posterior_mean_coef2);
  c.output("snr", s.snr);
}

void run_respace(Case& c) {
  const NoiseSchedule s = read_schedule(c);
  c.output("timesteps", std::vector<double>(s.original_steps.begin(), s.original_steps.end()));
  c.output("betas", s.betas);
}

void run_sigmas(Case& c) {
  const SigmaGrid& grid = find_line("sigma grid", sigma_grids(), c.text("name"));
  c.output("sigmas", make_sigmas(grid.name, c.integer("n"), read_parameters(c, grid.options)));
}

}  // namespace

Kinds schedule_kinds() { return {{"schedule", run_schedule}, {"respace", run_respace}, {"sigmas", run_sigmas}}; }

}  // namespace reverie::inline REVERIE_PRECISION
