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

/// Options of samplers. Each sampler's line in the table lists those it uses, with their defaults; `sampler_options` makes
/// these from names and values.
struct SamplerOptions {
  bool clip = true;  ///< clamp every predicted x_0 to [-1, 1]; for images, not for points
  double dynamic_threshold =
      0;               ///< share of each sample's |x_0| that must not saturate, see `dynamic_threshold`; 0: no
  double eta = 0;      ///< 0 is deterministic, 1 has the noise of the reverse SDE
  double s_churn = 0;  ///< noise added before sampling steps, in all; 0 for none ...
  double s_tmin = 0, s_tmax = 1e9;  ///< ... where sigma lies between these
  double s_noise = 1;               ///< factor on all added noise
  Index order = 4;                  ///< of a multistep method
  std::string solver_type = {};     ///< one of the sampler's solver types
};

/// N(0, 1) of x's shape for draw number i. A sampler numbers its draws by its sampling steps, used or not, so that the
/// noise of a step doesn't depend on the others.
using NoiseSource = std::function<Tensor(Index i)>;

/// Called after each sampling step with its number, x after it (in the sampler's own form), and the predicted x_0.
using Observer = std::function<void(Index step, const Var& x, const Var& pred_x0)>;

/// The input of a sampler. A model trained on a chain gives `process` and `network`, one trained in the sigma form
/// `denoise`; Formulation makes each from the other.
struct Sampling {
  const Process& process;   ///< the chain to walk; respace its schedule to take fewer sampling steps
  NetworkFunction network;  ///< predicts what `process` expects
  SamplerOptions options = {};
  NoiseSource noise = nullptr;              ///< may be empty for deterministic samplers
  Observer observe = nullptr;               ///< may be empty
  Denoiser denoise = nullptr;               ///< in the sigma form; empty: made of process and network
  std::vector<double> sigmas = {};          ///< grid of the sigma form; empty: the chain's own, and 0
  ClassifierGradient classifier = nullptr;  ///< times its scale; may be empty
};

/// A sampler of the chain: from x_T (N(0, 1), any shape [N,...,C]) to a sample of x_0.
using ChainSampler = Var(const Sampling& sampling, Var x_T);

/// A sampler in the sigma form: from x at sigmas[0] along the descending sigmas, the last of which may be 0 (a step
/// into 0 ends at the denoiser's output). samplers/heun.cpp is a short example.
using SigmaSampler = Var(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                         const NoiseSource& noise, const Observer& observe);

/// A sampler: a function in one of the two forms, and the options that it uses. The table has those that ship; `generate`
/// takes one of your own just as well.
struct Sampler {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options = {};        ///< numbers of SamplerOptions that it uses
  std::vector<const char*> solver_types = {};  ///< the first is the default
  std::function<ChainSampler> chain = nullptr;  ///< empty in ...
  std::function<SigmaSampler> sigma = nullptr;  ///< ... the sigma form, and the other way round
  const char* sigmas = "karras";                ///< sigma form: its usual grid

  /// Runs either form from x_T, N(0, 1), to a sample of x_0.
  Tensor sample(const Sampling& sampling, const Tensor& x_T) const;
};

std::span<const Sampler> samplers();
/// Looks up by name; throws UsageError listing the valid names.
const Sampler& find_sampler(const std::string& name);

/// Returns the sampler's options with the given numbers, and its defaults for the others. Throws UsageError for an option
/// or a solver type that the sampler lacks, and for a number out of range.
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

/// DDIM backwards, the deterministic encoding: from x_0 to the x_T that sample_ddim with eta = 0 maps back to x_0.
Var ddim_reverse(const Sampling& sampling, Var x0);

/// In the sigma form, each in the file of its name.
SigmaSampler sample_euler, sample_heun, sample_dpm2, sample_lms, sample_unipc, sample_euler_ancestral,
    sample_dpmpp_2s_ancestral, sample_dpmpp_sde, sample_dpmpp_2m, sample_dpmpp_2m_sde, sample_dpmpp_3m_sde,
    sample_flow_euler, sample_flow_heun;

}  // namespace reverie::inline REVERIE_PRECISION
