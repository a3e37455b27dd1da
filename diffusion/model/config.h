#pragma once
#include <string>
#include <variant>
#include <vector>

#include "diffusion/formulations/table.h"
#include "diffusion/model/sampling.h"
#include "diffusion/model/train_options.h"
#include "diffusion/networks/table.h"

namespace reverie::inline REVERIE_PRECISION {

/// A training run's configuration: everything that determines the run except the contents of the data. A TOML file with
/// the sections below. `config_fields` lists all keys with their meanings; reading, writing, checking and
/// `--print-config` use that list.
struct Config {
  struct Data {
    std::string train, validation;
    Index memory_mb = 0;
    Index memory() const { return memory_mb * 1'000'000; }  ///< bytes, see open_dataset
  } data;
  NetworkOptions model;
  DiffusionOptions diffusion;
  TrainOptions train;
  struct Kernels {
    std::string conv = "auto", products = "float";
  } kernels;
  SampleOptions sample;
};

/// A key of a configuration.
struct ConfigField {
  using Target =
      std::variant<std::string*, bool*, Index*, double*, std::vector<Index>*, std::vector<double>*, OptionValues*>;
  std::string key;  ///< "train.batch_size"
  Target target;    ///< points to its value
  std::string meaning;
};
std::vector<ConfigField> config_fields(Config& config);
/// A field's value as TOML.
std::string field_text(const ConfigField& field);

/// Reads TOML text; `origin` names it in errors. Throws UsageError for invalid TOML, an unknown key (naming the nearest
/// known one) and a value of the wrong type. Accepts keys of older versions.
Config parse_config(const std::string& text, const std::string& origin);
Config load_config(const std::string& path);
/// Sets one key from "key=value", the value as TOML; a bare word counts as a string. A new sampler drops the options of
/// the previous one.
void set_config(Config& config, const std::string& assignment);
/// Sets several keys, sample.sampler first, so that the options given with it are the new sampler's.
void set_config(Config& config, std::vector<std::string> assignments);
/// The whole configuration as TOML; `explain` adds each key's meaning as a comment. Reading it back gives the same
/// values.
std::string config_text(const Config& config, bool explain = false);

/// Checks what a value's type can't: names in tables, ranges, values that don't go together. Throws UsageError.
void check_config(const Config& config);
/// Also checks that there is a training set. Throws UsageError.
void require_training_data(const Config& config);
/// The kernels that `kernels.conv` and `kernels.products` name. Throws UsageError for unknown names.
kernels::KernelChoice kernel_choice_of(const Config& config);
kernels::OperandType operand_type(const std::string& products);

/// The sampling request for previews, also the program's default.
inline SampleRequest default_request(const Config& config) { return {without_unused(config.sample)}; }

/// Builds the model that a configuration describes, for data with these facts. Throws UsageError if they don't go
/// together (a U-Net for points, classes without labels, an image size that can't be halved, ...).
DiffusionModel build_model(const Config& config, const DataFacts& facts);

}  // namespace reverie::inline REVERIE_PRECISION
