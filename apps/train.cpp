// reverie train: trains a model from a configuration. diffusion/training/trainer.cpp implements the training step.
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/folder_lock.h"
#include "apps/interrupt.h"
#include "apps/run.h"
#include "data/classes.h"
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
    config.sample = without_unused(config.sample);
  } else if (options.resume && std::filesystem::exists(folder.config())) {
    config = load_config(folder.config());
  } else if (!options.print_config) {
    throw UsageError("train: --config is missing; try --config configs/digits.toml");
  }
  set_config(config, options.settings);
  return config;
}

std::string in_words(const Config& config, const DiffusionModel& model, const Dataset& data) {
  return concat("training ", config.model.network, " with ", model.network().parameters.element_count(),
                " parameters on ", data.size(), " samples of shape ", data.sample_shape(), " from ", config.data.train);
}

void require_new(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.checkpoint())) return;
  throw UsageError(folder.checkpoint(), ": exists already; continue with --resume, or choose another --out");
}

// Loads the checkpoint to continue from; none if the run was stopped before it wrote one.
std::optional<Checkpoint> checkpoint_in(const RunFolder& folder) {
  if (std::filesystem::exists(folder.checkpoint())) return read_checkpoint(folder.checkpoint());
  if (std::filesystem::exists(folder.config())) return std::nullopt;
  throw UsageError(folder.path, ": there is no run to resume, neither checkpoint.h5 nor config.toml; ",
                   std::filesystem::exists(folder.path) ? "" : "the folder doesn't exist; ",
                   "start a new run without --resume");
}

// Writes config.toml, unless the file that is there says the same. Warns if somebody edited it: if it says neither the
// same nor what the checkpoint says.
void write_config(const RunFolder& folder, const Config& config, const std::optional<Checkpoint>& checkpoint,
                  const Shape& sample) {
  std::string difference;
  try {
    if (std::filesystem::exists(folder.config())) {
      const Config found = load_config(folder.config());
      const auto edits = changes(config, found, sample);
      if (edits.empty()) return;
      if (!checkpoint || !changes(checkpoint->config, found, sample).empty()) {
        difference = concat("has ", edits[0].now, " for `", edits[0].key, "`, but this run has ", edits[0].before);
      }
    }
  } catch (const Error& error) {
    difference = concat("can't be read (", error.what(), ")");
  }
  if (!difference.empty()) {
    std::cerr << "warning: " << folder.config() << ": " << difference << "; the file is replaced. A resumed run takes "
              << "its configuration from the checkpoint; to change it, use --set\n";
  }
  write_text(folder.config(), config_text(config, true));
}

// Saves a resumed run with its new configuration, records new settings of the training in the metrics, and prints them.
void apply_changes(const std::vector<ConfigChange>& changed, Run& run) {
  if (changed.empty()) return;
  run.save();
  std::vector<std::pair<std::string, double>> settings;
  for (const ConfigChange& change : changed) {
    print(concat("`", change.key, "` changes from ", change.before, " to ", change.now, "\n"));
    if (change.key.starts_with("train.")) settings.emplace_back(change.key, std::stod(change.now));
  }
  if (!settings.empty()) run.record(settings);
}

void train(const Options& options, const std::string& program) {
  const RunFolder folder{options.folder};
  if (folder.path.empty() && options.resume) throw UsageError("train: --out is missing; it names the run to resume");
  std::optional<FolderLock> lock;  // before anything in the folder is read
  if (!options.print_config && std::filesystem::is_directory(folder.path)) lock.emplace(folder.path);
  if (!options.print_config && !options.resume) require_new(folder);
  std::optional<Checkpoint> checkpoint;
  if (options.resume) checkpoint = checkpoint_in(folder);
  const Config config = configuration(options, folder, checkpoint);
  if (options.print_config) {
    std::cout << config_text(config, true);
    return;
  }
  if (options.folder.empty()) throw UsageError("train: --out is missing; try --out runs/NAME");
  require_training_data(config);
  check_config(config);

  const auto data = open_dataset(config.data.train, toy_train, config.data.memory());
  const auto held_out = config.data.validation.empty()
                            ? nullptr
                            : open_dataset(config.data.validation, toy_held_out, config.data.memory());
  DataFacts facts = facts_of(*data);
  if (checkpoint) {
    match_classes(data->class_names, "data.train, " + config.data.train, checkpoint->data.class_names,
                  folder.checkpoint());
    facts.class_names = checkpoint->data.class_names;  // in the order of the model's embeddings
    facts.tokenizer = checkpoint->data.tokenizer;
  }
  Trainer trainer(build_model(config, facts), *data, config.train);
  if (checkpoint) {
    resume(trainer, config, *checkpoint, folder.checkpoint());
  }
  if (held_out) require_fits(trainer.model(), *held_out, config.data.validation);
  check_request(trainer.model(), preview_request(config, trainer.model(), held_out ? *held_out : *data));
  require_picture(data->sample_shape(), config.train.preview_count);

  prepare_blas();
  make_run_folder(folder, {{"--config", options.config_file},
                           {"data.train", config.data.train},
                           {"data.validation", config.data.validation}});
  if (!lock) {
    lock.emplace(folder.path);
    if (!options.resume) require_new(folder);  // another run may have come and gone
  }
  if (!checkpoint) write_config(folder, config, checkpoint, data->sample_shape());
  for (const std::string& warning : lint(config, *data)) std::cerr << "warning: " << printable(warning) << "\n";
  print(printable(in_words(config, trainer.model(), *data)) + picture_note(data->sample_shape()) + "\n");
  if (options.resume) {
    print((checkpoint ? concat("resuming after step ", trainer.steps_done())
                      : concat(printable(folder.path), " has no checkpoint yet: starting from the beginning")) +
          "\n");
  }

  note_interrupts();
  Run run(trainer, config, *data, held_out.get(), folder, checkpoint ? &*checkpoint : nullptr);
  try {
    if (checkpoint) {
      apply_changes(changes(checkpoint->config, config, data->sample_shape()), run);
      write_config(folder, config, checkpoint, data->sample_shape());
      run.catch_up();
    } else {
      run.validate();  // the loss of the initial weights
    }
    while (!run.done()) {
      run.step();
      if (run.due(config.train.validate_every)) run.validate();
      if (run.due(config.train.checkpoint_every)) run.save();
      if (interrupted()) throw Interrupted();
      run.show();
      if (run.due(config.train.preview_every) && !run.done()) run.preview();  // finish() draws the last ones
    }
    run.finish();
  } catch (const Interrupted&) {
    run.stop(concat(shell_word(program), " train --out ", shell_word(options.folder), " --resume"));
    throw;
  } catch (const OutOfMemory& error) {
    run.rescue();
    throw OutOfMemory(error.what(), "; ", run.last_checkpoint());
  } catch (const Error& error) {
    run.rescue();
    throw Error(error.what(), "; ", run.last_checkpoint());
  } catch (const std::exception&) {  // out of memory
    run.rescue();
    throw;
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
                    "Continue the run in --out; --config is optional, --set train.steps=N extends the run, and "
                    "train.learning_rate and train.clip_norm may change");
  command->add_flag("--print-config", options->print_config,
                    "Print the complete configuration with comments, and exit");
  add_threads(command);
  command->footer(
      "example: reverie train --config configs/digits.toml --set train.steps=3000 \\\n"
      "           --out runs/digits\n"
      "Ctrl-C, SIGTERM or a closed terminal saves and stops. --resume with the same\n"
      "--out continues; the result is bitwise equal to that of an uninterrupted run.");
  command->callback([options, &program] { train(*options, program.get_name()); });
}

}  // namespace reverie::inline REVERIE_PRECISION
