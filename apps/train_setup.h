#pragma once
#include <optional>

#include "apps/cli.h"
#include "apps/own_data.h"
#include "diffusion/training/chosen_config.h"

namespace reverie::inline REVERIE_PRECISION {

/// The options of `reverie train`.
struct TrainRequest {
  std::string config_file, data, size, init_from, folder;
  std::string weights = "ema";  ///< of init_from
  std::vector<std::string> settings;
  bool resume = false, print_config = false;
};

/// Throws UsageError for options that don't go together.
void check_request(const TrainRequest& request, const CLI::App* command);

/// What a run starts with.
struct TrainSetup {
  Config config;
  OwnData own;                              ///< of --data; without, its sets are still to be opened
  std::optional<Checkpoint> start = {};     ///< of --init-from
  std::optional<ChosenConfig> chosen = {};  ///< for --data without --config
};

/// Reads what the options name: the configuration from --config, else the one that is chosen for --data, else that of
/// the run's checkpoint or folder. `checkpoint` is the run's, if it is resumed.
TrainSetup set_up(const TrainRequest& request, const RunFolder& folder, const std::optional<Checkpoint>& checkpoint);

/// Estimates the time of a run from a few training steps, which are forgotten: "about 12:34 for 4000 steps of ...".
std::string time_estimate(const Config& config, const DataFacts& facts, const Dataset& data);

/// The chosen configuration with its reasons, or the one that was given, as TOML. Throws UsageError for invalid ones.
std::string printed_configuration(const TrainSetup& setup);

}  // namespace reverie::inline REVERIE_PRECISION
