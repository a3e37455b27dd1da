#include "diffusion/process/gaussian.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

double kl(double mean1, double variance1, double mean2, double variance2) {
  const auto number = [](double x) { return Var(Tensor::scalar(static_cast<real>(x))); };
  return static_cast<double>(
      normal_kl(number(mean1), number(std::log(variance1)), number(mean2), number(std::log(variance2))).item());
}

// P of each of the 256 values under N(mean, scale^2) cut into bins.
std::vector<double> probabilities(double mean, double scale, Cdf cdf) {
  Tensor x = Tensor::uninitialized({256});
  for (Index i = 0; i < 256; ++i) x[i] = static_cast<real>(static_cast<double>(i) / 127.5 - 1);
  const Tensor logs = discretized_gaussian_log_likelihood(x, Tensor::full({256}, static_cast<real>(mean)),
                                                          Tensor::full({256}, static_cast<real>(std::log(scale))), cdf)
                          .value();
  std::vector<double> p;
  for (const real l : logs.values()) p.push_back(std::exp(static_cast<double>(l)));
  return p;
}

}  // namespace

TEST_CASE("KL of normal distributions: zero for equal ones, the textbook's numbers for others") {
  CHECK(kl(0.3, 2, 0.3, 2) == Approx(0));
  CHECK(kl(1, 1, 0, 1) == Approx(0.5));
  CHECK(kl(0, 4, 0, 1) == Approx((4 - 1 - std::log(4)) / 2).epsilon(1e-6));
  CHECK(kl(2, 1, 0, 4) == Approx((0.25 - 1 + std::log(4) + 1) / 2).epsilon(1e-6));
}

TEST_CASE("the decoder's probabilities of the 256 values sum to 1: the bins meet and the end bins are open") {
  for (const Cdf cdf : {Cdf::tanh, Cdf::exact}) {
    for (const double mean : {-1.3, 0.0, 0.4, 1.0}) {
      for (const double scale : {0.003, 0.1, 2.0}) {
        double sum = 0;
        for (const double p : probabilities(mean, scale, cdf)) sum += p;
        CHECK(sum == Approx(1).epsilon(tolerance(1e-8, 1e-4)));
      }
    }
  }
}

TEST_CASE("a wide decoder's bin holds the density times its width, and an open bin the rest of the line") {
  const std::vector<double> p = probabilities(0.2, 1, Cdf::exact);
  const double x = 100 / 127.5 - 1, density = std::exp(-(x - 0.2) * (x - 0.2) / 2) / std::sqrt(2 * 3.14159265358979);
  CHECK(p[100] == Approx(density * 2 / 255).epsilon(1e-4));
  CHECK(p[0] == Approx(std::erfc((1.2 - 1 / 255.0) / std::sqrt(2)) / 2).epsilon(1e-5));
  CHECK(p[255] == Approx(std::erfc((0.8 - 1 / 255.0) / std::sqrt(2)) / 2).epsilon(1e-5));
}

TEST_CASE("the tanh form of the normal distribution function is off by 1.8e-4 at most") {
  double largest = 0;  // seen through the lowest bin, which is F((-1 + 1/255 - mean) / 1)
  for (double mean = -4; mean < 2; mean += 0.01) {
    largest = std::max(largest, std::abs(probabilities(mean, 1, Cdf::tanh)[0] - probabilities(mean, 1, Cdf::exact)[0]));
  }
  CHECK(largest > 1.7e-4);
  CHECK(largest < 1.85e-4);
}

TEST_CASE("the decoder stays finite, with finite slopes, far outside its bin") {
  for (const Cdf cdf : {Cdf::tanh, Cdf::exact}) {
    Tape tape;
    const Tensor x = Tensor::from({1, 3}, {-1, 0, 1});
    const Var means = tape.variable(Tensor::from({1, 3}, {0.9, 0.5, -0.9})),
              log_scales = tape.variable(Tensor::full({1, 3}, -30));
    const Var nats = discretized_gaussian_log_likelihood(x, means, log_scales, cdf);
    for (const real l : nats.value().values()) CHECK(static_cast<double>(l) == Approx(std::log(1e-12)));
    tape.backward(sum(nats));
    CHECK(difference(tape.gradient(means), Tensor::zeros({1, 3})) == 0);
    CHECK(difference(tape.gradient(log_scales), Tensor::zeros({1, 3})) == 0);
  }
}

TEST_CASE("bits per dimension: nats / ln 2, averaged over an example") {
  const Tensor bits = bits_per_dim(Tensor::from({2, 1, 2}, {std::log(2), 3 * std::log(2), 0, 0})).value();
  CHECK(static_cast<double>(bits[0]) == Approx(2));
  CHECK(bits[1] == 0);
}
