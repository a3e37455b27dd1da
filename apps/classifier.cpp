// reverie classifier: trains a small image classifier, for `reverie evaluate` and for classifier guidance.
#include "diffusion/evaluation/classifier.h"

#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "diffusion/metrics/bootstrap.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string data, test, out;
  ClassifierTraining training;
};

double accuracy(const Classifier& classifier, const Dataset& data, double sigma = 0) {
  return mean_of(hits(recognise(classifier, data, all_samples, sigma).classes, data.labels));
}

void classifier(const Options& options) {
  require_writable(options.out);
  const auto data = load_dataset(options.data);
  const auto test = options.test.empty() ? nullptr : load_dataset(options.test);
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
  std::cout << options.out << ": a classifier of " << classifier->data.class_names.size() << " classes, "
            << classifier->parameters.element_count() << " parameters, trained on " << options.data << ": "
            << classifier->source << "; " << progress.elapsed() << "\n";
  if (!test) return;
  std::cout << "  accuracy on " << test->size() << " images of " << options.test << ": " << std::setprecision(4)
            << 100 * accuracy(*classifier, *test) << "%";
  if (classifier->noisy) {
    for (const double sigma : {0.5, 1.0, 2.0, 5.0})
      std::cout << ", with noise of sigma " << sigma << " " << 100 * accuracy(*classifier, *test, sigma) << "%";
  }
  std::cout << std::endl;
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
  command->add_option("--seed", options->training.seed, "Random seed [0]")->type_name("S")->check(not_negative);
  command->add_option("--out", options->out, "File to write, e.g. classifier.h5")->type_name("FILE")->required();
  add_threads(command);
  command->footer(
      "example: reverie classifier --data data/sets/digits-train.h5 \\\n"
      "           --test data/sets/digits-test.h5 --out classifier.h5");
  command->callback([options] { classifier(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
