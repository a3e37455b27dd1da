#pragma once
#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// KL(N(mean1, e^log_variance1) || N(mean2, e^log_variance2)) per element, in nats; the arguments broadcast.
Var normal_kl(const Var& mean1, const Var& log_variance1, const Var& mean2, const Var& log_variance2);

/// The cumulative distribution function (CDF) of N(0, 1): the tanh approximation behind published bits per dimension
/// (largest error 1.8e-4), or the exact one.
enum class Cdf { tanh, exact };
/// Looks up by name, "tanh" or "exact"; throws UsageError for other names.
Cdf cdf_called(const std::string& name);

/// The z with P(Z < z) = `share` for Z ~ N(0, 1), share in (0, 1): the inverse of the exact CDF.
double normal_quantile(double share);

/// log P(x) per element, in nats, where P is a normal distribution discretised into the 256 bins of 8-bit values scaled
/// to [-1, 1]; the two end bins are open. x, means, log_scales have the same shape; log_scale = log variance / 2.
/// [Ho20] eq. 13
Var discretized_gaussian_log_likelihood(const Tensor& x, const Var& means, const Var& log_scales, Cdf cdf = Cdf::tanh);

/// Nats per element [N,...] to bits per dimension [N].
Var bits_per_dim(const Var& nats);

}  // namespace reverie::inline REVERIE_PRECISION
