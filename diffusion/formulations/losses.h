#pragma once
#include <span>
#include <string>

#include "diffusion/process/gaussian.h"
#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// The examples of a batch [N,...] and the network's answer. x_t = process.q_sample(x0, t, noise).
struct LossInput {
  const Process& process;
  Timesteps t;
  Var x0, x_t, noise;
  Var model_output;  ///< at x_t; its gradient is what training wants
};

/// Per example, [N]. `loss` is what to train on (its mean over the batch); `mse` and `vb` are its parts, undefined
/// (`value().defined()` is false) where a loss hasn't got them.
struct LossTerms {
  Var loss, mse, vb;
};

struct LossOptions {
  Cdf cdf = Cdf::tanh;              ///< of the decoder term
  double huber = 0;                 ///< see `prediction_error`
  std::span<const double> weights;  ///< of the squared error at each step of the chain; empty for 1
};

/// Per example, [N]: the mean over its elements of e^2 with e = target - prediction; with huber > 0 of Huber's
/// function, scaled to agree with it: e^2 where |e| <= huber, else huber (2 |e| - huber), so that outliers pull no
/// harder than that. [Huber64]
Var prediction_error(const Var& target, const Var& prediction, double huber = 0);

/// A line of the table of losses.
struct Loss {
  const char* name;
  const char* summary;
  bool squared_error;  ///< whether there is one, for `huber` and `weights`
  LossTerms (*terms)(const LossInput& input, const LossOptions& options);
};

std::span<const Loss> losses();
/// By name. Throws UsageError, listing what there is, for another.
const Loss& find_loss(const std::string& name);

/// A term of the variational bound per example, and the x_0 that was predicted on the way.
struct VbTerm {
  Var bits;     ///< [N], bits per dimension
  Var pred_x0;  ///< x's shape
};

/// t > 0: L_t = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)); t = 0: L_0 = -log p(x_0 | x_1), the discretised decoder.
VbTerm vb_term(const Process& process, const Var& x0, const Var& x_t, Timesteps t, const NetworkOutput& output, bool clip,
               Cdf cdf = Cdf::tanh);

}  // namespace reverie::inline REVERIE_PRECISION
