#pragma once
#include <functional>

#include "benchmarks/reference/case.h"
#include "diffusion/formulations/denoiser.h"

/// What several kinds make from a case's parameters.
namespace reverie::inline REVERIE_PRECISION {

/// The case's values of the parameters that a line of a table knows.
OptionValues read_parameters(const Case& c, std::span<const OptionInfo> known);

/// The schedule of `T` steps whose name is the parameter `name` (in `train` it has another name), respaced where the
/// case has `sections`.
NoiseSchedule read_schedule(const Case& c, const char* name = "name");

/// That schedule with `mean_type` and `var_type`; where the kind has none of these they don't matter.
Process read_process(const Case& c, const char* name = "name");

/// The toy denoiser `wave`: a x + b cos(t/T + x), with a second half of channels c sin(x + t/T) where the variance is
/// learned. x: [N,...,C].
NetworkFunction read_wave(const Case& c);

/// The toy denoisers in the sigma form: `gauss`, exact for N(mu, s^2), and `wave_sigma`, which is not linear.
Denoiser read_denoiser(const Case& c);

/// The input `noise` (steps,N,C,H,W), a request at a time; Error for one that it doesn't reach to.
std::function<Tensor(Index)> read_noise(const Case& c);

}  // namespace reverie::inline REVERIE_PRECISION
