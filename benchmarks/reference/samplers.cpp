#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The kind sampler/NAME runs the sampler NAME of the library's table.
const Sampler& sampler_of(const Case& c) { return find_sampler(c.info().kind.substr(c.info().kind.find('/') + 1)); }

// The case's sampler options, whether the sampler uses them or not.
SamplerOptions read_options(const Case& c) {
  const Sampler& sampler = sampler_of(c);
  OptionValues values;
  for (const OptionInfo& parameter : sampler.options) {
    if (!c.has_param(parameter.name)) continue;
    const bool integer = std::string_view(parameter.name) == "order";
    values[parameter.name] = integer ? static_cast<double>(c.integer(parameter.name)) : c.number(parameter.name);
  }
  return sampler_options(sampler, values, c.has_param("solver_type") ? c.text("solver_type") : "");
}

void run(Case& c, const std::function<SigmaSampler>& sampler) {
  const Denoiser denoise = read_denoiser(c);
  c.output_image(
      "sample",
      sampler(denoise, c.image("x"), c.number_input("sigmas"), read_options(c), read_noise(c), nullptr).value());
}

void run_sigma_sampler(Case& c) { run(c, sampler_of(c).sigma); }

// A case states the noises that are added; the sampler of the table correlates those of a sampling step.
void run_dpmpp_sde(Case& c) { run(c, dpmpp_sde_with_noise); }

void run_ddim_reverse(Case& c) {
  const Process process = read_process(c);
  const Sampling sampling{.process = process, .network = read_wave(c), .options = {.clip = c.flag("clip")}};
  c.output_image("sample", ddim_reverse(sampling, c.image("x0")).value());
}

void run_guidance(Case& c) {
  c.output(
      "guided",
      classifier_free_guidance(c.input("cond"), c.input("uncond"), c.number("scale"), c.number("rescale", 0)).value());
}

void run_chain_sampler(Case& c) {
  const Sampler& sampler = sampler_of(c);
  const Process process = read_process(c);
  SamplerOptions options = read_options(c);
  options.clip = c.flag("clip");
  std::vector<Tensor> trajectory;
  const Tensor sample =
      sampler.sample({.process = process,
                      .network = read_wave(c),
                      .options = options,
                      .noise = read_noise(c),
                      .observe = [&](Index, const Var& x, const Var&) { trajectory.push_back(x.value().clone()); }},
                     c.image("x_T"));
  c.output_image("sample", sample);
  c.output_image_steps("trajectory", trajectory);
}

}  // namespace

Kinds sampler_kinds() {
  return {{"sampler/ddpm", run_chain_sampler},
          {"sampler/ddim", run_chain_sampler},
          {"sampler/ddim_reverse", run_ddim_reverse},
          {"sampler/euler", run_sigma_sampler},
          {"sampler/heun", run_sigma_sampler},
          {"sampler/dpm2", run_sigma_sampler},
          {"sampler/lms", run_sigma_sampler},
          {"sampler/euler_ancestral", run_sigma_sampler},
          {"sampler/dpmpp_2s_ancestral", run_sigma_sampler},
          {"sampler/dpmpp_sde", run_dpmpp_sde},
          {"sampler/dpmpp_2m", run_sigma_sampler},
          {"sampler/dpmpp_2m_sde", run_sigma_sampler},
          {"sampler/dpmpp_3m_sde", run_sigma_sampler},
          {"sampler/edm_stochastic", run_sigma_sampler},
          {"guidance", run_guidance}};
}

}  // namespace reverie::inline REVERIE_PRECISION
