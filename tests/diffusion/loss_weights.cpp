#include "diffusion/formulations/loss_weights.h"

#include "diffusion/formulations/losses.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("every weight: whatever the network predicts, the loss is the weighted squared error of x_0") {
  const Shape shape{4, 2, 2, 1};
  const std::vector<Index> t{0, 3, 11, 19};
  const Tensor x0 = noise(shape, 1), eps = noise(shape, 2), pred_x0 = (Var(x0) + 0.1 * Var(noise(shape, 3))).value();
  for (const LossWeight& weight : loss_weights()) {
    if (weight.of_x0 == nullptr) continue;
    CAPTURE(std::string(weight.name));
    const NoiseSchedule schedule = make_schedule("cosine", 25);
    const Var x0_mse = mean_per_sample(square(Var(x0) - Var(pred_x0)));
    const OptionValues values = complete("weight", weight.options, {});
    const Var want = x0_mse * per_sample(t, 1, [&](std::size_t k) { return weight.of_x0(schedule.snr[k], values); });
    for (const MeanKind& mean : mean_kinds()) {
      CAPTURE(std::string(mean.name));
      const Process process(schedule, mean.type, VarianceType::fixed_small);
      const Var x_t = process.q_sample(x0, t, eps);
      // the answer that says pred_x0
      const Var answer = process.target(pred_x0, t, process.eps_from_x0(x_t, t, pred_x0));
      const std::vector<double> weights = make_loss_weights(weight.name, schedule.alphas_cumprod, mean.type);
      const Var loss = find_loss("mse").terms({process, t, x0, x_t, eps, answer}, {.weights = weights}).loss;
      CHECK(difference((loss / want).value(), Tensor::full({4}, 1)) < tolerance(1e-10, 2e-3));
    }
  }
}

TEST_CASE("weights as published: eps has min(snr, 5) / snr, v has min(snr, 5) / (snr + 1); snr leaves eps alone") {
  const NoiseSchedule schedule = make_schedule("linear", 100);
  const auto weights = [&](const char* name, MeanType type) {
    return make_loss_weights(name, schedule.alphas_cumprod, type);
  };
  for (std::size_t t = 0; t < 100; ++t) {
    const double snr = schedule.snr[t];
    CHECK(weights("min_snr", MeanType::eps)[t] == Approx(std::min(snr, 5.0) / snr));
    CHECK(weights("min_snr", MeanType::v)[t] == Approx(std::min(snr, 5.0) / (snr + 1)));
    CHECK(weights("truncated_snr", MeanType::x0)[t] == Approx(std::max(snr, 1.0)));
    CHECK(weights("snr", MeanType::eps)[t] == Approx(1));
    CHECK(weights("p2", MeanType::v)[t] == Approx(snr / ((1 + snr) * (1 + snr))));
    CHECK(weights("none", MeanType::v)[t] == 1);
  }
}

TEST_CASE("where nothing of the data is left, weights that vanish there are refused") {
  const NoiseSchedule schedule = with_zero_terminal_snr(make_schedule("linear", 50));
  for (const char* name : {"min_snr", "p2", "snr"})
    CHECK(contains(error_of([&] { make_loss_weights(name, schedule.alphas_cumprod, MeanType::v); }),
                   "zero-terminal-SNR"));
  CHECK(make_loss_weights("truncated_snr", schedule.alphas_cumprod, MeanType::v).back() == 1);
  CHECK(contains(error_of([&] { make_loss_weights("min-snr", schedule.alphas_cumprod, MeanType::v); }), "min_snr, p2"));
}

TEST_CASE("Huber: squared inside, linear outside with slope 2 huber, joined smoothly; infinite is the squared error") {
  const Tensor zero = Tensor::zeros({5, 1}), e = Tensor::from({5, 1}, {0.3, -0.5, 0.50001, 2, -3});
  Tape tape;
  const Var x = tape.variable(e);
  const Var loss = prediction_error(zero, x, 0.5);
  const double want[] = {0.09, 0.25, 0.25001, 0.5 * (4 - 0.5), 0.5 * (6 - 0.5)};
  for (Index i = 0; i < 5; ++i) CHECK(static_cast<double>(loss.value()[i]) == Approx(want[i]).epsilon(1e-5));
  tape.backward(sum(loss));
  const Tensor slopes = tape.gradient(x);
  const double want_slopes[] = {0.6, -1, 1, 1, -1};
  for (Index i = 0; i < 5; ++i) CHECK(static_cast<double>(slopes[i]) == Approx(want_slopes[i]).epsilon(1e-5));
  CHECK(difference(prediction_error(zero, e, 100).value(), prediction_error(zero, e).value()) < 1e-6);
}
