#include "diffusion/table.h"

#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Sampler table[] = {
    {"ddpm", "ancestral: a draw from each p(x_{t-1} | x_t) in turn [Ho20]", "clip", sample_ancestral},
    {"ddim", "implicit: deterministic with eta = 0, good with few steps [Song21]", "clip,eta", sample_ddim},
};

}  // namespace

std::span<const Sampler> samplers() { return table; }
const Sampler& find_sampler(const std::string& name) { return find_line("sampler", samplers(), name); }

Tensor starting_noise(std::uint64_t seed, const Shape& shape, Index first_sample) {
  return normal_rows({seed, Stream::sample_start}, shape, first_sample);
}

NoiseSource seeded_noise(std::uint64_t seed, const Shape& shape, Index first_sample) {
  return [=](Index i) {
    return normal_rows({seed, Stream::sample_noise, static_cast<std::uint64_t>(i)}, shape, first_sample);
  };
}

PMeanVariance predict(const Sampling& sampling, const Tensor& x_t, Index t) {
  const std::vector<Index> all(static_cast<std::size_t>(x_t.extent(0)), t);
  return sampling.process.p_mean_variance(x_t, all, sampling.model(x_t, sampling.process.original_steps(all)),
                                          sampling.options.clip);
}

}  // namespace reverie::inline REVERIE_PRECISION
