// With a learned variance the terms of the bound that a sample doesn't have were multiplied by 0; where they were
// infinite, the loss was NaN. And of the weights of a squared error only the last was checked, and none was too large.
#include "data/toy.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/training/lint.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

bool finite(const Tensor& x) {
  return std::all_of(x.values().begin(), x.values().end(), [](real value) { return std::isfinite(value); });
}

// Every schedule for T steps that can be, and with its end at pure noise.
std::vector<NoiseSchedule> schedules_of(Index T) {
  std::vector<NoiseSchedule> all;
  for (const ScheduleKind& kind : schedules()) {
    if (error_of([&] { make_schedule(kind.name, T); }) != "nothing") continue;
    all.push_back(make_schedule(kind.name, T));
    if (T > 1) all.push_back(with_zero_terminal_snr(all.back()));
  }
  return all;
}

}  // namespace

TEST_CASE("every loss, schedule, prediction and variance: the loss and its gradient are finite at every end") {
  const Shape shape{3, 2, 2, 1};
  const Tensor x0 = clamp(Var(noise(shape, 1)), -1, 1).value(), eps = noise(shape, 2);
  for (const Index T : {1, 2, 3, 25, 1000}) {
    for (const NoiseSchedule& schedule : schedules_of(T)) {
      const std::vector<Index> t{0, T / 2, T - 1};
      for (const MeanKind& mean : mean_kinds()) {
        if (schedule.alphas_cumprod.back() == 0 && mean.type == MeanType::eps) continue;
        for (const VarianceKind& variance : variance_kinds()) {
          const Process process(schedule, mean.type, variance.type);
          const Tensor x_t = process.q_sample(x0, t, eps).value();
          const Tensor output = noise(shape.with(-1, output_channels(1, variance.type)), 3);
          for (const Loss& loss : losses()) {
            CAPTURE(T);
            CAPTURE(std::string(loss.name));
            CAPTURE(std::string(mean.name));
            CAPTURE(std::string(variance.name));
            Tape tape;
            const Var on_tape = tape.variable(output);
            const Var got = loss.terms({process, t, x0, x_t, eps, on_tape}, {}).loss;
            CHECK(finite(got.value()));
            tape.backward(sum(got));
            CHECK(finite(tape.gradient(on_tape)));
          }
        }
      }
    }
  }
}

TEST_CASE("the decoder and the KL of a learned variance, each where it doesn't apply, do no harm") {
  const Shape shape{2, 3};
  const Process process(make_schedule("cosine", 100), MeanType::x0, VarianceType::learned);
  const Tensor x0 = Tensor::from(shape, {0.3, -1, 1, 0, 0.5, -0.2}), eps = noise(shape, 2);
  const std::vector<Index> t{0, 60};
  const Tensor x_t = process.q_sample(x0, t, eps).value();
  const double own = process.schedule.posterior_log_variance_clipped[60];
  for (const double wild : {-1000.0, -200.0, -100.0, -30.0, 0.0, 100.0, 1000.0}) {
    CAPTURE(wild);
    Tape tape;
    // At t = 0 the wild variance is the decoder's, and makes the KL infinite; at t = 60 the posterior's is exact.
    const Var v = tape.variable(Tensor::from(shape, {wild, wild, wild, own, own, own}));
    const VbTerm term = vb_term(process, x0, x_t, t, {x0, v}, false);
    CHECK(finite(term.bits.value()));
    CHECK(static_cast<double>(term.bits.value()[1]) == doctest::Approx(0).epsilon(1e-3));
    if (wild <= -30) CHECK(static_cast<double>(term.bits.value()[0]) == doctest::Approx(0).epsilon(1e-3));
    tape.backward(sum(term.bits));
    CHECK(finite(tape.gradient(v)));
  }
}

TEST_CASE("a schedule whose numbers can't be represented is refused") {
  CHECK(contains(error_of([] { NoiseSchedule({1e-20, 0.1}); }), "alphas_cumprod at step 0"));
  CHECK(contains(error_of([] { NoiseSchedule(std::vector<double>(400, 0.9)); }), "only the last may be 0"));
}

TEST_CASE("weights, for every schedule and prediction: positive and not huge, or an error, or a warning") {
  const PointSet points = toy("two_moons", 100, 1);
  Index errors = 0, warnings = 0, sound = 0;
  for (const char* formulation : {"chain", "continuous"}) {
    for (const ScheduleKind& schedule : schedules()) {
      for (const bool zero : {false, true}) {
        for (const MeanKind& mean : mean_kinds()) {
          for (const LossWeight& weight : loss_weights()) {
            Config config;
            config.data.train = "toy:two_moons";
            config.model.network = "mlp";
            config.diffusion.formulation = formulation;
            config.diffusion.schedule = schedule.name;
            config.diffusion.zero_terminal_snr = zero;
            config.diffusion.prediction = mean.name;
            config.diffusion.loss_weight = weight.name;
            if (const std::string error = error_of([&] { check_config(config); }); error != "nothing") {
              CHECK(zero);  // pure noise: some weights vanish there, and eps can't be
              ++errors;
              continue;
            }
            const std::vector<double> weights = loss_weights_of(config.diffusion);
            const auto [smallest, largest] = std::minmax_element(weights.begin(), weights.end());
            CHECK(*smallest > 0);
            CHECK(std::isfinite(*largest));
            bool warned = false;
            for (const std::string& warning : lint(config, points)) warned |= contains(warning, "loss_weight");
            CHECK(warned == (*largest > 1e6));
            ++(warned ? warnings : sound);
          }
        }
      }
    }
  }
  CHECK(errors > 10);
  CHECK(warnings > 0);
  CHECK(sound > 100);
}

TEST_CASE("the weight that began it: truncated_snr of eps at the end of a cosine chain") {
  Config config;
  config.model.network = "mlp";
  config.diffusion.schedule = "cosine";
  config.diffusion.loss_weight = "truncated_snr";
  std::string all;
  for (const std::string& warning : lint(config, toy("two_moons", 100, 1))) all += warning;
  CHECK(contains(all, "4.1e+08"));
  CHECK(contains(all, "min_snr"));
  config.diffusion.loss_weight = "p2";
  config.diffusion.loss_weight_parameters = {{"k", -1}};  // zero at some time step in the middle
  config.diffusion.loss_weight_parameters["gamma"] = 0.5;
  CHECK_THROWS_AS(check_config(config), UsageError);
  config.diffusion.formulation = "continuous";
  CHECK_THROWS_AS(check_config(config), UsageError);
}
