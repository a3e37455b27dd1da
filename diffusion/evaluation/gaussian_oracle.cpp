#include "diffusion/evaluation/gaussian_oracle.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "diffusion/metrics/symmetric_eigen.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double mean_at(const GaussianMixture::Component& c, std::size_t i) {
  return c.mean.size() == 1 ? c.mean[0] : c.mean[i];
}

double log_sum_exp(const std::vector<double>& logs) {
  const double largest = *std::max_element(logs.begin(), logs.end());
  const double sum =
      std::accumulate(logs.begin(), logs.end(), 0.0, [&](double s, double l) { return s + std::exp(l - largest); });
  return largest + std::log(sum);
}

std::span<const real> sample(const Tensor& x, Index n) {
  const Index each = x.size() / x.extent(0);
  return x.values().subspan(static_cast<std::size_t>(n * each), static_cast<std::size_t>(each));
}

std::vector<double> with_first(std::vector<double> variances, double first) {
  variances[0] = first;
  return variances;
}

std::vector<double> fixed_small(const NoiseSchedule& schedule, double) {
  return with_first(schedule.posterior_variance, std::exp(schedule.posterior_log_variance_clipped[0]));
}

std::vector<double> fixed_large(const NoiseSchedule& schedule, double) {
  return with_first(schedule.betas, std::exp(schedule.posterior_log_variance_clipped[0]));
}

// The law of total variance: the variance of q(x_{t-1} | x_t, x_0), plus that of its mean over p(x_0 | x_t).
std::vector<double> optimal(const NoiseSchedule& schedule, double s) {
  std::vector<double> variances;
  for (std::size_t t = 0; t < schedule.betas.size(); ++t) {
    variances.push_back(schedule.posterior_variance[t] +
                        std::pow(schedule.posterior_mean_coef1[t], 2) *
                            gaussian_posterior_variance(s, schedule.alphas_cumprod[t]));
  }
  return variances;
}

constexpr GaussianVariance table[] = {{"fixed_small", fixed_small}, {"fixed_large", fixed_large}, {"optimal", optimal}};

}  // namespace

// ln(w_k N(x; m_k, s_k^2 + sigma^2)) for every component.
std::vector<double> GaussianMixture::joint_log_densities(std::span<const real> x, double sigma) const {
  std::vector<double> logs;
  for (const Component& c : components) {
    const double variance = c.s * c.s + sigma * sigma;
    double log = std::log(c.weight) - static_cast<double>(x.size()) * std::log(2 * std::numbers::pi * variance) / 2;
    for (std::size_t i = 0; i < x.size(); ++i)
      log -= std::pow(static_cast<double>(x[i]) - mean_at(c, i), 2) / (2 * variance);
    logs.push_back(log);
  }
  return logs;
}

// Bayes' rule: each component's posterior is N((s^2 x + sigma^2 m) / (s^2 + sigma^2), s^2 sigma^2 / (s^2 + sigma^2)),
// weighted by the component's share of the density at x.
GaussianMixture GaussianMixture::posterior(std::span<const real> x, double sigma) const {
  const std::vector<double> logs = joint_log_densities(x, sigma);
  const double total = log_sum_exp(logs);
  GaussianMixture posterior;
  for (std::size_t k = 0; k < components.size(); ++k) {
    const Component& c = components[k];
    const double s2 = c.s * c.s, sigma2 = sigma * sigma;
    Component conditioned{std::exp(logs[k] - total), {}, c.s * sigma / std::sqrt(s2 + sigma2)};
    for (std::size_t i = 0; i < x.size(); ++i)
      conditioned.mean.push_back((s2 * static_cast<double>(x[i]) + sigma2 * mean_at(c, i)) / (s2 + sigma2));
    posterior.components.push_back(std::move(conditioned));
  }
  return posterior;
}

std::vector<double> GaussianMixture::log_density(const Tensor& x, double sigma) const {
  std::vector<double> logs;
  for (Index n = 0; n < x.extent(0); ++n) logs.push_back(log_sum_exp(joint_log_densities(sample(x, n), sigma)));
  return logs;
}

Tensor GaussianMixture::denoise(const Tensor& x, double sigma) const {
  Tensor x0 = Tensor::zeros(x.shape());
  const Index each = x.size() / x.extent(0);
  for (Index n = 0; n < x.extent(0); ++n) {
    const GaussianMixture known = posterior(sample(x, n), sigma);
    for (Index i = 0; i < each; ++i) {
      double expected = 0;
      for (const Component& c : known.components) expected += c.weight * c.mean[i];
      x0[n * each + i] = static_cast<real>(expected);
    }
  }
  return x0;
}

Tensor GaussianMixture::score(const Tensor& x, double sigma) const {
  return ((Var(denoise(x, sigma)) - x) / (sigma * sigma)).value();
}

Denoiser GaussianMixture::denoiser() const {
  return [data = *this](const Var& x, double sigma) -> Var { return data.denoise(x.value(), sigma); };
}

// C and C + sigma^2 I have the same eigenvectors: in their directions the elements are independent.
Denoiser CorrelatedGaussian::denoiser() const {
  const Index d = std::ssize(mean);
  return [d, mean = mean, eigen = symmetric_eigen(covariance, d)](const Var& x, double sigma) -> Var {
    Tensor x0 = x.value().clone();
    for (Index n = 0; n < x0.size() / d; ++n) {
      real* sample = x0.data() + n * d;
      std::vector<double> denoised = mean;
      for (Index k = 0; k < d; ++k) {
        double along = 0;
        for (Index i = 0; i < d; ++i) along += eigen.vectors[i * d + k] * (static_cast<double>(sample[i]) - mean[i]);
        along *= eigen.values[k] / (eigen.values[k] + sigma * sigma);
        for (Index i = 0; i < d; ++i) denoised[i] += eigen.vectors[i * d + k] * along;
      }
      std::transform(denoised.begin(), denoised.end(), sample, [](double value) { return static_cast<real>(value); });
    }
    return x0;
  };
}

// With blocks C_kk, C_uk, C_uu of known and unknown elements: mean_u + C_uk C_kk^-1 (x_k - mean_k), and
// C_uu - C_uk C_kk^-1 C_ku.
CorrelatedGaussian CorrelatedGaussian::given(std::span<const Index> known, std::span<const double> values) const {
  const Index d = std::ssize(mean), m = std::ssize(known);
  std::vector<Index> unknown;
  for (Index i = 0; i < d; ++i)
    if (std::find(known.begin(), known.end(), i) == known.end()) unknown.push_back(i);
  const auto at = [&](Index i, Index j) { return covariance[i * d + j]; };
  std::vector<double> block;
  for (const Index i : known)
    for (const Index j : known) block.push_back(at(i, j));
  const SymmetricEigen eigen = symmetric_eigen(block, m);
  CorrelatedGaussian rest;
  for (const Index u : unknown) {
    rest.mean.push_back(mean[u]);
    for (const Index w : unknown) rest.covariance.push_back(at(u, w));
  }
  const Index size = std::ssize(unknown);
  for (Index k = 0; k < m; ++k) {
    if (!(eigen.values[k] > 0)) throw Error("correlated Gaussian: the known elements have no density");
    double along = 0;
    for (Index i = 0; i < m; ++i) along += eigen.vectors[i * m + k] * (values[i] - mean[known[i]]);
    std::vector<double> towards;  // C_uk times the eigenvector
    for (const Index u : unknown) {
      double sum = 0;
      for (Index i = 0; i < m; ++i) sum += at(u, known[i]) * eigen.vectors[i * m + k];
      towards.push_back(sum);
    }
    for (Index u = 0; u < size; ++u) {
      rest.mean[u] += towards[u] * along / eigen.values[k];
      for (Index w = 0; w < size; ++w) rest.covariance[u * size + w] -= towards[u] * towards[w] / eigen.values[k];
    }
  }
  return rest;
}

GaussianMixture gaussian_data(double mu, double s) { return {{{1, {mu}, s}}}; }

double gaussian_posterior_variance(double s, double alpha_bar) {
  return s * s * (1 - alpha_bar) / (s * s * alpha_bar + 1 - alpha_bar);
}

GaussianBound gaussian_bound(const NoiseSchedule& schedule, double mu, double s, const std::vector<double>& variances) {
  GaussianBound bound{};
  for (std::size_t t = 0; t < schedule.betas.size(); ++t) {
    const double ab = schedule.alphas_cumprod[t], V = gaussian_posterior_variance(s, ab), w = variances[t];
    bound.x0_mse.push_back(V);
    bound.eps_mse.push_back(ab / (1 - ab) * V);
    if (t == 0) {  // -ln N(x_0; pred_x0, w): the expected squared error is V
      bound.vb.push_back((std::log(2 * std::numbers::pi * w) + V / w) / 2);
    } else {  // KL of two normal distributions whose means differ by coef1 (x_0 - pred_x0)
      const double small = schedule.posterior_variance[t], coef1 = schedule.posterior_mean_coef1[t];
      bound.vb.push_back((std::log(w / small) + small / w - 1 + coef1 * coef1 * V / w) / 2);
    }
  }
  const double ab = schedule.alphas_cumprod.back();
  bound.prior = (ab * (mu * mu + s * s) - ab - std::log1p(-ab)) / 2;
  bound.total = std::accumulate(bound.vb.begin(), bound.vb.end(), bound.prior);
  return bound;
}

std::span<const GaussianVariance> gaussian_variances() { return table; }

}  // namespace reverie::inline REVERIE_PRECISION
