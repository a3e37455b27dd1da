// reverie classifier: trains a small image classifier, for `reverie evaluate` and for classifier guidance.
#include "diffusion/evaluation/classifier.h"

#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "data/classes.h"
#include "diffusion/metrics/bootstrap.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string data, test, out;
  ClassifierTraining training;
};

void classifier(const Options& options) {
  check_outputs({{"--out", options.out, {".h5"}, classifier_file}},
                {{"--data", options.data}, {"--test", options.test}});
  const auto data = load_dataset(options.data);
  const auto test = options.test.empty() ? nullptr : load_dataset(options.test);
  std::vector<Index> labels;
  if (test && !data->labels.empty()) {
    if (test->sample_shape() != data->sample_shape()) {
      throw UsageError(options.test, ": has samples of shape ", test->sample_shape(), ", ", options.data, " has ",
                       data->sample_shape());
    }
    labels = labels_among(*test, options.test, data->class_names, options.data);
  }
  check_augmentation(options.training.augmentation, data->sample_shape(), "classifier");
  note_interrupts();
  prepare_blas();
  Progress progress;
  std::unique_ptr<Classifier> classifier;
  try {
    classifier =
        train_classifier(*data, options.training, progress.reporter(concat("training on ", data->size(), " images")));
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  write_classifier(options.out, *classifier);
  progress.clear();
  std::cout << printable(options.out) << ": a classifier of " << classifier->data.class_names.size() << " classes, "
            << classifier->parameters.element_count() << " parameters, trained on " << options.data << ": "
            << classifier->source << "; " << progress.elapsed() << "\n";
  if (!test) return;
  const auto accuracy = [&](double sigma) {
    return 100 * mean_of(hits(recognise(*classifier, *test, sigma).classes, labels));
  };
  std::cout << "  accuracy on " << test->size() << " images of " << printable(options.test) << ": "
            << std::setprecision(4) << accuracy(0) << "%";
  if (classifier->noisy) {
    for (const double sigma : {0.5, 1.0, 2.0, 5.0})
      std::cout << ", with noise of sigma " << sigma << " " << accuracy(sigma) << "%";
  }
  std::cout << std::endl;
}

void add_augmentation(CLI::App* command, Augmentation& augmentation) {
  command->add_flag("--flip", augmentation.flip, "Mirror images left to right at random");
  command->add_option("--shift", augmentation.shift, "Shift images at random, by up to this many pixels each way [0]")
      ->type_name("PIXELS")
      ->check(not_negative);
  command
      ->add_option("--rotation", augmentation.rotation, "Rotate images at random, by up to this angle either way [0]")
      ->type_name("DEGREES")
      ->check(finite);
  command
      ->add_option("--brightness", augmentation.brightness,
                   "Make images brighter or darker at random, by up to this; values lie in [-1, 1] [0]")
      ->type_name("B")
      ->check(finite);
}

}  // namespace

void add_classifier(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "classifier", "Train a small classifier, for `reverie evaluate` and for classifier guidance");
  command->add_option("--data", options->data, "Labelled image set to train on")->type_name("SET")->required();
  command->add_option("--test", options->test, "Image set to measure the accuracy on")->type_name("SET");
  command->add_flag("--noisy", options->training.noisy,
                    "Train on noisy images too, at every noise level, for `reverie sample --classifier`");
  command->add_option("--epochs", options->training.epochs, "Passes over the data [8]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--steps", options->training.steps,
                   "Training steps, instead of --epochs: independent of the set's size")
      ->type_name("N")
      ->check(positive)
      ->excludes("--epochs");
  add_augmentation(command, options->training.augmentation);
  command->add_option("--seed", options->training.seed, "Random seed [0]")->type_name("S")->check(not_negative);
  command->add_option("--out", options->out, "File to write, e.g. classifier.h5")->type_name("FILE")->required();
  add_threads(command);
  command->footer(
      "example: reverie classifier --data data/sets/digits-train.h5 \\\n"
      "           --test data/sets/digits-test.h5 --out classifier.h5");
  command->callback([options] { classifier(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
