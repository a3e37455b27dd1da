#include "diffusion/formulations/losses.h"

#include <algorithm>

#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

Var detach(const Var& x) { return x.value(); }

// The squared error of the prediction, weighted at each time step.
// [Ho20] eq. 14
Var squared_error(const LossInput& in, const NetworkOutput& output, const LossOptions& options) {
  const Var error = prediction_error(in.process.target(in.x0, in.t, in.noise), output.prediction, options.huber);
  if (options.weights.empty()) return error;
  return error * per_sample(in.t, 1, [&](std::size_t k) { return options.weights[k]; });
}

// Only the bound trains a learned variance. Its gradient is far noisier than that of the squared error, so it must not
// reach the mean.
// [Nichol21] sec. 3.1, eq. 16
LossTerms hybrid(const LossInput& in, const LossOptions& options, double vb_weight) {
  const Process& process = in.process;
  const NetworkOutput output = split_output(in.model_output, in.x_t.shape(), process.variance_type);
  const Var mse = squared_error(in, output, options);
  if (!kind(process.variance_type).learned) return {mse, mse, {}};
  const NetworkOutput variance_only{detach(output.prediction), output.variance};
  const Var vb = vb_term(process, in.x0, in.x_t, in.t, variance_only, false, options.cdf).bits * vb_weight;
  return {mse + vb, mse, vb};
}

LossTerms mse(const LossInput& in, const LossOptions& options) { return hybrid(in, options, 1); }

// T * term estimates the whole bound, so the factor T / 1000 weights the bound by 0.001.
// [Nichol21] sec. 3.1
LossTerms rescaled_mse(const LossInput& in, const LossOptions& options) {
  return hybrid(in, options, static_cast<double>(in.process.schedule.steps()) / 1000);
}

LossTerms kl(const LossInput& in, const LossOptions& options) {
  const NetworkOutput output = split_output(in.model_output, in.x_t.shape(), in.process.variance_type);
  return {vb_term(in.process, in.x0, in.x_t, in.t, output, false, options.cdf).bits, {}, {}};
}

LossTerms rescaled_kl(const LossInput& in, const LossOptions& options) {
  return {kl(in, options).loss * static_cast<double>(in.process.schedule.steps()), {}, {}};
}

constexpr Loss table[] = {
    {"mse", "squared error of the prediction; with a learned variance plus the bound's term for it [Nichol21]", true,
     mse},
    {"rescaled_mse", "the same with T / 1000 times the bound's term, which keeps it a small correction [Nichol21]",
     true, rescaled_mse},
    {"kl", "the term of the variational bound, in bits per dimension [Ho20]", false, kl},
    {"rescaled_kl", "T times that: an estimate of the whole bound [Nichol21]", false, rescaled_kl},
};

}  // namespace

std::span<const Loss> losses() { return table; }
const Loss& find_loss(const std::string& name) { return find_line("loss", losses(), name); }

// With c = e clamped to [-huber, huber], Huber's function is c (2 e - c): e^2 inside, huber (2 |e| - huber) outside.
Var prediction_error(const Var& target, const Var& prediction, double huber) {
  const Var error = target - prediction;
  if (huber <= 0) return mean_per_sample(square(error));
  const Var clamped = clamp(error, -huber, huber);
  return mean_per_sample(clamped * (2 * error - clamped));
}

VbTerm vb_term(const Process& process, const Var& x0, const Var& x_t, Timesteps t, const NetworkOutput& output,
               bool clip, Cdf cdf) {
  const Gaussian q = process.posterior(x0, x_t, t);
  const PMeanVariance p = process.p_mean_variance(x_t, t, output, clip);
  const auto kl = [&](const Var& log_variance) {  // L_t, [Ho20] eq. 5
    return bits_per_dim(normal_kl(q.mean, q.log_variance, p.mean, log_variance));
  };
  if (std::find(t.begin(), t.end(), 0) == t.end()) return {kl(p.log_variance), p.pred_x0};
  // Each sample has one of the two terms. The other one gets a variance at which it is finite, because a learned
  // variance can make it infinite, and 0 times infinity is NaN.
  const auto first = [&](int rank) { return per_sample(t, rank, [](std::size_t k) { return k == 0 ? 1.0 : 0.0; }); };
  const Var decodes = first(x_t.rank());
  const Var for_kl = (1 - decodes) * p.log_variance + decodes * q.log_variance;
  const Var decoder =
      bits_per_dim(-discretized_gaussian_log_likelihood(x0.value(), p.mean, decodes * p.log_variance / 2, cdf));  // L_0
  return {first(1) * decoder + (1 - first(1)) * kl(for_kl), p.pred_x0};
}

}  // namespace reverie::inline REVERIE_PRECISION
