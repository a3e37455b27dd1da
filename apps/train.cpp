// reverie train: trains a model from a configuration. diffusion/training/trainer.cpp implements the training step.
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/interrupt.h"
#include "apps/run.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/training/lint.h"
#include "diffusion/training/resume.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string config_file, folder;
  std::vector<std::string> settings;
  bool resume = false, print_config = false;
};

// Loads the configuration from --config, else from the run's checkpoint, else from the copy in its folder.
Config configuration(const Options& options, const RunFolder& folder, const std::optional<Checkpoint>& checkpoint) {
  Config config;
  if (!options.config_file.empty()) {
    config = load_config(options.config_file);
  } else if (checkpoint) {
    config = checkpoint->config;
  } else if (options.resume && std::filesystem::exists(folder.config())) {
    config = load_config(folder.config());
  } else if (!options.print_config) {
    throw UsageError("train: --config is missing; try --config configs/digits.toml");
  }
  for (const std::string& setting : options.settings) set_config(config, setting);
  return config;
}

std::string in_words(const Config& config, const DiffusionModel& model, const Dataset& data) {
  return concat("training ", config.model.network, " with ", model.network().parameters.element_count(),
                " parameters on ", data.size(), " samples of shape ", data.sample_shape(), " from ", config.data.train);
}

void train(const Options& options, const std::string& program) {
  const RunFolder folder{options.folder};
  const bool has_checkpoint = !options.folder.empty() && std::filesystem::exists(folder.checkpoint());
  if (has_checkpoint && !options.resume && !options.print_config) {
    throw UsageError(folder.checkpoint(), ": exists already; continue with --resume, or choose another --out");
  }
  std::optional<Checkpoint> checkpoint;
  if (has_checkpoint && options.resume) checkpoint = read_checkpoint(folder.checkpoint());
  const Config config = configuration(options, folder, checkpoint);
  if (options.print_config) {
    std::cout << config_text(config, true);
    return;
  }
  if (options.folder.empty()) throw UsageError("train: --out is missing; try --out runs/NAME");
  require_training_data(config);
  check_config(config);

  const auto data = open_dataset(config.data.train, toy_train);
  const auto held_out = config.data.validation.empty() ? nullptr : open_dataset(config.data.validation, toy_held_out);
  Trainer trainer(build_model(config, facts_of(*data)), *data, config.train);
  if (checkpoint) resume(trainer, config, *checkpoint, folder.checkpoint());
  if (held_out) require_fits(trainer.model(), *held_out, config.data.validation);
  check_request(trainer.model(), default_request(config));
  require_picture(data->sample_shape());

  prepare_blas();
  make_folder(folder.path);
  write_text(folder.config(), config_text(config, true));
  for (const std::string& warning : lint(config, *data)) std::cerr << "warning: " << warning << "\n";
  std::cout << in_words(config, trainer.model(), *data) << std::endl;
  if (options.resume) {
    std::cout << (checkpoint ? concat("resuming after step ", trainer.steps_done())
                             : concat(folder.path, " has no checkpoint yet: starting from the beginning"))
              << std::endl;
  }

  note_interrupts();
  Run run(trainer, config, held_out.get(), folder, checkpoint.has_value());
  try {
    if (!checkpoint) run.validate();  // the loss of the initial weights
    while (!run.done()) {
      run.step();
      if (run.due(config.train.validate_every)) run.validate();
      if (run.due(config.train.checkpoint_every)) run.save();
      if (interrupted()) throw Interrupted();
      if (run.due(config.train.preview_every) && !run.done()) run.preview();  // finish() draws the last ones
    }
    run.finish();
  } catch (const Interrupted&) {
    const bool plain = options.folder.find(' ') == std::string::npos;
    run.stop(
        concat(program, " train --out ", plain ? options.folder : concat(std::quoted(options.folder)), " --resume"));
    throw;
  } catch (const OutOfMemory& error) {
    throw OutOfMemory(error.what(), "; ", run.last_checkpoint());
  } catch (const Error& error) {
    throw Error(error.what(), "; ", run.last_checkpoint());
  }
}

}  // namespace

void add_train(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("train", "Train a model from a configuration");
  command->add_option("--config", options->config_file, "Configuration file, e.g. configs/digits.toml")
      ->type_name("FILE");
  command->add_option("--set", options->settings, "Override keys of the configuration, e.g. --set train.steps=500")
      ->type_name("KEY=VALUE");
  command
      ->add_option("--out", options->folder,
                   "Folder of the run: checkpoint.h5, metrics.jsonl, config.toml, previews, samples.png, loss.svg")
      ->type_name("DIR");
  command->add_flag("--resume", options->resume,
                    "Continue the run in --out; --config is optional, and --set train.steps=N extends the run");
  command->add_flag("--print-config", options->print_config,
                    "Print the complete configuration with comments, and exit");
  add_threads(command);
  command->footer(
      "example: reverie train --config configs/digits.toml --set train.steps=3000 \\\n"
      "           --out runs/digits\n"
      "Ctrl-C saves and stops. --resume with the same --out continues; the result is\n"
      "bitwise equal to that of an uninterrupted run.");
  command->callback([options, &program] { train(*options, program.get_name()); });
}

}  // namespace reverie::inline REVERIE_PRECISION
