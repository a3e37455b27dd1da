// Trains a configuration without a part that no key removes, and prints the validation loss as a table: the curves of
// docs/tour/07-network.md.
//   build/benchmarks/tour/ablation --config X.toml [--without-time] [--without-zero-init] [--set KEY=VALUE ...]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "data/stored_set.h"
#include "diffusion/formulations/table.h"
#include "diffusion/model/config.h"
#include "diffusion/networks/table.h"
#include "diffusion/training/trainer.h"

using namespace reverie;

namespace {

/// Another formulation with a network that is always given the time 0.
class WithoutTime : public Formulation {
 public:
  explicit WithoutTime(std::unique_ptr<Formulation> inner) : Formulation(inner->process()), inner_(std::move(inner)) {}
  Var losses(const NetworkFunction& network, const Var& x0, const Var& noise,
             std::span<const double> u) const override {
    return inner_->losses(timeless(network), x0, noise, u);
  }
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override {
    return inner_->denoise(timeless(network), x, sigma);
  }
  SigmaRange sigma_range() const override { return inner_->sigma_range(); }

 private:
  static NetworkFunction timeless(const NetworkFunction& network) {
    return [&network](const Var& x, std::span<const double> t) { return network(x, std::vector<double>(t.size(), 0)); };
  }
  std::unique_ptr<Formulation> inner_;
};

// Draws every weight that starts at zero like the others. Biases keep their values.
void without_zeros(ParameterStore& parameters) {
  TensorList values = parameters.clone_values();
  for (const Parameter& p : parameters.all()) {
    Tensor& value = values[p.slot];
    const auto numbers = value.values();
    if (value.rank() < 2 || std::any_of(numbers.begin(), numbers.end(), [](real v) { return v != 0; })) continue;
    uniform_fan_in(value.size() / value.extent(0))(RandomKey{.seed = 1, .channel = static_cast<std::uint32_t>(p.slot)},
                                                   value);
  }
  parameters.exchange(std::move(values));
}

struct Options {
  std::string config;
  std::vector<std::string> settings;
  bool without_time = false, without_zero_init = false;
};

void run(const Options& options) {
  Config config = load_config(options.config);
  set_config(config, options.settings);
  check_config(config);
  const auto data = open_dataset(config.data.train, 0), held_out = open_dataset(config.data.validation, 1);
  const DataFacts facts = facts_of(*data);
  std::unique_ptr<Formulation> formulation = make_formulation(config.diffusion);
  std::unique_ptr<Network> network =
      make_network(config.model, facts, formulation->process().variance_type, config.train.label_dropout > 0,
                   static_cast<std::uint64_t>(config.train.seed));
  if (options.without_zero_init) without_zeros(network->parameters);
  if (options.without_time) formulation = std::make_unique<WithoutTime>(std::move(formulation));
  Trainer trainer(DiffusionModel(facts, std::move(network), std::move(formulation), kernel_choice_of(config)), *data,
                  config.train);
  std::cout << "step,validation_loss\n";
  while (true) {
    if (trainer.steps_done() % config.train.validate_every == 0)
      std::cout << trainer.steps_done() << "," << trainer.validation_loss(*held_out) << std::endl;
    if (trainer.steps_done() >= config.train.steps) break;
    trainer.step();
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Train a configuration without a part that no key removes, and print the validation loss");
  Options options;
  app.add_option("--config", options.config, "Configuration, with validation data")->required();
  app.add_option("--set", options.settings, "Override keys of the configuration, KEY=VALUE");
  app.add_flag("--without-time", options.without_time, "Give the network the time 0, whatever the noise level");
  app.add_flag("--without-zero-init", options.without_zero_init, "Start no weight at zero");
  try {
    app.parse(argc, argv);
    run(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "ablation: " << error.what() << "\n";
    return 1;
  }
}
