#include "apps/train_setup.h"

#include <algorithm>
#include <filesystem>
#include <iomanip>

#include "apps/explanation.h"
#include "apps/progress.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Loads the configuration from --config, else from the run's checkpoint, else from the copy in its folder.
Config configuration(const TrainRequest& request, const RunFolder& folder,
                     const std::optional<Checkpoint>& checkpoint) {
  Config config;
  if (!request.config_file.empty()) {
    config = load_config(request.config_file);
  } else if (checkpoint) {
    config = checkpoint->config;
    config.sample = without_unused(config.sample);
  } else if (request.resume && std::filesystem::exists(folder.config())) {
    config = load_config(folder.config());
  } else if (!request.print_config || !request.init_from.empty()) {
    throw UsageError("train: --config or --data is missing; try --config configs/digits.toml, or --data with a folder ",
                     "of pictures");
  }
  set_config(config, request.settings);
  return config;
}

}  // namespace

void check_request(const TrainRequest& request, const CLI::App* command) {
  if (request.folder.empty() && request.resume) throw UsageError("train: --out is missing; it names the run to resume");
  for (const char* option : {"--data", "--init-from"})
    require_used(command, option, !request.resume, "with --resume: the run has its data and weights already");
  require_used(command, "--size", !request.data.empty(), "without --data");
  require_used(command, "--weights", !request.init_from.empty(), "without --init-from");
  if (request.data.empty()) return;
  for (const std::string& setting : request.settings) {
    if (setting.starts_with("data.train=")) throw UsageError("--set ", setting, ": --data names the data already");
  }
}

TrainSetup set_up(const TrainRequest& request, const RunFolder& folder, const std::optional<Checkpoint>& checkpoint) {
  TrainSetup setup;
  if (!request.init_from.empty()) setup.start = read_checkpoint(request.init_from);
  const Checkpoint* start = setup.start ? &*setup.start : nullptr;
  if (request.data.empty() || !request.config_file.empty()) setup.config = configuration(request, folder, checkpoint);
  if (request.data.empty()) return setup;

  const bool split = std::none_of(request.settings.begin(), request.settings.end(),
                                  [](const std::string& setting) { return setting.starts_with("data.validation="); });
  const Shape like = start ? start->data.sample_shape : Shape{};
  Config limits = setup.config;
  if (request.config_file.empty()) {
    limits.data.memory_mb = chosen_memory_mb;
    set_config(limits, request.settings);
  }
  setup.own = read_own_data(
      {.data = request.data, .size = request.size, .like = like, .split = split, .memory = limits.data.memory()},
      folder);
  if (request.config_file.empty()) {
    setup.chosen = choose_config(*setup.own.train, request.settings, start);
    setup.config = setup.chosen->config;
  }
  setup.config.data.train = setup.own.train_name;
  if (split) setup.config.data.validation = setup.own.held_out_name;
  if (setup.chosen) {
    setup.chosen->config.data = setup.config.data;
    const std::string from = setup.own.kept ? concat("from ", request.data) : "where it lies";
    setup.chosen->choices.push_back({"data.train", concat(setup.own.train->size(), " samples, ", from)});
    if (setup.own.held_out) {
      setup.chosen->choices.push_back(
          {"data.validation", concat(setup.own.held_out->size(), " others, to see whether the model overfits")});
    }
  }
  return setup;
}

std::string time_estimate(const Config& config, const DataFacts& facts, const Dataset& data) {
  constexpr int runs = 2;
  prepare_blas();
  Trainer trial(build_model(config, facts), data, config.train);
  const double seconds = step_seconds(trial, runs);
  const auto steps = static_cast<double>(config.train.steps);
  return concat("about ", duration_text(steps * seconds), " for ", config.train.steps, " steps of ",
                std::setprecision(2), seconds, " s, the faster of ", runs,
                " that were measured; previews and validations come on top");
}

std::string printed_configuration(const TrainSetup& setup) {
  if (!setup.chosen) return config_text(setup.config, true);
  check_config(setup.config);
  const DataFacts facts = facts_of(*setup.own.train);
  return concat("# ", printable(setup.own.text), "\n# ", time_estimate(setup.config, facts, *setup.own.train), "\n\n",
                chosen_text(*setup.chosen));
}

}  // namespace reverie::inline REVERIE_PRECISION
