// reverie evaluate: measures a model's likelihood of held-out data and compares samples with data.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/report.h"
#include "apps/request.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, data, samples, classifier, training, out;
  std::optional<Index> count, ode, draw, probes;
  Index compare = 2000;
  double tolerance = 1e-2;
  std::uint64_t seed = 0;
};

// How many samples each measurement takes, from the flags and the kind of data; 0 skips it.
struct Plan {
  Index bound, ode, draw;
};

Plan plan_of(const Options& options, bool model, bool images) {
  const bool given = !options.samples.empty();
  if (!model && !given) {
    throw UsageError("evaluate: requires --checkpoint (to measure a model), --samples (to measure samples), or both");
  }
  if (!model && (options.count.value_or(0) > 0 || options.ode.value_or(0) > 0 || options.draw.value_or(0) > 0)) {
    throw UsageError("evaluate: --count, --ode and --draw require a model; --checkpoint is missing");
  }
  if (given && options.draw.value_or(0) > 0) {
    throw UsageError("evaluate: --samples and --draw exclude each other; choose one");
  }
  if (!images && options.count.value_or(0) > 0) {
    throw UsageError("--count: the variational bound requires 8-bit images, and ", options.data,
                     " has points; use --ode");
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
    throw UsageError("--out ", options.out,
                     ": writes the terms of the variational bound, which requires a positive --count");
  }
  if (!(options.tolerance > 0 && std::isfinite(options.tolerance))) {
    throw UsageError("--tolerance ", options.tolerance, ": expects a positive number");
  }
  const Index fewest = ComparisonOptions{}.neighbours + 1;
  if (options.compare < fewest || (plan.draw > 0 && plan.draw < fewest)) {
    throw UsageError("evaluate: --draw and --compare require at least ", fewest, " samples");
  }
  if (images && options.classifier.empty() && (plan.draw > 0 || given)) {
    throw UsageError(
        "--classifier is missing: images are compared by a classifier's features. To train one: "
        "reverie classifier --data TRAINING-SET --out classifier.h5");
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
  if (!options.out.empty())
    std::cout << printable(options.out) << ": the terms of all " << bound.vb.size() << " time steps\n";
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

// The request for samples to compare.
SampleRequest drawing_of(const Options& options, const LoadedModel& loaded, const Dataset& data, Index draw) {
  SampleRequest request = default_request(loaded.config);
  request.count = draw;
  request.seed = options.seed;
  borrow_conditions(request, loaded.model, data);
  return request;
}

// What is compared, opened and checked before anything is computed.
struct Comparands {
  std::unique_ptr<Classifier> classifier;      // null for points
  std::unique_ptr<Dataset> samples, training;  // null: to draw; unknown
  std::unique_ptr<Judge> judge;                // null: nothing is compared
};

// Opens the training set; null if it is unknown, or is the configured one and can't be used.
std::unique_ptr<Dataset> training_of(const Options& options, const std::optional<LoadedModel>& loaded,
                                     const Judge& judge) {
  const bool given = !options.training.empty();
  if (!given && !loaded) return nullptr;
  const std::string name = given ? options.training : loaded->config.data.train;
  try {
    auto set = open_dataset(name, toy_train, loaded ? loaded->config.data.memory() : 0);
    judge.require_fits(*set, name);
    return set;
  } catch (const Error& error) {
    if (given) throw;
    std::cerr << "warning: not looking for copies of training data: " << error.what() << "\n";
    return nullptr;
  }
}

Comparands comparands_of(const Options& options, const std::optional<LoadedModel>& loaded, const Dataset& data,
                         Index draw) {
  Comparands all;
  if (!options.classifier.empty()) all.classifier = read_classifier(options.classifier);
  if (draw == 0 && options.samples.empty()) return all;
  all.judge = std::make_unique<Judge>(data, all.classifier.get(), options.data);
  all.judge->require_fits(data, options.data);
  if (options.samples.empty()) {
    check_request(loaded->model, drawing_of(options, *loaded, data, draw));
  } else {
    all.samples = open_dataset(options.samples, toy_held_out);
    all.judge->require_fits(*all.samples, options.samples);
  }
  all.training = training_of(options, loaded, *all.judge);
  return all;
}

void compare(const Options& options, const std::optional<LoadedModel>& loaded, const Dataset& data, Comparands all,
             Index draw) {
  std::string name = options.samples, words = "samples of " + options.samples;
  if (!all.samples) {
    const SampleRequest request = drawing_of(options, *loaded, data, draw);
    Progress progress;
    all.samples = generate(loaded->model, request, progress.reporter(concat("sampling ", draw))).as_dataset();
    name = "the samples of " + options.checkpoint;
    words = concat("samples by ", in_words(loaded->model, request));
  }
  const Judge& judge = *all.judge;
  const FeatureSet samples = judge.look_at(*all.samples, options.compare, name),
                   real = judge.look_at(data, options.compare, options.data);
  const Index N = samples.x.extent(0);
  std::cout << "\n"
            << N << " " << printable(words) << "\nagainst " << real.x.extent(0) << " of " << printable(options.data)
            << ",\n";
  if (all.classifier) {
    std::cout << "on the " << Classifier::feature_count << " features of " << printable(options.classifier)
              << ", a small classifier that reverie trained\n(" << all.classifier->source
              << "). This is not FID, which uses\nInception features. Distances depend on the number of samples.\n";
  } else {
    std::cout << "on the points themselves. Distances depend on the number of samples.\n";
  }
  if (N <= samples.features.extent(1)) {
    std::cout << "With no more samples than features, the Frechet distance is mostly bias.\n";
  }
  if (all.training) {
    std::cout << "\"training\": " << std::min(N, all.training->size())
              << " of the training samples, measured in the same way\n";
  }
  std::cout << std::flush;
  std::cout << report(compare(judge, samples, real, all.training.get(), {.seed = options.seed}), judge);
}

void require_all_used(const Options& options, const CLI::App* command, const Plan& plan, bool images) {
  const bool compares = plan.draw > 0 || !options.samples.empty();
  const std::string nothing = "as nothing is compared; add --samples, or --draw with --checkpoint";
  require_used(command, "--weights", !options.checkpoint.empty(), "without --checkpoint");
  require_used(command, "--tolerance", plan.ode > 0, "without a positive --ode");
  require_used(command, "--probes", plan.ode > 0, "without a positive --ode");
  require_used(command, "--classifier", images, "on points, which are compared by their coordinates");
  for (const char* option : {"--classifier", "--compare", "--training"})
    require_used(command, option, compares, nothing);
  const bool random = plan.bound > 0 || compares || images || options.probes.value_or(0) > 0;
  require_used(command, "--seed", random, "on the likelihood of points by the exact divergence");
}

void evaluate(const Options& options, const CLI::App* command) {
  std::optional<LoadedModel> loaded;
  if (!options.checkpoint.empty()) loaded.emplace(load(options.checkpoint, options.weights));
  check_outputs({{"--out", options.out, {".csv"}}}, {{"--checkpoint", options.checkpoint},
                                                     {"--data", options.data},
                                                     {"--classifier", options.classifier},
                                                     {"--samples", options.samples},
                                                     {"--training", options.training},
                                                     {"training", loaded ? loaded->config.data.train : ""}});
  const Index memory = loaded ? loaded->config.data.memory() : 0;
  const auto data = open_dataset(options.data, toy_held_out, memory);
  if (loaded) require_fits(loaded->model, *data, options.data);
  const bool images = data->sample_shape().rank() == 3;
  const Plan plan = plan_of(options, loaded.has_value(), images);
  require_all_used(options, command, plan, images);
  for (const auto& [option, count] : {std::pair{"--count", options.count}, {"--ode", options.ode}}) {
    if (count.value_or(0) > data->size()) {
      throw UsageError(option, " ", *count, ": ", options.data, " has only ", data->size(), " samples");
    }
  }
  Comparands comparands = comparands_of(options, loaded, *data, plan.draw);

  note_interrupts();
  prepare_blas();
  if (loaded) std::cout << printable(loaded->origin) << " on " << printable(options.data) << std::endl;
  try {
    if (plan.bound > 0) bound(options, *loaded, *data, plan.bound);
    if (plan.ode > 0) likelihood(options, *loaded, *data, plan.ode);
    if (comparands.judge) compare(options, loaded, *data, std::move(comparands), plan.draw);
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
  command->add_option("--data", options->data, "Held-out data: an image set, a point set or toy:NAME")
      ->type_name("SET")
      ->required();
  add_model(command, options->checkpoint, options->weights);
  command
      ->add_option("--count", options->count,
                   "Compute the variational bound of N of the images, over all time steps; 0 for none [64]")
      ->type_name("N")
      ->check(not_negative);
  command
      ->add_option("--out", options->out, "Write the bound's terms at all time steps to X.csv: t,vb,vb_error,mse,...")
      ->type_name("FILE");
  command
      ->add_option("--ode", options->ode,
                   "Compute the likelihood of N of the samples by the probability-flow ODE [images 0, points 1000]")
      ->type_name("N")
      ->check(not_negative);
  command
      ->add_option("--tolerance", options->tolerance,
                   "Numerical error of each sample's likelihood, in nats per dimension: the ODE is solved with 16, "
                   "32, 64, ... steps until they agree this well [1e-2]")
      ->type_name("X")
      ->check(finite);
  command
      ->add_option(
          "--probes", options->probes,
          "Random vectors in Hutchinson's estimate of the ODE's divergence; 0 for the exact divergence, which takes an "
          "evaluation per dimension [images 1, points 0]")
      ->type_name("N")
      ->check(not_negative)
      ->check(CLI::Range(0, 100'000).description(""));
  command
      ->add_option(
          "--classifier", options->classifier,
          "Compare images by the features of this classifier, from `reverie classifier`; not needed for points")
      ->type_name("FILE");
  command->add_option("--samples", options->samples, "Compare these samples, from `reverie sample --out X.h5`")
      ->type_name("SET");
  command
      ->add_option(
          "--draw", options->draw,
          "Without --samples: draw N samples from the checkpoint, with its own settings [with --classifier 256, "
          "points 2000]")
      ->type_name("N")
      ->check(not_negative);
  command->add_option("--compare", options->compare, "Compare at most N samples with at most N of the data [2000]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--training", options->training,
                   "Training set, to look for copies of it [the checkpoint's data.train]")
      ->type_name("SET");
  command->add_option("--seed", options->seed, "Random seed [0]")->type_name("S")->check(not_negative);
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
  command->callback([options, command] { evaluate(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
