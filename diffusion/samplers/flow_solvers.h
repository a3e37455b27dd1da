#pragma once
#include <functional>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// dx/du of a flow at a batch [N,...,C], all at the same u.
using Velocity = std::function<Var(const Var& x, double u)>;

/// From x at u[0] along the velocity to u.back(); `u` descends. Euler: one evaluation per step, first order. Heun: the
/// mean of the slopes at both ends of each step, second order.
Var flow_euler(const Velocity& velocity, Var x, std::span<const double> u);
Var flow_heun(const Velocity& velocity, Var x, std::span<const double> u);

/// A denoiser as the velocity of the flow, (x_u - D) / u, for u in [0, 1). [Lipman23]
Velocity denoiser_velocity(Denoiser denoise);

}  // namespace reverie::inline REVERIE_PRECISION
