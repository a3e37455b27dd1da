#pragma once
#include <functional>
#include <span>
#include <string>

#include "diffusion/formulations/denoiser.h"
#include "diffusion/samplers/guidance.h"
#include "diffusion/tables/options.h"
#include "diffusion/process/process.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// What the caller may choose. Each sampler's line in the table says which of the numbers it heeds, and their values if
/// the caller says nothing; `sampler_options` makes these from names and values.
struct SamplerOptions {
  bool clip = true;  ///< clamp every predicted x_0 to [-1, 1]; for images, not for points
  double dynamic_threshold =
      0;               ///< share of each sample's |x_0| that must not saturate, see `dynamic_threshold`; 0: no
  double eta = 0;      ///< 0 is deterministic, 1 has the noise of the reverse SDE
  double s_churn = 0;  ///< noise put in before each step, over all steps; 0 for none ...
  double s_tmin = 0, s_tmax = 1e9;  ///< ... where sigma lies between these
  double s_noise = 1;               ///< factor on all noise put in
  Index order = 4;                  ///< of a multistep method
  std::string solver_type = {};     ///< which of the formulas on the sampler's line
};

/// N(0, 1) of x's shape for the sampler's i-th request for noise. A sampler numbers its requests by the steps in the
/// order taken, asked for or not, so that the noise of a step doesn't depend on others.
using NoiseSource = std::function<Tensor(Index i)>;

/// Told after each step: its number in the order taken, x after it (in the sampler's own form), and the x_0 that was
/// predicted in it.
using Observer = std::function<void(Index step, const Tensor& x, const Tensor& pred_x0)>;

/// All that a sampler works with. A model trained on a chain is `process` and `model`, one trained in the sigma form is
/// `denoise`; `chain_denoiser` and `chain_model` make the one of the other.
struct Sampling {
  const Process& process;  ///< on the chain to be walked; respace its schedule to take fewer steps
  Model model;
  SamplerOptions options = {};
  NoiseSource noise = nullptr;              ///< may be empty for deterministic samplers
  Observer observe = nullptr;               ///< may be empty
  Denoiser denoise = nullptr;               ///< in the sigma form; empty: made of process and model
  std::vector<double> sigmas = {};          ///< grid of the sigma form; empty: the chain's own, and 0
  ClassifierGradient classifier = nullptr;  ///< times its scale; may be empty
};

/// A sampler of the chain: from x_T (N(0, 1), any shape [N,...,C]) to a sample of x_0.
using ChainSampler = Tensor(const Sampling& sampling, Tensor x_T);

/// A sampler in the sigma form: from x at sigmas[0] along the descending sigmas, the last of which may be 0 (a step
/// into 0 ends at the denoiser's answer). Written as in `samplers/heun.cpp`.
using SigmaSampler = Tensor(const Denoiser& denoise, Tensor x, std::span<const double> sigmas,
                            const SamplerOptions& options, const NoiseSource& noise, const Observer& observe);

/// A line of the table of samplers: a function in one of the two forms, and what it heeds.
struct Sampler {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> parameters = {};  ///< of the numbers in SamplerOptions
  std::vector<const char*> solver_types = {};  ///< the first is taken if the caller says nothing
  ChainSampler* chain = nullptr;               ///< null in ...
  SigmaSampler* sigma = nullptr;               ///< ... the sigma form, and the other way round
  const char* sigmas = "karras";               ///< sigma form: the grid that suits it

  /// Runs either form on either sort of model, from x_T, N(0, 1), to a sample of x_0.
  Tensor sample(const Sampling& sampling, Tensor x_T) const;
};

std::span<const Sampler> samplers();
/// By name. Throws UsageError, listing what there is, for another.
const Sampler& find_sampler(const std::string& name);

/// The sampler's options with the given numbers, its own for the others. Throws UsageError for a number or a solver
/// type that the sampler hasn't got, and for one out of range.
SamplerOptions sampler_options(const Sampler& sampler, const OptionValues& given,
                               const std::string& solver_type = "");

/// Instead of a sigma grid's name: the chain's own sigmas, descending, and 0.
inline constexpr const char* chain_grid = "chain";
std::vector<double> chain_grid_sigmas(const NoiseSchedule& schedule);

/// x_T and the noise of samples first, first + 1, ...: each is a function of the seed and the sample's own number, so
/// that a sample is the same whatever batch it is drawn in.
Tensor starting_noise(std::uint64_t seed, const Shape& shape, Index first_sample);
NoiseSource seeded_noise(std::uint64_t seed, const Shape& shape, Index first_sample);

ChainSampler sample_ancestral, sample_ddim, sample_pndm;

/// DDIM backwards, the deterministic encoding: from x_0 to the x_T that sample_ddim with eta = 0 leads back from.
Tensor ddim_reverse(const Sampling& sampling, Tensor x0);

/// In the sigma form, each in the file of its name.
SigmaSampler sample_euler, sample_heun, sample_dpm2, sample_lms, sample_unipc, sample_euler_ancestral,
    sample_dpmpp_2s_ancestral, sample_dpmpp_sde, sample_dpmpp_2m, sample_dpmpp_2m_sde, sample_dpmpp_3m_sde,
    sample_flow_euler, sample_flow_heun;

}  // namespace reverie::inline REVERIE_PRECISION
