#pragma once
#include <functional>

#include "benchmarks/reference/case.h"
#include "diffusion/formulations/denoiser.h"

/// Objects that several kinds build from a case's parameters.
namespace reverie::inline REVERIE_PRECISION {

/// The case's values for the options of a line of a table.
OptionValues read_parameters(const Case& c, std::span<const OptionInfo> known);

/// The schedule with `T` steps named by the parameter `name` (the kind `train` uses another parameter), respaced if the
/// case has `sections`.
NoiseSchedule read_schedule(const Case& c, const char* name = "name");

/// The process of that schedule, with `mean_type` and `var_type` if the kind has them.
Process read_process(const Case& c, const char* name = "name");

/// The toy denoiser `wave`: a x + b cos(t/T + x), with a second half of channels c sin(x + t/T) where the variance is
/// learned. x: [N,...,C].
NetworkFunction read_wave(const Case& c);

/// The toy denoisers in the sigma form: `gauss`, exact for N(mu, s^2), and `wave_sigma`, which is not linear.
Denoiser read_denoiser(const Case& c);

/// The input `noise` (steps,N,C,H,W), one step at a time. Throws Error past its end.
std::function<Tensor(Index)> read_noise(const Case& c);

}  // namespace reverie::inline REVERIE_PRECISION
