#include "diffusion/formulations/losses.h"

#include "autograd/gradcheck.h"
#include "diffusion/evaluation/bound.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

struct Example {
  Process process;
  std::vector<Index> t{0, 1, 15, 29};
  Tensor x0, eps, x_t, output;

  Example(MeanType mean, VarianceType variance) : process(make_schedule("cosine", 30), mean, variance) {
    const Shape shape{4, 2, 2, 2};
    x0 = clamp(Var(noise(shape, 1)) * 0.5, -1, 1).value();
    eps = noise(shape, 2);
    x_t = process.q_sample(x0, t, eps).value();
    output = (Var(noise(shape.with(-1, output_channels(2, variance)), 3)) * 0.3).value();
  }
  LossInput input(const Var& model_output) const { return {process, t, x0, x_t, eps, model_output}; }
};

}  // namespace

TEST_CASE("every loss: what it is made of, for every prediction and variance") {
  for (const Loss& loss : losses()) {
    for (const MeanKind& mean : mean_kinds()) {
      for (const VarianceKind& variance : variance_kinds()) {
        CAPTURE(std::string(loss.name));
        CAPTURE(std::string(mean.name));
        CAPTURE(std::string(variance.name));
        const Example example(mean.type, variance.type);
        const LossTerms terms = loss.terms(example.input(example.output), {});
        CHECK(terms.loss.shape() == Shape{4});
        const bool bound_only = contains(loss.name, "kl");
        CHECK(terms.mse.value().defined() == !bound_only);
        CHECK(terms.vb.value().defined() == (!bound_only && variance.learned));
        if (terms.vb.value().defined()) {
          CHECK(difference((terms.mse + terms.vb).value(), terms.loss.value()) == 0);
        } else if (!bound_only) {
          CHECK(difference(terms.mse.value(), terms.loss.value()) == 0);
        }
      }
    }
  }
}

TEST_CASE("the right answer has no squared error; one of eight elements off by 2 has 4 / 8") {
  for (const MeanKind& mean : mean_kinds()) {
    const Example example(mean.type, VarianceType::fixed_small);
    Tensor answer = example.process.target(example.x0, example.t, example.eps).value().clone();
    CHECK(difference(find_loss("mse").terms(example.input(answer), {}).loss.value(), Tensor::zeros({4})) == 0);
    answer[0] += 2;
    CHECK(static_cast<double>(find_loss("mse").terms(example.input(answer), {}).loss.value()[0]) ==
          Approx(4.0 / 8).epsilon(1e-5));
  }
}

TEST_CASE("the hybrid loss trains the prediction by the squared error alone, the variance by the bound alone") {
  const Example example(MeanType::eps, VarianceType::learned_range);
  const Shape half{4, 2, 2, 2};
  const auto gradient = [&](const char* loss) {
    Tape tape;
    const Var output = tape.variable(example.output);
    tape.backward(sum(find_loss(loss).terms(example.input(output), {}).loss));
    return tape.gradient(output);
  };
  const NetworkOutput hybrid = split_output(gradient("rescaled_mse"), half, VarianceType::learned_range);
  const NetworkOutput bound = split_output(gradient("kl"), half, VarianceType::learned_range);
  const NetworkOutput parts = split_output(example.output, half, VarianceType::learned_range);
  const Var squared_error_gradient = (parts.prediction - Var(example.eps)) * (2.0 / 8);
  CHECK(difference(hybrid.prediction.value(), squared_error_gradient.value()) < tolerance(1e-14, 1e-6));
  CHECK(difference(hybrid.variance.value(), (bound.variance * (30 / 1000.0)).value()) < tolerance(1e-14, 1e-5));
  CHECK(difference(bound.prediction.value(), Tensor::zeros(half)) > 1e-3);
}

TEST_CASE("rescaled losses weigh the bound's term with T, and with T / 1000 beside the squared error") {
  const Example example(MeanType::v, VarianceType::learned);
  const auto terms = [&](const char* loss) { return find_loss(loss).terms(example.input(example.output), {}); };
  CHECK(difference(terms("rescaled_kl").loss.value(), (terms("kl").loss * 30).value()) == 0);
  CHECK(difference(terms("mse").vb.value(), terms("kl").loss.value()) == 0);
  CHECK(difference(terms("rescaled_mse").vb.value(), (terms("kl").loss * 0.03).value()) < tolerance(1e-15, 1e-6));
}

TEST_CASE("the bound's term is zero where p is the posterior, and the decoder's at t = 0") {
  const Example example(MeanType::x0, VarianceType::fixed_small);
  const Tensor bits =
      vb_term(example.process, example.x0, example.x_t, example.t, {example.x0, {}}, false).bits.value();
  for (Index n = 1; n < 4; ++n) CHECK(std::abs(static_cast<double>(bits[n])) < 1e-6);
  CHECK(bits[0] > 0);
  const Tensor exact =
      vb_term(example.process, example.x0, example.x_t, example.t, {example.x0, {}}, false, Cdf::exact).bits.value();
  CHECK(exact[0] != bits[0]);
  CHECK(static_cast<double>(exact[0]) == Approx(static_cast<double>(bits[0])).epsilon(0.05));
}

TEST_CASE("the gradient of the bound's term is right for every prediction and variance" *
          doctest::skip(sizeof(real) == 4)) {
  for (const MeanKind& mean : mean_kinds()) {
    for (const VarianceKind& variance : variance_kinds()) {
      CAPTURE(std::string(mean.name));
      CAPTURE(std::string(variance.name));
      Example example(mean.type, variance.type);
      example.t = {0, 1, 8, 15};  // near the chain's end x_0 from eps is too steep for differences
      const auto f = [&](std::span<const Var> in) { return find_loss("kl").terms(example.input(in[0]), {}).loss; };
      CHECK(gradcheck(f, std::vector<Tensor>{example.output}).error < 5e-6);
    }
  }
}

TEST_CASE("an unknown loss is told what there is") {
  CHECK(contains(error_of([] { find_loss("l2"); }), "mse, rescaled_mse, kl, rescaled_kl"));
}

TEST_CASE("for Gaussian data and the exact denoiser every term of the bound has its closed form") {
  const double mu = 0.3, s = 0.5;
  for (const VarianceType type : {VarianceType::fixed_small, VarianceType::fixed_large, VarianceType::learned}) {
    CAPTURE(std::string(name(type)));
    const Process process(respace(make_schedule("linear", 300), "ddim60"), MeanType::x0, type);
    const NoiseSchedule& schedule = process.schedule;
    const GaussianVariance& variance = find_line("variance", gaussian_variances(),
                                                 type == VarianceType::learned ? "optimal" : std::string(name(type)));
    const std::vector<double> variances = variance.variances(schedule, s);
    const GaussianBound want = gaussian_bound(schedule, mu, s, variances);
    const Denoiser exact = gaussian_data(mu, s).denoiser();
    const NetworkFunction model = [&](const Var& x_t, std::span<const double> original) {
      const auto t = static_cast<std::size_t>(original[0] / 5);
      const double sigma = schedule.sqrt_recipm1_alphas_cumprod[t];
      const Var x0 = exact(x_t * std::sqrt(1 + sigma * sigma), sigma);
      if (type != VarianceType::learned) return x0;
      return concat({x0, Var(Tensor::full(x_t.shape(), static_cast<real>(std::log(variances[t]))))}, -1);
    };
    // The terms are quadratic in x_0 and the noise, so four corners give the expectation over both exactly.
    const Tensor x0 = Tensor::from({4, 1}, {mu + s, mu + s, mu - s, mu - s});
    const Tensor corners = Tensor::from({4, 1}, {1, -1, 1, -1});
    const VariationalBound bound = variational_bound(
        process, model, x0, [&](Index) { return corners; }, false);
    const auto expectation = [](const Tensor& table, std::size_t t) {
      double sum = 0;
      for (Index n = 0; n < 4; ++n) sum += static_cast<double>(table[n * 60 + static_cast<Index>(t)]);
      return sum / 4;
    };
    for (std::size_t t = 0; t < 60; ++t) {
      CAPTURE(t);
      CHECK(expectation(bound.x0_mse, t) == Approx(want.x0_mse[t]).epsilon(tolerance(1e-10, 1e-3)));
      CHECK(expectation(bound.mse, t) == Approx(want.eps_mse[t]).epsilon(tolerance(1e-10, 1e-3)));
      if (t == 0) continue;  // the decoder counts 8-bit values
      CHECK(expectation(bound.vb, t) == Approx(want.vb[t] / std::log(2)).epsilon(tolerance(1e-9, 2e-3)));
    }
    double total = 0, sum = 0;
    for (Index n = 0; n < 4; ++n) {
      total += static_cast<double>(bound.total[n]);
      sum += static_cast<double>(bound.prior[n]);
    }
    CHECK(sum / 4 == Approx(want.prior / std::log(2)).epsilon(tolerance(1e-10, 1e-3)));
    for (const real vb : bound.vb.values()) sum += static_cast<double>(vb);
    CHECK(total == Approx(sum).epsilon(tolerance(1e-12, 1e-5)));
  }
}
