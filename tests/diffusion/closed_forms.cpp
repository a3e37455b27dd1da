// The process, the bound and DDIM, recomputed without the formulas that they are made of: by numerical integration, and
// by the closed forms that Gaussian data have. Chains of 1, 2 and 3 time steps included.
#include <array>
#include <map>
#include <numbers>

#include "diffusion/evaluation/bound.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

double normal(double x, double mean, double variance) {
  return std::exp(-(x - mean) * (x - mean) / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
}

// The integral of f from low to high, by the trapezoidal rule (which is exact to rounding for bell curves).
template <class F>
double integral(double low, double high, F f) {
  constexpr int count = 4000;
  double sum = (f(low) + f(high)) / 2;
  for (int i = 1; i < count; ++i) sum += f(low + (high - low) * i / count);
  return sum * (high - low) / count;
}

struct Moments {
  double mean, variance;
};
template <class F>
Moments moments_of(double low, double high, F density) {
  const double total = integral(low, high, density);
  const double mean = integral(low, high, [&](double x) { return x * density(x); }) / total;
  return {mean, integral(low, high, [&](double x) { return (x - mean) * (x - mean) * density(x); }) / total};
}

NoiseSchedule schedule_of(Index T) { return make_schedule(T <= 20 ? "cosine" : "linear", T); }

// The exact x_0 for data that is N(mu, s^2), as a network of a (perhaps respaced) chain.
NetworkFunction exact(const NoiseSchedule& whole, double mu, double s) {
  return [=](const Var& x_t, std::span<const double> t) {
    const double ab = whole.alphas_cumprod[static_cast<std::size_t>(t[0])];
    return (s * s * std::sqrt(ab) * x_t + (1 - ab) * mu) / (s * s * ab + 1 - ab);
  };
}

}  // namespace

TEST_CASE("q(x_t | x_0) and the posterior are what the single noising steps make, by numerical integration") {
  const double x0 = 0.6;
  for (const Index T : {1, 2, 3, 50}) {
    const Process process(schedule_of(T), MeanType::x0, VarianceType::fixed_small);
    const std::vector<double>& betas = process.schedule.betas;
    const auto one = [](double value) { return Tensor::from({1, 1}, {value}); };
    const auto number = [](const Var& x) { return static_cast<double>(x.value().item()); };
    for (Index t = 0; t < T; t = t < 3 ? t + 1 : 2 * t) {
      CAPTURE(T);
      CAPTURE(t);
      double mean = x0, variance = 0;  // of x_{t-1}, composed of single steps
      for (Index k = 0; k < t; ++k) {
        mean *= std::sqrt(1 - betas[k]);
        variance = (1 - betas[k]) * variance + betas[k];
      }
      const double beta = betas[t], x_t = 0.3;
      const std::vector<Index> at{t};
      const Gaussian q = process.q_mean_variance(one(x0), at);
      CHECK(number(q.mean) == Approx(std::sqrt(1 - beta) * mean).epsilon(1e-5));
      CHECK(number(q.variance) == Approx((1 - beta) * variance + beta).epsilon(1e-5));
      const Gaussian posterior = process.posterior(one(x0), one(x_t), at);
      if (t == 0) {  // x_{t-1} is x_0
        CHECK(number(posterior.mean) == Approx(x0));
        CHECK(number(posterior.variance) == 0);
        continue;
      }
      // Bayes: q(x_{t-1} | x_t, x_0) is proportional to q(x_t | x_{t-1}) q(x_{t-1} | x_0).
      const double width = 12 * std::sqrt(variance);
      const Moments want = moments_of(mean - width, mean + width, [&](double x) {
        return normal(x_t, std::sqrt(1 - beta) * x, beta) * normal(x, mean, variance);
      });
      CHECK(number(posterior.mean) == Approx(want.mean).epsilon(1e-4));
      CHECK(number(posterior.variance) == Approx(want.variance).epsilon(1e-4));
      CHECK(std::exp(number(posterior.log_variance)) == Approx(want.variance).epsilon(1e-4));
    }
  }
}

TEST_CASE("the KL of two normal distributions, and the decoder's probability, by numerical integration") {
  const auto one = [](double value) { return Var(Tensor::from({1, 1}, {value})); };
  for (const auto& [m1, v1, m2, v2] : {std::array{0.1, 0.3, -0.4, 0.2}, {0.0, 1.0, 0.0, 1.0}, {2.0, 0.01, 1.9, 0.02}}) {
    const double width = 12 * std::sqrt(v1), low = m1 - width, high = m1 + width;
    const double want = integral(low, high, [&, m1 = m1, v1 = v1, m2 = m2, v2 = v2](double x) {
      const double log_ratio = (std::log(v2 / v1) - (x - m1) * (x - m1) / v1 + (x - m2) * (x - m2) / v2) / 2;
      return normal(x, m1, v1) * log_ratio;
    });
    const Var got = normal_kl(one(m1), one(std::log(v1)), one(m2), one(std::log(v2)));
    CHECK(static_cast<double>(got.value().item()) == Approx(want).epsilon(1e-4));
  }
  double all = 0;  // the probabilities of the 256 values of a pixel
  for (int pixel = 0; pixel < 256; ++pixel) {
    const double x = pixel / 127.5 - 1, mean = 0.13, scale = 0.02;
    const Var log_p = discretized_gaussian_log_likelihood(one(x).value(), one(mean), one(std::log(scale)), Cdf::exact);
    const double p = std::exp(static_cast<double>(log_p.value().item()));
    all += p;
    if (pixel == 0 || pixel == 255) continue;
    const double want =
        integral(x - 1.0 / 255, x + 1.0 / 255, [&](double y) { return normal(y, mean, scale * scale); });
    CHECK(std::abs(p - want) < tolerance(2e-9, 1e-6));
  }
  CHECK(all == Approx(1).epsilon(1e-5));
}

TEST_CASE(
    "the bound of Gaussian data is -E log p and the end's KL at any T with the optimal variances; others approach it") {
  const double mu = 0.3, s = 0.5, entropy = std::log(2 * std::numbers::pi * std::numbers::e * s * s) / 2;
  std::map<std::string, double> before;  // how far a fixed variance is above, but for the decoder's term
  for (const Index T : {1, 2, 3, 10, 100, 1000, 10000}) {
    CAPTURE(T);
    const NoiseSchedule schedule = make_schedule("log_snr", T, {{"log_snr_max", 9}, {"log_snr_min", -9}});
    const double ab = schedule.alphas_cumprod.back(), end = ab * s * s + 1 - ab;  // the variance of q(x_T)
    std::map<std::string, GaussianBound> bounds;
    for (const GaussianVariance& v : gaussian_variances()) {
      bounds[v.name] = gaussian_bound(schedule, mu, s, v.variances(schedule, s));
    }
    const GaussianBound& optimal = bounds["optimal"];
    CHECK(optimal.total == Approx(entropy + (end + ab * mu * mu - 1 - std::log(end)) / 2).epsilon(1e-6));
    for (const char* name : {"fixed_small", "fixed_large"}) {
      CAPTURE(std::string(name));
      CHECK(bounds[name].total > optimal.total);
      const double above = (bounds[name].total - bounds[name].vb[0]) - (optimal.total - optimal.vb[0]);
      CHECK(above >= -1e-12);
      if (T > 10) CHECK(above < 0.2 * before[name]);
      before[name] = above;
    }
  }
}

TEST_CASE("the bound that the program computes is the closed form, term by term, for 1, 2, 3 and more time steps") {
  const double mu = 0.1, s = 0.25;  // hardly ever outside [-1, 1], where the bins are open
  const Index N = 4000;
  const Tensor x0 = (mu + s * Var(noise({N, 4}, 1))).value();
  for (const Index T : {1, 2, 3, 8}) {
    const NoiseSchedule schedule = make_schedule("log_snr", T, {{"log_snr_max", 3}, {"log_snr_min", -4}});
    for (const char* name : {"fixed_small", "fixed_large"}) {
      CAPTURE(T);
      CAPTURE(std::string(name));
      const Process process(schedule, MeanType::x0, variance_type(name));
      const auto fresh = [&](Index t) { return noise({N, 4}, static_cast<std::uint32_t>(10 + t)); };
      const VariationalBound got = variational_bound(process, exact(schedule, mu, s), x0, fresh, false);
      const auto kinds = gaussian_variances();
      const GaussianVariance& kind = *std::find_if(
          kinds.begin(), kinds.end(), [&](const GaussianVariance& v) { return v.name == std::string(name); });
      const GaussianBound want = gaussian_bound(schedule, mu, s, kind.variances(schedule, s));
      const auto mean_of = [&](const Tensor& table, Index column, Index columns) {
        double sum = 0;
        for (Index n = 0; n < N; ++n) sum += static_cast<double>(table[n * columns + column]);
        return sum / static_cast<double>(N);
      };
      CHECK(mean_of(got.prior, 0, 1) * std::numbers::ln2 == Approx(want.prior).epsilon(0.05));
      for (Index t = 0; t < T; ++t) {
        CAPTURE(t);
        CHECK(mean_of(got.x0_mse, t, T) == Approx(want.x0_mse[t]).epsilon(0.05));
        // L_0 is of the probability of a bin, about the density times its width.
        const double bits = mean_of(got.vb, t, T) + (t == 0 ? std::log2(2.0 / 255) : 0);
        CHECK(std::abs(bits * std::numbers::ln2 - want.vb[t]) < 0.02 + 0.05 * std::abs(want.vb[t]));
      }
    }
  }
}

TEST_CASE("DDIM of any eta in [0, 1] keeps the spread of q at every step of a Gaussian, in the limit of small steps") {
  const double mu = 0.2, s = 0.4;
  const NoiseSchedule whole = make_schedule("linear", 1000);
  const Process process(whole, MeanType::x0, VarianceType::fixed_small);
  for (const double eta : {0.0, 0.3, 0.7, 1.0}) {
    CAPTURE(eta);
    // Every step is affine in x: follows mean and variance beside the sampler, which gets the mean and one deviation.
    SamplerOptions options;
    options.clip = false;
    options.eta = eta;
    double mean = 0, variance = 1;
    Index t = whole.steps() - 1;
    const NoiseSource none = [](Index) { return Tensor::zeros({2, 1}); };
    const auto observe = [&](Index, const Var& x, const Var&) {
      const double ab = whole.alphas_cumprod[t], prev = whole.alphas_cumprod_prev[t];
      const double sigma = eta * std::sqrt((1 - prev) / (1 - ab) * (1 - ab / prev));  // [Song21] eq. 16
      const double gain = (s * s * std::sqrt(ab)) / (s * s * ab + 1 - ab),
                   shift = (1 - ab) * mu / (s * s * ab + 1 - ab);
      const double along = std::sqrt(std::max(1 - prev - sigma * sigma, 0.0) / (1 - ab));
      const double slope = std::sqrt(prev) * gain + along * (1 - std::sqrt(ab) * gain);
      mean = slope * mean + (std::sqrt(prev) - along * std::sqrt(ab)) * shift;
      variance = slope * slope * variance + sigma * sigma;
      CHECK(static_cast<double>(x.value()[0]) == Approx(mean).epsilon(tolerance(1e-9, 1e-3)));
      if (t > 0) CHECK(std::sqrt(variance / (s * s * prev + 1 - prev)) == Approx(1).epsilon(0.01));
      --t;
    };
    sample_ddim(
        {.process = process, .network = exact(whole, mu, s), .options = options, .noise = none, .observe = observe},
        Tensor::zeros({2, 1}));
    CHECK(mean == Approx(mu).epsilon(0.02));
    CHECK(std::sqrt(variance) == Approx(s).epsilon(0.02));
  }
}
