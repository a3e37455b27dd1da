#pragma once
#include <functional>

#include "diffusion/formulations/losses.h"
#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// The terms of the bound at one time step t per sample, each [N].
struct BoundTerm {
  Tensor vb;      ///< L_t, bits per dimension
  Tensor mse;     ///< mean of (eps - noise)^2, with the eps that corresponds to pred_x0
  Tensor x0_mse;  ///< mean of (pred_x0 - x_0)^2
};

/// The term at x_t = q_sample(x0, t, noise); `clip` clamps pred_x0 to [-1, 1].
BoundTerm bound_term(const Process& process, const NetworkFunction& network, const Tensor& x0, Timesteps t,
                     const Tensor& noise, bool clip, Cdf cdf = Cdf::tanh);

/// -log2 p(x_0) <= total = prior + sum over t of vb[:, t], in bits per dimension.
/// [Ho20] eq. 5
struct VariationalBound {
  Tensor total, prior;     ///< [N]
  Tensor exact_decoder;    ///< [N]: vb[:, 0] with the exact CDF instead of the tanh approximation
  Tensor vb, mse, x0_mse;  ///< [N,T], one column per time step
};

/// The whole bound: T network evaluations, from the last time step down to 0, each with one draw of noise (x0's shape).
VariationalBound variational_bound(const Process& process, const NetworkFunction& network, const Tensor& x0,
                                   const std::function<Tensor(Index t)>& noise, bool clip);

}  // namespace reverie::inline REVERIE_PRECISION
