// reverie evaluate: what a model is worth on data that it hasn't seen, and how its samples compare with them.
#include <cmath>
#include <iostream>

#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/report.h"
#include "apps/request.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, data, samples, classifier, training, out;
  std::optional<Index> count, ode, draw, probes;
  Index compare = 2000;
  double tolerance = 1e-3;
  std::uint64_t seed = 0;
};

// What is to be measured, by the flags and by what suits the data.
struct Plan {
  Index bound, ode, draw;  // samples of each; 0: not at all
};

Plan plan_of(const Options& options, bool model, bool images) {
  const bool given = !options.samples.empty();
  if (!model && !given) {
    throw UsageError("evaluate: wants --checkpoint, to measure a model, or --samples, to measure samples, or both");
  }
  if (!model && (options.count.value_or(0) > 0 || options.ode.value_or(0) > 0 || options.draw.value_or(0) > 0)) {
    throw UsageError("evaluate: --count, --ode and --draw ask a model; --checkpoint is missing");
  }
  if (given && options.draw.value_or(0) > 0) {
    throw UsageError("evaluate: --samples has samples to compare, --draw makes others; choose one");
  }
  if (!images && options.count.value_or(0) > 0) {
    throw UsageError("--count: the bound is for images of 8-bit values, and ", options.data,
                     " has points; --ode isn't");
  }
  const bool draws = !given && (!images || !options.classifier.empty());
  const Plan plan{.bound = options.count.value_or(model && images ? 64 : 0),
                  .ode = options.ode.value_or(model && !images ? 1000 : 0),
                  .draw = options.draw.value_or(!draws   ? 0
                                                : images ? 256
                                                         : 2000)};
  if (plan.bound == 0 && plan.ode == 0 && plan.draw == 0 && !given) {
    throw UsageError("evaluate: --count, --ode and --draw are 0: there is nothing to measure");
  }
  if (!options.out.empty() && plan.bound == 0) {
    throw UsageError("--out ", options.out, ": keeps the bound's terms, and there is no bound without --count");
  }
  if (!(options.tolerance > 0 && std::isfinite(options.tolerance))) {
    throw UsageError("--tolerance ", options.tolerance, ": wants a number above 0");
  }
  const Index fewest = ComparisonOptions{}.neighbours + 1;
  if (options.compare < fewest || (plan.draw > 0 && plan.draw < fewest)) {
    throw UsageError("evaluate: --draw and --compare want at least ", fewest, " samples to compare");
  }
  if (images && options.classifier.empty() && (plan.draw > 0 || given)) {
    throw UsageError(
        "--classifier is missing: samples are compared by its features. One for these classes comes from "
        "`reverie classifier --data TRAINING-SET --out classifier.h5`");
  }
  return plan;
}

void say(Progress& progress, const std::string& text) {
  progress.clear();
  std::cout << text << std::flush;
}

void bound(const Options& options, const LoadedModel& loaded, const Dataset& data, Index count) {
  Progress progress;
  const BoundEvaluation bound = evaluate_bound(loaded.model, data, count, options.seed, loaded.config.sample.clip,
                                               progress.reporter(concat("evaluating ", std::min(count, data.size()))));
  if (!options.out.empty()) write_text(options.out, step_table(bound));
  say(progress, concat("\nthe variational bound of ", bound.count, " images, +- its standard error (seed ",
                       options.seed, "; ", progress.elapsed(), "):\n", report(bound)));
  if (!options.out.empty()) std::cout << options.out << ": the table of all " << bound.vb.size() << " steps\n";
}

void likelihood(const Options& options, const LoadedModel& loaded, const Dataset& data, Index count) {
  const bool images = data.sample_shape().rank() == 3;
  const OdeOptions ode{
      .tolerance = options.tolerance, .probes = options.probes.value_or(images ? 1 : 0), .seed = options.seed};
  Progress progress;
  const LikelihoodEvaluation likelihood = evaluate_likelihood(
      loaded.model, data, count, ode, progress.reporter(concat("solving the ODE for ", std::min(count, data.size()))));
  say(progress, concat("\nthe likelihood of ", likelihood.count, " samples by the probability-flow ODE (seed ",
                       options.seed, "; ", progress.elapsed(), "):\n", report(likelihood, data.sample_shape())));
}

// The samples to compare, and what they are in words.
struct Compared {
  std::unique_ptr<Dataset> set;
  std::string words;
};

Compared samples_of(const Options& options, const std::optional<LoadedModel>& loaded, Index draw) {
  if (!options.samples.empty()) return {open_dataset(options.samples, toy_held_out), "samples of " + options.samples};
  SampleRequest request = default_request(loaded->config);
  request.count = draw;
  request.seed = options.seed;
  Progress progress;
  Samples samples = generate(loaded->model, request, progress.reporter(concat("sampling ", draw)));
  return {samples.as_dataset(), concat("samples by ", in_words(loaded->model, request))};
}

// The training set, if it is known and still there.
std::unique_ptr<Dataset> training_of(const Options& options, const std::optional<LoadedModel>& loaded) {
  if (!options.training.empty()) return open_dataset(options.training, toy_train);
  if (!loaded) return nullptr;
  try {
    return open_dataset(loaded->config.data.train, toy_train);
  } catch (const Error& error) {
    std::cerr << "warning: copies of training data are not looked for: " << error.what() << "\n";
    return nullptr;
  }
}

void compare(const Options& options, const std::optional<LoadedModel>& loaded, const Dataset& data, Index draw) {
  const auto classifier = options.classifier.empty() ? nullptr : read_classifier(options.classifier);
  const Judge judge(data, classifier.get());
  const Compared compared = samples_of(options, loaded, draw);
  const FeatureSet samples = judge.look_at(*compared.set, options.compare), real = judge.look_at(data, options.compare);
  const auto training = training_of(options, loaded);
  const Index N = samples.x.extent(0);
  std::cout << "\n"
            << N << " " << compared.words << "\nagainst " << real.x.extent(0) << " of " << options.data << ",\n";
  if (classifier) {
    std::cout << "on the " << Classifier::feature_count << " features of " << options.classifier
              << ", a small classifier that reverie trained\n(" << classifier->source
              << "): so this is not FID, whose\nfeatures are Inception's. Distances depend on the number of samples.\n";
  } else {
    std::cout << "on the points themselves. Distances depend on the number of samples.\n";
  }
  if (training) {
    std::cout << "\"training\": the first " << N << " of the training set in the samples' place\n";
  }
  std::cout << std::flush;
  std::cout << report(compare(judge, samples, real, training.get(), {.seed = options.seed}), judge);
}

void evaluate(const Options& options) {
  if (!options.out.empty()) require_writable(options.out);
  std::optional<LoadedModel> loaded;
  if (!options.checkpoint.empty()) loaded.emplace(load(options.checkpoint, options.weights));
  const auto data = open_dataset(options.data, toy_held_out);
  if (loaded) require_fits(loaded->model, *data, options.data);
  const Plan plan = plan_of(options, loaded.has_value(), data->sample_shape().rank() == 3);

  note_interrupts();
  if (loaded) std::cout << loaded->origin << " on " << options.data << std::endl;
  try {
    if (plan.bound > 0) bound(options, *loaded, *data, plan.bound);
    if (plan.ode > 0) likelihood(options, *loaded, *data, plan.ode);
    if (plan.draw > 0 || !options.samples.empty()) compare(options, loaded, *data, plan.draw);
  } catch (const Interrupted&) {
    std::cout << "stopped" << std::endl;
    throw;
  }
}

}  // namespace

void add_evaluate(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "evaluate", "Measure a model in bits per dimension, and samples by their distance from data");
  command->add_option("--data", options->data, "Data that the model hasn't seen: an image set, a point set, toy:NAME")
      ->type_name("SET")
      ->required();
  add_model(command, options->checkpoint, options->weights);
  command
      ->add_option("--count", options->count,
                   "The variational bound of the first N images, each asked about at every step; 0 for none [64]")
      ->type_name("N")
      ->check(not_negative);
  command->add_option("--out", options->out, "Write the bound's terms at all steps as CSV: t,vb,vb_error,mse,...")
      ->type_name("FILE");
  command
      ->add_option("--ode", options->ode,
                   "The likelihood of the first N samples by the probability-flow ODE [images 0, points 1000]")
      ->type_name("N")
      ->check(not_negative);
  command->add_option("--tolerance", options->tolerance, "Of the ODE's steps, per value and per dimension [1e-3]")
      ->type_name("X")
      ->check(finite);
  command
      ->add_option(
          "--probes", options->probes,
          "Random vectors of Hutchinson's estimate of the ODE's divergence; 0 for the exact one, which costs an "
          "evaluation for each dimension [images 1, points 0]")
      ->type_name("N")
      ->check(not_negative);
  command
      ->add_option(
          "--classifier", options->classifier,
          "Compare samples with the data by this classifier's features, from `reverie classifier`; points need "
          "none")
      ->type_name("FILE");
  command->add_option("--samples", options->samples, "Compare these samples, from `reverie sample --out X.h5`")
      ->type_name("SET");
  command
      ->add_option("--draw", options->draw,
                   "Without --samples: draw N from the checkpoint, as its configuration says [with --classifier 256, "
                   "points 2000]")
      ->type_name("N")
      ->check(not_negative);
  command->add_option("--compare", options->compare, "Compare at most the first N samples and data [2000]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--training", options->training,
                   "What the model was trained on, to look for copies of it [the checkpoint's data.train]")
      ->type_name("SET");
  command->add_option("--seed", options->seed, "Of everything random [0]")->type_name("S")->check(not_negative);
  add_threads(command);
  command->footer(
      "example: reverie evaluate --checkpoint runs/demo/checkpoint.h5 \\\n"
      "           --data data/sets/digits-test.h5 --out bits.csv\n"
      "         reverie evaluate --checkpoint runs/moons/checkpoint.h5 \\\n"
      "           --data toy:two_moons\n"
      "         reverie classifier --data data/sets/digits-train.h5 --out classifier.h5\n"
      "         reverie evaluate --samples runs/demo/samples.h5 \\\n"
      "           --data data/sets/digits-test.h5 --classifier classifier.h5 \\\n"
      "           --training data/sets/digits-train.h5");
  command->callback([options] { evaluate(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
