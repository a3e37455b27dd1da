#include "data/toy.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/formulations/chain.h"
#include "diffusion/formulations/continuous.h"
#include "diffusion/formulations/edm.h"
#include "diffusion/formulations/flow.h"
#include "diffusion/process/gaussian.h"
#include "diffusion/samplers/flow_solvers.h"
#include "tensor/parallel.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

const GaussianMixture data{{{0.4, {-0.5, 0.2}, 0.3}, {0.6, {0.6, -0.1}, 0.1}}};

Config config_of(const char* formulation) {
  Config config;
  config.data.train = "toy";
  config.diffusion.formulation = formulation;
  config.diffusion.schedule = "log_snr";
  config.diffusion.steps = 40;
  return config;
}

// The raw network that each formulation would learn if it learned perfectly: from what the network sees, x_0 by the
// oracle, and from that the answer.
NetworkFunction perfect_edm(double sigma_data) {
  return [=](const Var& seen, std::span<const double> t) {
    const double sigma = std::exp(4 * t[0] / network_time_scale);
    const EdmPreconditioning c = edm_preconditioning(sigma, sigma_data);
    const Var x = seen / c.c_in;
    return (Var(data.denoise(x.value(), sigma)) - c.c_skip * x) / c.c_out;
  };
}

NetworkFunction perfect_flow() {
  return [](const Var& x_u, std::span<const double> t) {
    const double u = t[0] / network_time_scale;
    const Tensor x0 = data.denoise((x_u / (1 - u)).value(), u / (1 - u));
    return (x_u - x0) / u;
  };
}

NetworkFunction perfect_continuous(const MeanKind& mean) {
  return [&mean](const Var& x_u, std::span<const double> t) {
    const double sigma = LogSnrLine().sigma(t[0] / network_time_scale), ab = 1 / (1 + sigma * sigma);
    const Var x = x_u / std::sqrt(ab), x0 = data.denoise(x.value(), sigma);
    return mean.target(ab).first * x0 + mean.target(ab).second * ((x - x0) / sigma);
  };
}

NetworkFunction perfect_chain(const Process& process) { return chain_network(process, data.denoiser()); }

}  // namespace

TEST_CASE(
    "the same x_0 from eps, x_0, v, EDM's preconditioning and the flow, in steps or continuous, at the same noise") {
  const NoiseSchedule schedule = make_schedule("log_snr", 40);
  const Process process(schedule, MeanType::x0, VarianceType::fixed_small);
  for (const Index k : {5, 20, 35}) {
    const double sigma = schedule.sqrt_recipm1_alphas_cumprod[k];
    CAPTURE(sigma);
    const Tensor x = (Var(noise({6, 2}, 1)) * std::sqrt(0.25 + sigma * sigma)).value();
    const Tensor exact = data.denoise(x, sigma);
    for (const MeanKind& mean : mean_kinds()) {
      CAPTURE(std::string(mean.name));
      const ChainFormulation chain({schedule, mean.type, VarianceType::fixed_small});
      CHECK(difference(chain.denoise(perfect_chain(chain.process()), x, sigma), exact) < tolerance(1e-9, 1e-3));
    }
    const auto check = [&](const Formulation& formulation, const NetworkFunction& network) {
      CHECK(difference(formulation.denoise(network, x, sigma), exact) < tolerance(1e-9, 1e-3));
      // and as a network of the chain
      const std::vector<Index> t = all_at(6, k);
      const Var x_t = Var(x) / std::sqrt(1 + sigma * sigma);
      const Var output = formulation.in_chain(network)(x_t, process.original_steps(t));
      CHECK(difference(process.p_mean_variance(x_t, t, output, false).pred_x0, exact) < tolerance(1e-9, 1e-3));
    };
    for (const MeanKind& mean : mean_kinds()) {
      check(ContinuousFormulation(process, {.mean_type = mean.type}), perfect_continuous(mean));
    }
    check(EdmFormulation(process), perfect_edm(0.5));
    check(FlowFormulation(process), perfect_flow());
  }
}

TEST_CASE("EDM's preconditioning: unit variance into and out of the network, and a loss that is the network's own") {
  const double sigma_data = 0.7;
  for (const double sigma : {0.002, 0.3, 1.0, 80.0}) {
    const EdmPreconditioning c = edm_preconditioning(sigma, sigma_data);
    const double total = sigma * sigma + sigma_data * sigma_data;
    CHECK(c.c_in * c.c_in * total == Approx(1));
    // the target (x_0 - c_skip (x_0 + sigma n)) / c_out
    const double variance = std::pow((1 - c.c_skip) * sigma_data, 2) + std::pow(c.c_skip * sigma, 2);
    CHECK(variance / (c.c_out * c.c_out) == Approx(1));
    CHECK(c.loss_weight * c.c_out * c.c_out == Approx(1));
  }
  CHECK(edm_preconditioning(1, 0.5).c_noise == 0);
  const EdmPreconditioning half = edm_preconditioning(0.5, 0.5);
  CHECK(half.c_skip == Approx(0.5));
  CHECK(half.c_in == Approx(std::sqrt(2)));
}

TEST_CASE(
    "every formulation: the right answer costs nothing, a network that says nothing costs about the data's share") {
  const Tensor x0 = Tensor::full({2000, 1}, real(0.25)), eps = noise({2000, 1}, 4);
  std::vector<double> u;
  for (Index i = 0; i < 2000; ++i) u.push_back((static_cast<double>(i) + 0.5) / 2000);
  const GaussianMixture point{{{1, {0.25}, 0}}};
  for (const FormulationKind& formulation : formulations()) {
    CAPTURE(std::string(formulation.name));
    const Config config = config_of(formulation.name);
    const auto built = make_formulation(config.diffusion);
    const Process& process = built->process();
    const NetworkFunction silent = [](const Var& x, std::span<const double>) { return Var(Tensor::zeros(x.shape())); };
    const Tensor loss = built->losses(silent, x0, eps, u).value();
    CHECK(loss.shape() == Shape{2000});
    double mean = 0;
    for (const real l : loss.values()) mean += static_cast<double>(l) / 2000;
    CHECK(mean > 0.1);
    CHECK(mean < 1.5);
    const std::string name = formulation.name;
    const NetworkFunction right = [&](const Var& x, std::span<const double> t) {
      Tensor y = Tensor::uninitialized(x.shape());
      for (Index i = 0; i < x.size(); ++i) {
        const double at = static_cast<double>(x.value()[i]), time = t[i];
        const EdmPreconditioning c = edm_preconditioning(std::exp(4 * time / network_time_scale), 0.5);
        const double ab = name == "chain" ? process.schedule.alphas_cumprod[time]
                                          : 1 / (1 + std::exp(-(13.3 - 23.3 * time / network_time_scale)));
        y[i] = static_cast<real>(name == "edm"    ? (0.25 - c.c_skip * at / c.c_in) / c.c_out
                                 : name == "flow" ? (at - 0.25) / (time / network_time_scale)
                                                  : (at - std::sqrt(ab) * 0.25) / std::sqrt(1 - ab));
      }
      return Var(y);
    };
    const Tensor losses = built->losses(right, x0, eps, u).value();
    for (const real l : losses.values()) CHECK(static_cast<double>(l) < tolerance(1e-18, 2e-4));
  }
}

TEST_CASE("flow: from data at u = 0 to noise at u = 1; the target is the slope of the line") {
  const Tensor x0 = noise({2, 3}, 1), n = noise({2, 3}, 2);
  const auto at = [&](double u) { return flow_interpolate(x0, n, std::vector<double>{u, u}); };
  CHECK(difference(at(0).x_u.value(), x0) == 0);
  CHECK(difference(at(1).x_u.value(), n) == 0);
  const Var slope = (at(0.75).x_u - at(0.5).x_u) / 0.25;
  CHECK(difference(slope.value(), at(0.3).target.value()) < tolerance(1e-13, 1e-5));
  CHECK(difference(flow_x0(at(0.3).x_u, at(0.3).target, std::vector<double>{0.3, 0.3}).value(), x0) <
        tolerance(1e-14, 1e-6));
}

TEST_CASE("flow Euler and Heun on the Gaussian oracle: orders 1 and 2" * doctest::skip(sizeof(real) == 4)) {
  const double mu = 0.3, s = 0.5, start = 0.9;
  const Velocity velocity = denoiser_velocity(gaussian_data(mu, s).denoiser());
  const Tensor z = Tensor::from({3, 1}, {-1.2, 0.4, 1.7});
  const auto exact = [&](double u) {  // the flow keeps quantiles: x_u = (1 - u) mu + sqrt((1 - u)^2 s^2 + u^2) z
    return (Var(z) * std::sqrt(std::pow((1 - u) * s, 2) + u * u) + (1 - u) * mu).value();
  };
  const auto error = [&](Var (*sampler)(const Velocity&, Var, std::span<const double>), int n) {
    std::vector<double> u;
    for (int i = 0; i <= n; ++i) u.push_back(start * (1 - static_cast<double>(i) / n));
    return difference(sampler(velocity, exact(start), u), exact(0));
  };
  CHECK(std::log2(error(flow_euler, 100) / error(flow_euler, 200)) == Approx(1).epsilon(0.05));
  CHECK(std::log2(error(flow_heun, 100) / error(flow_heun, 200)) == Approx(2).epsilon(0.05));
}

TEST_CASE("times: the quantile is the inverse of the distribution, the density its slope") {
  for (const double z : {-5.0, -1.0, 0.0, 0.3, 4.0})
    CHECK(normal_quantile(std::erfc(-z / std::sqrt(2)) / 2) == Approx(z));
  CHECK(normal_quantile(0.975) == Approx(1.959963985).epsilon(1e-9));
  const FlowTimes& times = find_line("times", flow_times(), "logit_normal");
  for (const double share : {0.02, 0.5, 0.9}) {
    const double h = 1e-5,
                 slope = (times.quantile(share + h, 0.4, 0.8) - times.quantile(share - h, 0.4, 0.8)) / (2 * h);
    CHECK(logit_normal_density(times.quantile(share, 0.4, 0.8), 0.4, 0.8) == Approx(1 / slope).epsilon(1e-5));
  }
}

TEST_CASE("what doesn't go together is refused before training") {
  const auto checked = [](const char* formulation, std::initializer_list<const char*> assignments) {
    Config config = config_of(formulation);
    for (const char* assignment : assignments) set_config(config, assignment);
    return error_of([&] { check_config(config); });
  };
  CHECK(checked("chain", {}) == "nothing");
  CHECK(contains(checked("chain", {"diffusion.zero_terminal_snr=true"}), "predict v or x0"));
  CHECK(checked("chain", {"diffusion.zero_terminal_snr=true", "diffusion.prediction=v"}) == "nothing");
  CHECK(contains(
      checked("chain", {"diffusion.zero_terminal_snr=true", "diffusion.prediction=v", "diffusion.loss_weight=min_snr"}),
      "truncated_snr"));
  CHECK(contains(checked("chain", {"diffusion.loss=kl", "diffusion.loss_weight=min_snr"}), "diffusion.loss_weight"));
  CHECK(contains(checked("chain", {"diffusion.loss=rescaled_kl", "diffusion.huber=1"}), "diffusion.huber"));
  CHECK(contains(checked("chain", {"diffusion.formulation_parameters={sigma_data=1}"}), "sigma_data"));
  CHECK(checked("chain", {"diffusion.decoder_cdf=exact"}) == "nothing");
  CHECK(contains(checked("chain", {"diffusion.decoder_cdf=erf"}), "tanh, exact"));
  CHECK(contains(checked("edm", {"diffusion.variance=learned"}), "fixed_small"));
  CHECK(contains(checked("flow", {"diffusion.loss_weight=snr"}), "weighting of its own"));
  CHECK(checked("continuous", {"diffusion.loss_weight=min_snr", "diffusion.prediction=v"}) == "nothing");
  CHECK(contains(checked("continuous", {"diffusion.loss_weight=max_snr"}), "max_snr"));
  CHECK(contains(checked("continuous", {"diffusion.formulation_parameters={log_snr_min=20}"}), "must be larger"));
  CHECK(contains(checked("flow", {"diffusion.flow_times=cosine"}), "uniform, logit_normal"));
  CHECK(contains(checked("edm", {"diffusion.formulation_parameters={p_std=0}"}), "positive"));
  CHECK(contains(checked("ddpm", {}), "chain, continuous, edm, flow"));
}

namespace {

Config small(const char* formulation) {
  Config c = config_of(formulation);
  c.model.network = "mlp", c.model.hidden = 32, c.model.depth = 2;
  c.train.steps = 300, c.train.batch_size = 50, c.train.shard_size = 8, c.train.accumulators = 3;
  c.train.learning_rate = {.base = 3e-3, .warmup_steps = 3, .decay = "cosine"};
  c.train.ema_rates = {0.9};
  c.sample.clip = false;
  return c;
}

bool same_bits(const Checkpoint& a, const Checkpoint& b) {
  if (a.state.tensors.size() != b.state.tensors.size()) return false;
  for (const auto& [group, tensors] : a.state.tensors)
    for (const auto& [name, tensor] : tensors)
      if (difference(tensor, b.state.tensors.at(group).at(name)) != 0) return false;
  return true;
}

}  // namespace

TEST_CASE("every formulation learns two moons, and samples from what it has learned lie where the data does") {
  const PointSet moons = toy("two_moons", 1000, 1), held_out = toy("two_moons", 300, 2);
  for (const FormulationKind& formulation : formulations()) {
    CAPTURE(std::string(formulation.name));
    Config config = small(formulation.name);
    if (config.diffusion.formulation == "edm") config.diffusion.formulation_parameters = {{"sigma_data", 1}};
    ConfiguredTrainer trainer(config, moons);
    const double before = trainer.validation_loss(held_out);
    StepReport report{};
    while (trainer.steps_done() < config.train.steps) report = trainer.step();
    CHECK(trainer.validation_loss(held_out) < 0.97 * before);
    Index counted = 0;
    for (std::size_t quarter = 0; quarter < 4; ++quarter) counted += report.quartiles.count[quarter];
    CHECK(counted == 50);
    SampleRequest request = default_request(config);
    request.count = 200;
    Tensor x;
    trainer.with_sampling_weights([&](const DiffusionModel& model) { x = generate(model, request).x; });
    double squares = 0;
    for (const real value : x.values()) squares += static_cast<double>(value) * static_cast<double>(value) / 400;
    CHECK(squares == Approx(1).epsilon(0.35));  // the data's mean variance
  }
}

TEST_CASE("with a timestep sampler that learns: the same bits for any number of threads, and after resuming") {
  const PointSet moons = toy("two_moons", 200, 1);
  Config config = small("chain");
  config.diffusion.steps = 12;
  config.train.steps = 12;
  config.train.timestep_sampler = "loss_second_moment";
  config.train.timestep_sampler_parameters = {{"history", 3}};
  const auto trained = [&](int thread_count) {
    set_threads(thread_count);
    ConfiguredTrainer trainer(config, moons);
    while (trainer.steps_done() < 12) trainer.step();
    set_threads(0);
    return trainer.checkpoint();
  };
  const Checkpoint one = trained(1);
  CHECK(same_bits(one, trained(4)));
  const TemporaryFolder folder;
  ConfiguredTrainer first(config, moons);
  for (int i = 0; i < 7; ++i) first.step();
  write_checkpoint(folder / "here.h5", first.checkpoint());
  ConfiguredTrainer second(config, moons, read_checkpoint(folder / "here.h5"), "here.h5");
  while (second.steps_done() < 12) second.step();
  CHECK(same_bits(one, second.checkpoint()));
  const Tensor counts = one.state.tensors.at("timestep_sampler").at("counts");
  CHECK(std::all_of(counts.values().begin(), counts.values().end(), [](real count) { return count == 3; }));
  Checkpoint lacking = first.checkpoint();
  lacking.state.tensors.erase("timestep_sampler");
  CHECK(
      contains(error_of([&] { ConfiguredTrainer(config, moons, lacking, "here.h5"); }), "here.h5: `timestep_sampler`"));
}
