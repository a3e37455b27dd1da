// reverie train: trains a model from a configuration. diffusion/training/trainer.cpp implements the training step.
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/folder_lock.h"
#include "apps/interrupt.h"
#include "apps/run.h"
#include "apps/train_setup.h"
#include "data/classes.h"
#include "diffusion/training/fine_tuning.h"
#include "diffusion/training/lint.h"
#include "diffusion/training/resume.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

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

void train(const TrainRequest& options, const CLI::App* command, const std::string& program) {
  check_request(options, command);
  const RunFolder folder{options.folder.empty() && options.print_config ? "runs/mine" : options.folder};
  std::optional<FolderLock> lock;  // before anything in the folder is read
  if (!options.print_config && std::filesystem::is_directory(folder.path)) lock.emplace(folder.path);
  if (!options.print_config && !options.resume) require_new(folder);
  if (folder.path.empty() && !options.data.empty()) throw UsageError("train: --out is missing; try --out runs/NAME");
  std::optional<Checkpoint> checkpoint;
  if (options.resume) checkpoint = checkpoint_in(folder);
  TrainSetup setup = set_up(options, folder, checkpoint);
  if (options.print_config && !setup.start) {
    std::cout << printed_configuration(setup);
    return;
  }
  Config& config = setup.config;
  if (folder.path.empty()) throw UsageError("train: --out is missing; try --out runs/NAME");
  require_training_data(config);
  check_config(config);

  const auto open = [&](std::unique_ptr<Dataset>& set, const std::string& name, std::uint64_t toy_seed) {
    if (!set && !name.empty()) set = open_dataset(name, toy_seed, config.data.memory());
    return set.get();
  };
  const Dataset* const data = open(setup.own.train, config.data.train, toy_train);
  const Dataset* const held_out = open(setup.own.held_out, config.data.validation, toy_held_out);
  DataFacts facts = facts_of(*data);
  if (checkpoint) {
    match_classes(data->class_names, "data.train, " + config.data.train, checkpoint->data.class_names,
                  folder.checkpoint());
    facts.class_names = checkpoint->data.class_names;  // in the order of the model's embeddings
    facts.tokenizer = checkpoint->data.tokenizer;
  }
  if (setup.start && !setup.chosen) take_architecture(config, *setup.start, facts.sample_shape, options.settings);
  DiffusionModel model = build_model(config, facts);
  std::vector<std::string> origin_of_weights;
  if (setup.start) {
    origin_of_weights = start_from(model, config, *setup.start, options.weights, options.init_from);
  }
  if (options.print_config) {
    std::cout << printed_configuration(setup);
    return;
  }
  Trainer trainer(std::move(model), *data, config.train);
  if (checkpoint) {
    resume(trainer, config, *checkpoint, folder.checkpoint());
  }
  if (held_out) require_fits(trainer.model(), *held_out, config.data.validation);
  check_request(trainer.model(), preview_request(config, trainer.model(), held_out ? *held_out : *data));
  require_picture(data->sample_shape(), config.train.preview_count);

  prepare_blas();
  make_run_folder(folder,
                  {{"--config", options.config_file},
                   {"--data", options.data},
                   {"--init-from", options.init_from},
                   {"data.train", setup.own.kept ? "" : config.data.train},
                   {"data.validation", setup.own.kept ? "" : config.data.validation}},
                  setup.own.files());
  if (!lock) {
    lock.emplace(folder.path);
    if (!options.resume) require_new(folder);  // another run may have come and gone
  }
  setup.own.save();
  if (!checkpoint) write_config(folder, config, checkpoint, data->sample_shape());
  if (!setup.own.text.empty()) print(printable(setup.own.text) + "\n");
  if (setup.chosen) print("\n" + chosen_text(*setup.chosen) + "\n" + time_estimate(config, facts, *data) + "\n");
  for (const std::string& warning : lint(config, *data)) std::cerr << "warning: " << printable(warning) << "\n";
  for (const std::string& line : origin_of_weights) print(printable(line) + "\n");
  print(printable(in_words(config, trainer.model(), *data)) + picture_note(data->sample_shape()) + "\n");
  if (options.resume) {
    print((checkpoint ? concat("resuming after step ", trainer.steps_done())
                      : concat(printable(folder.path), " has no checkpoint yet: starting from the beginning")) +
          "\n");
  }

  note_interrupts();
  Run run(trainer, config, *data, held_out, folder, checkpoint ? &*checkpoint : nullptr);
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
      if (run.due(config.train.keep_every)) run.keep();
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
  auto options = std::make_shared<TrainRequest>();
  CLI::App* command = program.add_subcommand("train", "Train a model from a configuration, or on your own pictures");
  command->add_option("--config", options->config_file, "Configuration file, e.g. configs/digits.toml")
      ->type_name("FILE");
  command
      ->add_option(
          "--data", options->data,
          "Train on your own data: a folder of pictures (subfolders are classes), an image set or a point set. "
          "Without --config, the configuration is chosen for it; with --config, it replaces data.train. A "
          "tenth is held out for validation; the run's folder keeps what was imported")
      ->type_name("SET");
  command
      ->add_option("--size", options->size,
                   "With --data: crop and resample images to this size [folders: 32x32, or the size of the pictures "
                   "if that is at most 64x64]")
      ->type_name("HxW");
  command
      ->add_option("--init-from", options->init_from,
                   "Fine-tune: start from the weights of this checkpoint, and take over its [model]. Classes and words "
                   "are matched by name, others are new")
      ->type_name("FILE");
  command->add_option("--weights", options->weights, "With --init-from: ema, ema:RATE or raw [ema]")
      ->type_name("WEIGHTS");
  command->add_option("--set", options->settings, "Override keys of the configuration, e.g. --set train.steps=500")
      ->type_name("KEY=VALUE");
  command
      ->add_option(
          "--out", options->folder,
          "Folder of the run: checkpoint.h5, metrics.jsonl, config.toml, previews, samples.png, loss.svg, report.html")
      ->type_name("DIR");
  command->add_flag("--resume", options->resume,
                    "Continue the run in --out; --config is optional, --set train.steps=N extends the run, and "
                    "train.learning_rate and train.clip_norm may change");
  command->add_flag(
      "--print-config", options->print_config,
      "Print the complete configuration with comments, and exit; with --data, the chosen keys with reasons and "
      "the time that the run would take");
  add_threads(command);
  command->footer(
      "example: reverie train --config configs/digits.toml --set train.steps=3000 \\\n"
      "           --out runs/digits\n"
      "         reverie train --data photos/ --out runs/photos\n"
      "Ctrl-C, SIGTERM or a closed terminal saves and stops. --resume with the same\n"
      "--out continues; the result is bitwise equal to that of an uninterrupted run.");
  command->callback([options, command, &program] { train(*options, command, program.get_name()); });
}

}  // namespace reverie::inline REVERIE_PRECISION
