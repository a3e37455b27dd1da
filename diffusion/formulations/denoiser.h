#pragma once
#include <functional>
#include <vector>

#include "diffusion/formulations/flow.h"

namespace reverie::inline REVERIE_PRECISION {

/// D(x; sigma): the data expected behind x = x_0 + sigma n with n ~ N(0, 1). x [N,...,C], sigma > 0; the answer has x's
/// shape. This is the sigma form [Karras22] sec. 2; the chain's x_t is x / sqrt(1 + sigma^2), and its flow-matching
/// twin x_u is x / (1 + sigma). All conversions between the forms stand in this file.
using Denoiser = std::function<Tensor(const Tensor& x, double sigma)>;

/// The same on a Var, perhaps on a tape: where a derivative of D is wanted.
using DenoiserFunction = std::function<Var(const Var& x, double sigma)>;

/// What merely computes, of what could be recorded; and what knows no tape in the place of what could.
Denoiser off_tape(DenoiserFunction denoise);
NetworkFunction off_tape(Model model);

/// The sigma of every step of the chain, ascending: sqrt(1 / alphas_cumprod - 1). A last step of pure noise, where that
/// is infinite, stands as 1e5.
std::vector<double> chain_sigmas(const NoiseSchedule& schedule);

/// The original step, a real number, at which the chain has this sigma, and the other way round: linear in log sigma
/// between the chain's steps. Beyond its ends the first or the last step answers.
double step_of_sigma(const NoiseSchedule& schedule, double sigma);
double sigma_of_step(const NoiseSchedule& schedule, double original_step);

/// The denoiser that a chain's network is, whatever it predicts; `clip` clamps its answers to [-1, 1]. Give it the
/// whole chain, not a respaced one: it asks between steps.
DenoiserFunction chain_denoiser(const Process& process, NetworkFunction network, bool clip);

/// The denoisers that networks trained as EDM and as a flow are; see edm.h and flow.h.
DenoiserFunction edm_denoiser(double sigma_data, NetworkFunction network, bool clip);
DenoiserFunction flow_denoiser(NetworkFunction network, bool clip);

/// The other way round: a denoiser as the velocity of the flow, (x_u - D) / u, for u in [0, 1). [Lipman23]
Velocity denoiser_velocity(Denoiser denoise);

/// A denoiser as the chain's model, which answers what `process` expects of it. The samples of a
/// batch must be at one step (Error). Throws UsageError where a learned variance is expected.
Model chain_model(const Process& process, Denoiser denoise);

}  // namespace reverie::inline REVERIE_PRECISION
