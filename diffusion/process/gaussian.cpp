#include "diffusion/process/gaussian.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// F(z) = (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2. For |z| > 20 F is 0 or 1 to the last bit; clamping z keeps z^3
// from overflowing and its gradient from becoming NaN.
// [Hendrycks16]
Var tanh_cdf(const Var& z) {
  const Var c = clamp(z, -20, 20);
  return (tanh((c + c * square(c) * 0.044715) * std::numbers::sqrt2 * std::numbers::inv_sqrtpi) + 1) / 2;
}

// 1 if the test holds, else 0.
template <class Test>
Var indicator(const Tensor& x, Test test) {
  Tensor y = Tensor::uninitialized(x.shape());
  for (Index i = 0; i < x.size(); ++i) y[i] = test(x[i]) ? real(1) : real(0);
  return y;
}

}  // namespace

Cdf cdf_called(const std::string& name) {
  if (name == "tanh") return Cdf::tanh;
  if (name == "exact") return Cdf::exact;
  throw UsageError("config: `diffusion.decoder_cdf` is \"", name, "\"; there are: tanh, exact");
}

// KL(N(m1, v1) || N(m2, v2)) = (log(v2 / v1) + v1 / v2 + (m1 - m2)^2 / v2 - 1) / 2, elementwise
Var normal_kl(const Var& mean1, const Var& log_variance1, const Var& mean2, const Var& log_variance2) {
  return (log_variance2 - log_variance1 + exp(log_variance1 - log_variance2) +
          square(mean1 - mean2) * exp(-log_variance2) - 1) /
         2;
}

// Bisection on Phi(z) = erfc(-z / sqrt(2)) / 2, in the lower tail for precision; after 64 halvings of an interval of
// length 40 the error is below rounding.
double normal_quantile(double share) {
  if (share > 0.5) return -normal_quantile(1 - share);
  double low = -40, high = 0;
  for (int i = 0; i < 64; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

Var discretized_gaussian_log_likelihood(const Tensor& x, const Var& means, const Var& log_scales, Cdf cdf) {
  require_shape("discretized gaussian", "the mean", means.shape(), x.shape());
  require_shape("discretized gaussian", "the log scale", log_scales.shape(), x.shape());
  // At a scale of e^-40 F is already 0 or 1 at every bin's edge. A smaller one would overflow in float, and 0 times
  // infinity is NaN.
  const Var centred = Var(x) - means, inverse_scale = exp(clamp(-log_scales, -infinity, 40));
  const auto F = cdf == Cdf::tanh ? tanh_cdf : normal_cdf;
  // A value's bin extends 1/255 to each side; the lowest bin starts at -inf, the highest ends at inf.
  const Var not_lowest = indicator(x, [](real v) { return v >= real(-0.999); });
  const Var highest = indicator(x, [](real v) { return v > real(0.999); });
  const Var above = F((centred + 1.0 / 255) * inverse_scale), below = F((centred - 1.0 / 255) * inverse_scale);
  const Var probability = above * (1 - highest) + highest - below * not_lowest;
  return log(clamp(probability, 1e-12, infinity));
}

Var bits_per_dim(const Var& nats) { return mean_per_sample(nats) / std::numbers::ln2; }

}  // namespace reverie::inline REVERIE_PRECISION
