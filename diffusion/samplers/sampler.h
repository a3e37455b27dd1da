#pragma once
#include <functional>
#include <span>
#include <string>

#include "diffusion/process.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// What the caller may choose. Each sampler's line in the table says which of these it heeds.
struct SamplerOptions {
  bool clip = true;  ///< clamp every predicted x_0 to [-1, 1]; for images, not for points
  double eta = 0;    ///< DDIM: 0 is deterministic, 1 has the noise of the ancestral sampler
};

/// N(0, 1) of x's shape for the sampler's i-th request for noise. In samplers of the chain i is the number of the step
/// in the order taken, asked for or not (the last step, t = 0, takes none).
using NoiseSource = std::function<Tensor(Index i)>;

/// Told after each step: its number in the order taken, x after it, and the x_0 that was predicted in it.
using Observer = std::function<void(Index step, const Tensor& x, const Tensor& pred_x0)>;

/// All that a sampler works with.
struct Sampling {
  const Process& process;  ///< on the chain to be walked; respace its schedule to take fewer steps
  Model model;
  SamplerOptions options;
  NoiseSource noise;
  Observer observe = nullptr;  ///< may be empty
};

/// From x_T (N(0, 1), any shape [N,...,C]) to a sample of x_0, both in the variance-preserving form. A sampler written
/// in the sigma form joins the table through an adapter of this same type: one place converts model, chain and x_T.
using SampleFunction = Tensor (*)(const Sampling& sampling, Tensor x_T);

/// A line of the table of samplers.
struct Sampler {
  const char* name;
  const char* summary;
  const char* options;  ///< the members of SamplerOptions that it heeds, with commas
  SampleFunction sample;
};

std::span<const Sampler> samplers();
/// By name. Throws UsageError, listing what there is, for another.
const Sampler& find_sampler(const std::string& name);

/// x_T and the noise of samples first, first + 1, ...: each is a function of the seed and the sample's own number, so
/// that a sample is the same whatever batch it is drawn in.
Tensor starting_noise(std::uint64_t seed, const Shape& shape, Index first_sample);
NoiseSource seeded_noise(std::uint64_t seed, const Shape& shape, Index first_sample);

/// p(x_{t-1} | x_t) at step t of the chain for the whole batch: asks the model. Every step down begins so.
PMeanVariance predict(const Sampling& sampling, const Tensor& x_t, Index t);

Tensor sample_ancestral(const Sampling& sampling, Tensor x_T);
Tensor sample_ddim(const Sampling& sampling, Tensor x_T);

}  // namespace reverie::inline REVERIE_PRECISION
