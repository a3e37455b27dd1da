#pragma once
#include <functional>

#include "diffusion/formulations/losses.h"
#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// The terms of the bound at one time step t per sample. Each [N].
struct BoundTerm {
  Tensor vb;      ///< the bound's term, bits per dimension
  Tensor mse;     ///< mean of (eps - noise)^2, with the eps that belongs to pred_x0
  Tensor x0_mse;  ///< mean of (pred_x0 - x_0)^2
};

/// The term at x_t = q_sample(x0, t, noise); `clip`: pred_x0 is clamped to [-1, 1].
BoundTerm bound_term(const Process& process, const NetworkFunction& network, const Tensor& x0, Timesteps t, const Tensor& noise,
                     bool clip, Cdf cdf = Cdf::tanh);

/// -log2 p(x_0) <= total = prior + sum over t of vb[:, t], everything in bits per dimension. [Ho20] eq. 5
struct VariationalBound {
  Tensor total, prior;     ///< [N]
  Tensor exact_decoder;    ///< [N]: what vb[:, 0] would be with the exact distribution function instead of tanh's
  Tensor vb, mse, x0_mse;  ///< [N,T], column = step of the chain
};

/// The whole bound: T evaluations of the network, from the last time step down to 0, one draw of noise (x0's shape) for each.
VariationalBound variational_bound(const Process& process, const NetworkFunction& network, const Tensor& x0,
                                   const std::function<Tensor(Index t)>& noise, bool clip);

}  // namespace reverie::inline REVERIE_PRECISION
