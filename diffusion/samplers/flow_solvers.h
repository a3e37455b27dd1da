#pragma once
#include <functional>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// dx/du of a flow at a batch [N,...,C], all at the same u.
using Velocity = std::function<Var(const Var& x, double u)>;

/// Integrates the velocity from x at u[0] to u.back(); `u` descends. Euler: first order, one evaluation per sampling
/// step. Heun: second order, the mean of the slopes at both ends of each sampling step.
Var flow_euler(const Velocity& velocity, Var x, std::span<const double> u);
Var flow_heun(const Velocity& velocity, Var x, std::span<const double> u);

/// Converts a denoiser to the velocity of the flow, (x_u - D) / u, for u in [0, 1).
/// [Lipman23]
Velocity denoiser_velocity(Denoiser denoise);

}  // namespace reverie::inline REVERIE_PRECISION
