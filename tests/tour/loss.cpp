// The numbers of docs/tour/06-loss.md.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "diffusion/formulations/losses.h"
#include "tests/tour/page.h"

using namespace reverie;
using doctest::Approx;

namespace {

const Page& page() {
  static const Page page("06-loss.md");
  return page;
}

double weight(const NoiseSchedule& s, std::size_t t) {
  return s.betas[t] * s.betas[t] / (2 * s.posterior_variance[t] * (1 - s.betas[t]) * (1 - s.alphas_cumprod[t]));
}

double kl(double mean1, double variance1, double mean2, double variance2) {
  return static_cast<double>(
      normal_kl(Tensor::scalar(static_cast<real>(mean1)), Tensor::scalar(static_cast<real>(std::log(variance1))),
                Tensor::scalar(static_cast<real>(mean2)), Tensor::scalar(static_cast<real>(std::log(variance2))))
          .item());
}

// Bits of a byte whose value is `x`, under a Gaussian.
double bits(double x, double mean, double deviation) {
  const Var log_likelihood = discretized_gaussian_log_likelihood(
      Tensor::from({1, 1}, {x}), Tensor::from({1, 1}, {mean}), Tensor::from({1, 1}, {std::log(deviation)}), Cdf::exact);
  return -static_cast<double>(log_likelihood.item()) / std::numbers::ln2;
}

}  // namespace

TEST_CASE("tour, loss: the weights of the bound, by both formulas and by the library's bound") {
  const NoiseSchedule linear = make_schedule("linear", 1000);
  page().says("| $w_t$, linear schedule | {} | {} | {} | {} | {} |",
              {weight(linear, 1), weight(linear, 10), weight(linear, 100), weight(linear, 500), weight(linear, 999)});
  page().says("the bound weighs an error at $t = 1$ {} times as heavily. But the noise there has a deviation of {},",
              {weight(linear, 1) / weight(linear, 500), std::sqrt(1 - linear.alphas_cumprod[1])});
  const Process process(linear, MeanType::eps, VarianceType::fixed_small);
  const Tensor x0 = Tensor::from({1, 2}, {0.3, -0.8}), noise = Tensor::from({1, 2}, {0.5, -1.5}),
               guess = Tensor::from({1, 2}, {0.7, -1.0});
  const double error = (0.2 * 0.2 + 0.5 * 0.5) / 2;
  for (const Index t : {100, 500, 900}) {
    const std::vector<Index> steps = {t};
    const Var x_t = process.q_sample(x0, steps, noise);
    const VbTerm term = vb_term(process, x0, x_t, steps, NetworkOutput{guess, {}}, false);
    CHECK(static_cast<double>(term.bits.item()) * std::numbers::ln2 ==
          Approx(weight(linear, static_cast<std::size_t>(t)) * error).epsilon(sizeof(real) == 4 ? 0.02 : 1e-9));
  }
}

TEST_CASE("tour, loss: a KL, a weight and a byte by hand") {
  page().says("$\\mathrm{KL} = 0.2^2 / (2 \\cdot 0.04) = {}$ nats, $0.5 / \\ln 2 = {}$ bits",
              {kl(0.5, 0.04, 0.3, 0.04), kl(0.5, 0.04, 0.3, 0.04) / std::numbers::ln2});
  page().says("$\\tfrac12 (\\ln 2 + 0.5 + 0.5 - 1) = {}$ nats", {kl(0.5, 0.04, 0.3, 0.08)});

  const NoiseSchedule two({0.36, 0.64});
  const double difference = (two.snr[0] - two.snr[1]) / 2, c = two.posterior_mean_coef1[1];
  page().says("$0.64 / 0.36 = {}$ and $0.2304 / 0.7696 = {}$", {two.snr[0], two.snr[1]});
  page().says("$({} - {}) / 2 = {}$", {two.snr[0], two.snr[1], difference});
  page().says("${}^2 / (2 \\cdot {}) = {}$", {c, two.posterior_variance[1], c * c / (2 * two.posterior_variance[1])});

  const double z = 1.0 / 255 / 0.01, probability = std::exp2(-bits(0.2, 0.2, 0.01));
  page().says("the bin reaches ${} / 0.01 = {}$ deviations", {1.0 / 255, z});
  page().says("Its probability is {}, which costs $-\\log_2 {} = {}$ bits. With a deviation of {} it costs {} bits;",
              {probability, probability, bits(0.2, 0.2, 0.01), 0.002, bits(0.2, 0.2, 0.002)});
  page().says("a mean that is one byte off, {} bits", {bits(0.2, 0.2 + 2.0 / 255, 0.002)});
}
