// reverie convert: converts weights between safetensors files, HDF5 state dicts and reverie checkpoints.
#include <iostream>

#include "apps/cli.h"
#include "apps/data_shape.h"
#include "apps/describe.h"
#include "apps/files.h"
#include "diffusion/model/conversion.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string from, out, config_file, weights, prefix;
  std::vector<std::string> settings;
  DataShape data;
  bool round = false;
};

StateDict read(const Options& options) {
  StateDict dict;
  if (is_checkpoint(options.from)) {
    const Checkpoint checkpoint = read_checkpoint(options.from);
    const bool averaged = !checkpoint.config.train.ema_rates.empty();
    dict =
        state_dict_of(checkpoint, options.weights.empty() ? averaged ? "ema" : "raw" : options.weights, options.from);
  } else {
    if (!options.weights.empty())
      throw UsageError("--weights ", options.weights, ": ", options.from,
                       " is not a checkpoint and has only one set of weights");
    dict = read_state_dict(options.from);
  }
  return options.prefix.empty() ? dict : without_prefix(dict, options.prefix, options.from);
}

Checkpoint make_checkpoint(const StateDict& dict, const Options& options) {
  Config config = load_config(options.config_file);
  set_config(config, options.settings);
  check_config(config);
  return checkpoint_with(dict, config, options.data.facts(config), options.from,
                         options.round ? Rounding::allow : Rounding::refuse);
}

void convert(const Options& options) {
  const bool to_checkpoint = !options.config_file.empty();
  if (!to_checkpoint) {
    for (const auto& [flag, given] : {std::pair{"--set", !options.settings.empty()},
                                      std::pair{"--round", options.round}, std::pair{"--shape", options.data.given()}})
      if (given) throw UsageError(flag, ": only for writing a checkpoint; --config is missing");
  }
  std::vector<std::string> suffixes = {".h5", ".hdf5"};
  if (!to_checkpoint) suffixes.insert(suffixes.begin(), ".safetensors");
  check_outputs({{"--out", options.out, suffixes, other_hdf5}},  // a new name for a checkpoint: others may be of a run
                {{"the command", options.from}, {"--config", options.config_file}});
  const StateDict dict = read(options);
  if (to_checkpoint) {
    const Checkpoint checkpoint = make_checkpoint(dict, options);
    write_checkpoint(options.out, checkpoint);
    std::cout << printable(options.out) << ": " << checkpoint.config.model.network << " checkpoint with the weights of "
              << printable(options.from) << ": " << in_words(dict) << "\n";
  } else {
    write_state_dict(options.out, dict);
    std::cout << printable(options.out) << ": " << in_words(dict) << ", bitwise equal to " << printable(options.from)
              << "\n";
  }
}

}  // namespace

void add_convert(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("convert", "Convert weights between safetensors files, HDF5 state dicts and checkpoints");
  command->add_option("file", options->from, "Weights to convert: safetensors, an HDF5 state dict or a checkpoint")
      ->type_name("FILE")
      ->required();
  command->add_option("--out", options->out, "File to write: X.safetensors or X.h5")->type_name("FILE")->required();
  command->add_option("--config", options->config_file, "Write a checkpoint with this configuration")
      ->type_name("FILE");
  command->add_option("--set", options->settings, "With --config: override keys of the configuration")
      ->type_name("KEY=VALUE");
  add_data_shape(command, options->data);
  command->add_option("--weights", options->weights, "Weights to take from a checkpoint [ema]")
      ->type_name("ema|raw|ema:RATE");
  command
      ->add_option("--prefix", options->prefix,
                   "Read only the tensors with this prefix, e.g. module., and remove the prefix from their names")
      ->type_name("TEXT");
  command->add_flag("--round", options->round,
                    "With --config: round numbers that float32 can't represent, instead of failing");
  add_threads(command);
  command->footer(
      "example: reverie convert runs/demo/checkpoint.h5 --out demo.safetensors\n"
      "         reverie convert demo.safetensors --config configs/digits.toml \\\n"
      "           --out from-torch.h5");
  command->callback([options] { convert(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
