#include "benchmarks/reference/kinds.h"
#include "benchmarks/reference/setup.h"
#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Samplers of the chain: sampler/NAME is the line NAME of the library's table.
void run_chain_sampler(Case& c) {
  const Sampler& sampler = find_sampler(c.info().kind.substr(c.info().kind.find('/') + 1));
  const Process process = read_process(c);
  std::vector<Tensor> trajectory;
  const Tensor sample =
      sampler.sample({.process = process,
                      .model = read_wave(c),
                      .options = {.clip = c.flag("clip"), .eta = c.number("eta", 0)},
                      .noise = read_noise(c),
                      .observe = [&](Index, const Tensor& x, const Tensor&) { trajectory.push_back(x.clone()); }},
                     c.image("x_T"));
  c.output_image("sample", sample);
  c.output_image_steps("trajectory", trajectory);
}

}  // namespace

Kinds sampler_kinds() { return {{"sampler/ddpm", run_chain_sampler}, {"sampler/ddim", run_chain_sampler}}; }

}  // namespace reverie::inline REVERIE_PRECISION
