#pragma once
#include <functional>
#include <span>
#include <string>

#include "diffusion/formulations/denoiser.h"
#include "diffusion/process/noise.h"
#include "diffusion/process/process.h"
#include "diffusion/samplers/guidance.h"
#include "diffusion/tables/options.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// Options of samplers. Each sampler's row in the table lists those it uses, with their defaults; `sampler_options`
/// builds these from names and values.
struct SamplerOptions {
  bool clip = true;                 ///< clamp every predicted x_0 to [-1, 1]; for images, not for points
  double dynamic_threshold = 0;     ///< quantile of each sample's |x_0|, see `dynamic_threshold`; 0: off
  double eta = 0;                   ///< 0 is deterministic, 1 has the noise of the reverse SDE
  double s_churn = 0;               ///< total noise added before sampling steps; 0 for none
  double s_tmin = 0, s_tmax = 1e9;  ///< s_churn adds noise only for sigma in this range
  double s_noise = 1;               ///< factor on all added noise
  Index order = 4;                  ///< of a multistep method
  std::string solver_type = {};     ///< one of the sampler's solver types
};

/// N(0, 1) of x's shape for draw number i. Draws are numbered by sampling step, whether used or not, so that the noise
/// of a sampling step doesn't depend on the others.
using NoiseSource = std::function<Tensor(Index i)>;

/// Called after each sampling step with its number, the new x (in the chain's form, or x_0 + sigma n in the sigma
/// form), and the predicted x_0.
using Observer = std::function<void(Index step, const Var& x, const Var& pred_x0)>;

/// The input of a sampler. `process` and `network` come directly from a model trained on a chain, `denoise` from one
/// trained in the sigma form; Formulation derives each from the other.
struct Sampling {
  const Process& process;   ///< the chain to follow; respace its schedule to take fewer sampling steps
  NetworkFunction network;  ///< predicts what `process` expects
  SamplerOptions options = {};
  NoiseSource noise = nullptr;              ///< may be empty for deterministic samplers
  Observer observe = nullptr;               ///< may be empty
  Denoiser denoise = nullptr;               ///< in the sigma form; if empty, derived from process and network
  std::vector<double> sigmas = {};          ///< grid of the sigma form; if empty, the chain's own, and 0
  ClassifierGradient classifier = nullptr;  ///< includes its scale; may be empty
  Index first_sample = 0;                   ///< the number of the first sample, for errors
  Index first = 0,
        last = 0;  ///< performs sampling steps [first, last) of the chain or the grid; last = 0: all the rest
};

/// A sampler of the chain: maps x_T (N(0, 1), any shape [N,...,C]) to a sample of x_0.
using ChainSampler = Var(const Sampling& sampling, Var x_T);

/// A sampler in the sigma form: integrates x from sigmas[0] along the descending sigmas; the last may be 0 (a sampling
/// step to 0 returns the denoiser's output). samplers/heun.cpp is a short example.
using SigmaSampler = Var(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                         const NoiseSource& noise, const Observer& observe);

/// A sampler: a function in one of the two forms, and the options that it uses. The table lists the built-in ones;
/// `generate` also takes your own (examples/own_sampler.cpp). To add one to the table: a file with its function, listed
/// in meson.build and declared below, and a row in table.cpp; the program, its help and the tests then know it.
struct Sampler {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options = {};         ///< the SamplerOptions that it uses
  std::vector<const char*> solver_types = {};   ///< the first is the default
  std::function<ChainSampler> chain = nullptr;  ///< set for a sampler of the chain, else empty
  std::function<SigmaSampler> sigma = nullptr;  ///< set for a sampler in the sigma form, else empty
  const char* sigmas = "karras";                ///< sigma form: the default grid

  /// Runs either form from x_T, N(0, 1), to a sample of x_0; or, with a range of sampling steps, from the noise level
  /// before its first to the one after its last, both in the chain's form. Throws Error, naming the sampling step, for
  /// a NaN or an infinity.
  Tensor sample(const Sampling& sampling, const Tensor& x_T) const;
};

std::span<const Sampler> samplers();
/// Looks up by name; throws UsageError listing the valid names.
const Sampler& find_sampler(const std::string& name);

/// Returns the sampler's options: the given numbers, and its defaults for the others. Throws UsageError for an option
/// or a solver type that the sampler lacks, and for a number out of range.
SamplerOptions sampler_options(const Sampler& sampler, const OptionValues& given, const std::string& solver_type = "");

/// The share of x_0's variance in x_t before each sampling step of a sampler that follows the chain or, in the sigma
/// form, the grid (if empty, the chain's own); and 1 at the end.
std::vector<double> alpha_bars(const Sampler& sampler, const NoiseSchedule& schedule,
                               const std::vector<double>& sigmas);

/// The grid name that stands for the chain's own sigmas, descending, and 0.
inline constexpr const char* chain_grid = "chain";
std::vector<double> chain_grid_sigmas(const NoiseSchedule& schedule);

/// x_T and the noise of samples first, first + 1, ...: each is a function of the seed and the sample's number, so a
/// sample doesn't depend on the batch it is drawn in.
Tensor starting_noise(std::uint64_t seed, const Shape& shape, Index first_sample,
                      const Noise& noise = gaussian_noise());
NoiseSource seeded_noise(std::uint64_t seed, const Shape& shape, Index first_sample,
                         const Noise& noise = gaussian_noise());

ChainSampler sample_ancestral, sample_ddim, sample_pndm;

/// Reverses DDIM, a deterministic encoding: maps x_0 to the x_T that sample_ddim with eta = 0 maps back to x_0.
/// Throws UsageError for a chain of a single time step.
Var ddim_reverse(const Sampling& sampling, Var x0);

/// Samplers in the sigma form, each in the file of its name.
SigmaSampler sample_euler, sample_heun, sample_dpm2, sample_lms, sample_unipc, sample_euler_ancestral,
    sample_dpmpp_2s_ancestral, sample_dpmpp_sde, sample_dpmpp_2m, sample_dpmpp_2m_sde, sample_dpmpp_3m_sde,
    sample_flow_euler, sample_flow_heun;

/// sample_dpmpp_sde with the noises exactly as they are added, 2i at the midpoint of sampling step i and 2i + 1 at its
/// end: the caller correlates them.
SigmaSampler dpmpp_sde_with_noise;

}  // namespace reverie::inline REVERIE_PRECISION
