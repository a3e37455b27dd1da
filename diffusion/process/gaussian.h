#pragma once
#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// KL(N(mean1, e^log_variance1) || N(mean2, e^log_variance2)) per element, in nats; the arguments broadcast.
Var normal_kl(const Var& mean1, const Var& log_variance1, const Var& mean2, const Var& log_variance2);

/// The distribution function of N(0, 1): the tanh approximation that published bits per dimension used (largest error
/// 1.8e-4), or the exact one.
enum class Cdf { tanh, exact };
/// By name, "tanh" or "exact". Throws UsageError for another.
Cdf cdf_called(const std::string& name);

/// The z below which N(0, 1) has `share` in (0, 1): the inverse of its exact distribution function.
double normal_quantile(double share);

/// log P(x) per element, in nats, where P is a normal distribution cut into the 256 bins of 8-bit values that were
/// scaled to [-1, 1]; the two end bins are open. [Ho20] eq. 13. x, means, log_scales: the same shape; log_scale = log
/// variance / 2.
Var discretized_gaussian_log_likelihood(const Tensor& x, const Var& means, const Var& log_scales, Cdf cdf = Cdf::tanh);

/// Nats per element [N,...] to bits per dimension [N].
Var bits_per_dim(const Var& nats);

}  // namespace reverie::inline REVERIE_PRECISION
