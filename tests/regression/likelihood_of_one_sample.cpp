// The ODE's integration steps were shared by a batch, so a sample's likelihood depended on its neighbours, and nothing
// told the numerical error. A NaN in the state was dropped by the error estimate.
#include "data/image_set.h"
#include "data/subset.h"
#include "data/toy.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/model/config.h"
#include "tests/diffusion/exact_denoiser.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

Config config_of(const char* network) {
  Config c;
  c.data.train = "none";
  c.model.network = network;
  c.model.channel_mult = {1};
  c.model.num_res_blocks = 1;
  c.model.attention_resolutions = {};
  c.model.hidden = 16, c.model.depth = 1;
  c.diffusion.prediction = "v";
  return c;
}

// A network with random weights everywhere, so that its output depends on x.
DiffusionModel random_model(const char* network, const Shape& sample) {
  DiffusionModel model = build_model(config_of(network), {sample, {}});
  std::uint32_t channel = 0;
  for (const Parameter& p : model.network().parameters.all()) {
    Tensor value = p.value;
    value.copy_from((0.05 * Var(noise(value.shape(), ++channel))).value());
  }
  return model;
}

PointSet points_of(const Tensor& x) {
  PointSet set;
  set.points = x;
  return set;
}

// D(x; sigma) of N(0, 1), whose gradient is wrong: the tape is told a slope of `slope`.
struct Claims : Formulation {
  Claims(Process process, double slope) : Formulation(std::move(process)), slope(slope) {}
  Var losses(const NetworkFunction&, const Var&, const Var&, std::span<const double>) const override { return {}; }
  Var denoise(const NetworkFunction&, const Var& x, double sigma) const override {
    return slope * x + Var(((1 / (1 + sigma * sigma) - slope) * Var(x.value())).value());
  }
  SigmaRange sigma_range() const override { return {0.002, 80}; }
  double slope;
};

const GaussianMixture clusters{
    {{0.3, {-1, 0.5, 0, 1, 0, 0.3, 0.2, -0.6}, 0.1}, {0.7, {0.8, -0.2, 0, 0, 1, 0, -1, 0}, 0.3}}};

}  // namespace

TEST_CASE("a sample's likelihood is the same, to the bit, whatever batch it is in: an exact denoiser") {
  const Tensor x = noise({6, 8}, 4);
  const OdeOptions options{.tolerance = 1e-3, .probes = 1};
  const OdeLikelihood together = ode_log_likelihood(exact_denoiser(clusters), x, options);
  for (Index n = 0; n < 6; ++n) {
    OdeOptions own = options;
    own.first_sample = n;
    const OdeLikelihood alone = ode_log_likelihood(exact_denoiser(clusters), x.rows(n, n + 1), own);
    CHECK(alone.log_density[0] == together.log_density[n]);
    CHECK(alone.numerical_error[0] == together.numerical_error[n]);
  }
}

TEST_CASE("a sample's likelihood is the same, to the bit, whatever set it is in: networks") {
  const DiffusionModel plane = random_model("mlp", {2});
  const Tensor x = noise({300, 2}, 4);
  const auto nats = [](const DiffusionModel& model, const Dataset& set, Index count, Index probes) {
    return evaluate_likelihood(model, set, count, {.tolerance = 0.1, .probes = probes}).nats.value;
  };
  const PointSet all = points_of(x);
  double sum = 0;
  const Subset three(all, 3);
  for (const Index n : three.rows()) {
    Tensor own = x.rows(n, n + 1).clone();
    sum += nats(plane, points_of(own), 1, 0) / 3;
  }
  CHECK(nats(plane, all, 3, 0) == sum);
  const Index drawn = three.rows()[0];
  CHECK(nats(plane, points_of(x.rows(drawn, drawn + 1).clone()), 1, 1) == nats(plane, all, 1, 1));

  const DiffusionModel pictures = random_model("unet", {8, 8, 1});
  ImageSet set;
  set.count = 3, set.height = set.width = 8, set.channels = 1;
  for (int i = 0; i < 3 * 64; ++i) set.images.push_back(static_cast<std::uint8_t>(i * 37 % 256));
  const Index one = Subset(set, 1).rows()[0];
  ImageSet alone = set;
  alone.count = 1;
  alone.images.assign(set.images.begin() + one * 64, set.images.begin() + (one + 1) * 64);
  CHECK(nats(pictures, set, 1, 1) == nats(pictures, alone, 1, 1));
}

TEST_CASE("the numerical error that is stated covers the true one, at every tolerance") {
  const Tensor x = (0.5 * Var(noise({4, 8}, 5))).value();
  const std::vector<double> want = clusters.log_density(x, 0.01);
  for (const double tolerance : {1e-2, 1e-3}) {
    CAPTURE(tolerance);
    const OdeLikelihood got = ode_log_likelihood(
        exact_denoiser(clusters), x, {.sigma_min = 0.01, .sigma_max = 1e5, .tolerance = tolerance, .probes = 0});
    for (std::size_t n = 0; n < want.size(); ++n) {
      CHECK(std::abs(got.log_density[n] - want[n]) < got.numerical_error[n] + reverie::tolerance(1e-3, 1e-2));
      CHECK(got.numerical_error[n] <= 8 * tolerance);
    }
  }
  const PointSet set = toy("two_moons", 20, 1);
  const LikelihoodEvaluation all = evaluate_likelihood(random_model("mlp", {2}), set, 20, {.tolerance = 1e-2});
  CHECK(all.numerical_error > 0);
  CHECK(all.numerical_error <= 2e-2);
}

TEST_CASE("a value that no coder can reach is refused, with the reason") {
  ImageSet set;
  set.count = 2, set.height = set.width = 4, set.channels = 1;
  for (int i = 0; i < 32; ++i) set.images.push_back(static_cast<std::uint8_t>(i * 8));
  const auto likelihood = [&](double slope) {
    const DataFacts facts{set.sample_shape(), {}};
    Process process(make_schedule("linear", 100), MeanType::x0, VarianceType::fixed_small);
    NetworkOptions network = config_of("unet").model;
    network.channels = 32;
    const DiffusionModel model(facts, make_network(network, facts, VarianceType::fixed_small, false, 0),
                               std::make_unique<Claims>(std::move(process), slope));
    return error_of([&] { evaluate_likelihood(model, set, 2, {.tolerance = 1e-3}); });
  };
  CHECK(likelihood(0.5) == "nothing");
  CHECK(contains(likelihood(-5), "8-bit values take at least 0"));
}

TEST_CASE("a NaN or an infinity in the denoiser is refused where it appears, and a solution that never settles too") {
  for (const double value : {double(NAN), double(INFINITY)}) {
    Index evaluations = 0;
    const Denoiser broken = [&](const Var& x, double sigma) {
      ++evaluations;
      Tensor shift = Tensor::zeros(x.shape());
      if (sigma > 1) shift[x.size() - 1] = static_cast<real>(value);  // of the last sample, in its last value
      return x / (1 + sigma * sigma) + Var(shift);
    };
    const std::string error = error_of([&] { ode_log_likelihood(broken, noise({3, 2}), {.probes = 0}); });
    CHECK(contains(error, "at sigma 1."));
    CHECK(contains(error, concat("is ", static_cast<real>(value))));
    CHECK(evaluations < 100);
  }
  const Denoiser rough = [](const Var& x, double sigma) {  // its slope is another at every sigma
    return std::sin(1e9 * sigma) * x;
  };
  CHECK(contains(error_of([&] {
                   ode_log_likelihood(rough, noise({2, 2}), {.tolerance = 1e-7, .probes = 0});
                 }),
                 "a tolerance above"));
  CHECK_THROWS_AS(ode_log_likelihood(rough, noise({2, 2}), {.sigma_max = INFINITY}), UsageError);
}
