#pragma once
#include <span>
#include <string>

#include "diffusion/process/gaussian.h"
#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// A batch [N,...] and the network's output. x_t = process.q_sample(x0, t, noise).
struct LossInput {
  const Process& process;
  Timesteps t;
  Var x0, x_t, noise;
  Var model_output;  ///< at x_t
};

/// Per sample, [N]. `loss` is the training loss (its mean over the batch is minimised); `mse` and `vb` are its parts,
/// undefined (`value().defined()` is false) if the loss lacks them.
struct LossTerms {
  Var loss, mse, vb;
};

struct LossOptions {
  Cdf cdf = Cdf::tanh;              ///< of the decoder term
  double huber = 0;                 ///< see `prediction_error`
  std::span<const double> weights;  ///< of the squared error at each time step; empty for 1
};

/// Per sample, [N]: the mean over the elements of e^2 with e = target - prediction. If huber > 0, of Huber's function
/// scaled to agree with it: e^2 for |e| <= huber, else huber (2 |e| - huber), which limits the gradient of outliers.
/// [Huber64]
Var prediction_error(const Var& target, const Var& prediction, double huber = 0);

/// A row of the table of losses.
/// Up to constants, the variational bound with a fixed variance sigma_t^2 is a weighted sum over t of squared errors;
/// for eps the weights are beta_t^2 / (2 sigma_t^2 alpha_t (1 - alpha_bar_t)), where alpha_t = 1 - beta_t. The simple
/// loss, [Ho20] eq. 14, drops these weights, which emphasises noisier time steps and gives better samples.
struct Loss {
  const char* name;
  const char* summary;
  bool squared_error;  ///< whether it has a squared error, for `huber` and `weights`
  LossTerms (*terms)(const LossInput& input, const LossOptions& options);
};

std::span<const Loss> losses();
/// Looks up by name; throws UsageError listing the valid names.
const Loss& find_loss(const std::string& name);

/// A term of the variational bound per sample, and the predicted x_0 that it is computed from.
struct VbTerm {
  Var bits;     ///< [N], bits per dimension
  Var pred_x0;  ///< x's shape
};

/// t > 0: L_t = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)); t = 0: L_0 = -log p(x_0 | x_1), the discretised decoder.
VbTerm vb_term(const Process& process, const Var& x0, const Var& x_t, Timesteps t, const NetworkOutput& output,
               bool clip, Cdf cdf = Cdf::tanh);

}  // namespace reverie::inline REVERIE_PRECISION
