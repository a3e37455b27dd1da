// Does synthetic training data help a classifier? Prints the tables of docs/augmentation.md.
//   augmentation --train SET --test SET [--per-class 20,50,100] [--seeds 5] ...
// trains one classifier on few real images of each class: alone, changed at random, with samples of a diffusion model
// trained on those same images, and with both.
//   augmentation --exchange SYNTHETIC --train SET --test SET [--per-class ...]
// compares classifiers trained on real images alone with those trained on synthetic images alone, from `reverie
// augment`: how many of these replace a real one. Rows are printed as they are ready; progress goes to standard error.
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>

#include "benchmarks/uses/command_line.h"
#include "data/classes.h"
#include "data/grid.h"
#include "data/png.h"
#include "data/subset.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/config.h"
#include "diffusion/training/trainer.h"
#include "diffusion/uses/augment.h"
#include "tensor/gemm.h"

using namespace reverie;

namespace {

struct Options {
  std::string train, test, config = "configs/augmentation.toml", exchange, picture;
  std::vector<std::string> settings;
  std::vector<Index> per_class;
  Index seeds = 5, synthetic = 100, classifier_steps = 600;
  double guidance = 1, confidence = 0;
  Augmentation changes{.shift = 2, .rotation = 10};
};

void log(const std::string& text) {
  using Clock = std::chrono::steady_clock;
  static const Clock::time_point start = Clock::now();
  std::fprintf(stderr, "%6.0f s  %s\n", std::chrono::duration<double>(Clock::now() - start).count(), text.c_str());
}

// The classifier of all rows: the same number of training steps, whatever it is trained on.
std::unique_ptr<Classifier> classifier_of(const Dataset& data, const Augmentation& changes, const Options& options,
                                          std::uint64_t seed) {
  return train_classifier(data, {.steps = options.classifier_steps, .augmentation = changes, .seed = seed});
}

// In percent.
double accuracy(const Classifier& classifier, const Dataset& test, const std::string& path) {
  const auto labels = labels_among(test, path, classifier.data.class_names, "the classifier");
  return 100 * mean_of(hits(recognise(classifier, test).classes, labels));
}

// "84.1 (82.9 to 85.2)": the mean over seeds.
std::string cell(const std::vector<double>& values) {
  const Estimate e = bootstrap_mean(values, 1000, 0);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.1f (%.1f to %.1f)", e.value, e.interval.low, e.interval.high);
  return text.data();
}

// The configuration of the diffusion models, checked with data like theirs.
Config config_of(const Options& options, const Dataset& data) {
  Config config = load_config(options.config);
  set_config(config, options.settings);
  check_config(config);
  SynthesisRequest request{.sampling = default_request(config), .per_class = options.synthetic};
  request.sampling.guidance = options.guidance;
  if (options.confidence != 0) request.confidence = options.confidence;
  check_synthesis(build_model(config, facts_of(data)), request);
  return config;
}

// A diffusion model of the images, and its samples.
std::unique_ptr<StoredSet> synthetic_images(const Dataset& real, const Classifier& judge, const Options& options,
                                            Config config, std::uint64_t seed) {
  config.train.seed = static_cast<Index>(seed);
  Trainer trainer(build_model(config, facts_of(real)), real, config.train);
  while (trainer.steps_done() < config.train.steps) trainer.step();
  SynthesisRequest request{.sampling = default_request(config), .per_class = options.synthetic};
  request.sampling.seed = seed;
  request.sampling.guidance = options.guidance;
  if (options.confidence > 0) {
    request.classifier = &judge;
    request.confidence = options.confidence;
  }
  std::unique_ptr<StoredSet> set;
  trainer.with_sampling_weights([&](const DiffusionModel& model) {
    const Synthesis synthesis = synthesise(model, request);
    set = synthesis.samples.as_dataset();
  });
  return set;
}

// Draws real images above synthetic ones, a column for each class; black where there is none.
void draw(const std::string& path, const Dataset& real, const Dataset& synthetic) {
  constexpr Index rows = 3;
  const Index classes = std::ssize(real.class_names);
  Tensor all = Tensor::full(samples_of(real, 0, 1).shape().with(0, 2 * rows * classes), -1);
  Index first = 0;  // image of the set
  for (const Dataset* set : {&real, &synthetic}) {
    std::vector<Index> drawn(static_cast<std::size_t>(classes));
    for (Index i = 0; i < set->size(); ++i) {
      const Index label = set->labels[i], row = drawn[label]++;
      if (row >= rows) continue;
      const Index at = first + row * classes + label;
      all.rows(at, at + 1).copy_from(samples_of(*set, i, i + 1));
    }
    first += rows * classes;
  }
  write_png(path, grid(all, classes, 1));
}

enum Row : std::size_t { alone, changed, with_synthetic, with_both };
constexpr std::array<const char*, 4> names = {"real images alone", "+ random changes", "+ synthetic images",
                                              "+ random changes + synthetic images"};

void print_rows(Index n, const std::array<std::vector<double>, 4>& accuracies) {
  for (const Row row : {alone, changed, with_synthetic, with_both}) {
    std::vector<double> gain;  // of the same images and seed, over the cheap alternative
    for (std::size_t s = 0; s < accuracies[row].size(); ++s)
      gain.push_back(accuracies[row][s] - accuracies[changed][s]);
    std::printf("| %d | %s | %s | %s |\n", static_cast<int>(n), names[row], cell(accuracies[row]).c_str(),
                row == changed ? "" : cell(gain).c_str());
  }
  std::fflush(stdout);
}

void compare_rows(const Options& options, const Dataset& train, const Dataset& test) {
  const Config config = config_of(options, train);
  std::printf(
      "| real images a class | training data | accuracy, %% | difference from random changes |\n|---|---|---|---|\n");
  for (const Index n : options.per_class) {
    std::array<std::vector<double>, 4> accuracies;
    for (std::uint64_t seed = 0; seed < static_cast<std::uint64_t>(options.seeds); ++seed) {
      const Subset real = Subset::of_each_class(train, n, seed);
      const auto measure = [&](Row row, const Classifier& classifier) {
        accuracies[row].push_back(accuracy(classifier, test, options.test));
        log(concat(n, " a class, seed ", seed, ", ", names[row], ": ", accuracies[row].back(), "%"));
      };
      measure(alone, *classifier_of(real, {}, options, seed));
      const auto judge = classifier_of(real, options.changes, options, seed);
      measure(changed, *judge);
      const auto synthetic = synthetic_images(real, *judge, options, config, seed);
      log(concat(synthetic->size(), " synthetic images; ", accuracy(*judge, *synthetic, "the samples"),
                 "% are recognised as what they were drawn for"));
      if (!options.picture.empty() && seed == 0 && n == options.per_class.front())
        draw(options.picture, real, *synthetic);
      const Joined joined(real, options.train, *synthetic, "the samples", times_for_half(real, *synthetic));
      measure(with_synthetic, *classifier_of(joined, {}, options, seed));
      measure(with_both, *classifier_of(joined, options.changes, options, seed));
    }
    print_rows(n, accuracies);
  }
}

// The number of real images at which the mean accuracy is `wanted`, interpolated in its logarithm; nullopt outside.
std::optional<double> real_images(const std::map<Index, double>& curve, double wanted) {
  for (auto low = curve.begin(), high = std::next(low); high != curve.end(); ++low, ++high) {
    if (wanted < low->second || wanted > high->second) continue;
    const double share = high->second > low->second ? (wanted - low->second) / (high->second - low->second) : 0;
    return std::exp(
        std::lerp(std::log(static_cast<double>(low->first)), std::log(static_cast<double>(high->first)), share));
  }
  return std::nullopt;
}

void exchange(const Options& options, const Dataset& train, const Dataset& test) {
  const auto synthetic = load_dataset(options.exchange);
  labels_among(*synthetic, options.exchange, train.class_names, options.train);
  for (const Index n : options.per_class) Subset::of_each_class(*synthetic, n, 0);  // throws if there are too few
  std::map<Index, double> curve;
  std::map<Index, std::array<std::vector<double>, 2>> accuracies;
  for (const Index n : options.per_class) {
    for (std::uint64_t seed = 0; seed < static_cast<std::uint64_t>(options.seeds); ++seed) {
      for (const std::size_t kind : {0, 1}) {
        const Subset part = Subset::of_each_class(kind == 0 ? train : *synthetic, n, seed);
        accuracies[n][kind].push_back(
            accuracy(*classifier_of(part, options.changes, options, seed), test, options.test));
        log(concat(n, " a class, seed ", seed, kind == 0 ? ", real: " : ", synthetic: ", accuracies[n][kind].back(),
                   "%"));
      }
    }
    curve[n] = mean_of(accuracies[n][0]);
  }
  std::printf(
      "| images a class | real, accuracy %% | synthetic, accuracy %% | real images that do as well | synthetic for a "
      "real one |\n|---|---|---|---|---|\n");
  for (const auto& [n, both] : accuracies) {
    const double reached = mean_of(both[1]);
    const auto same = real_images(curve, reached);
    std::printf("| %d | %s | %s |", static_cast<int>(n), cell(both[0]).c_str(), cell(both[1]).c_str());
    if (same) {
      std::printf(" %.0f | %.2g |\n", *same, static_cast<double>(n) / *same);
    } else {
      std::printf(" %s %d | |\n", reached < curve.begin()->second ? "fewer than" : "more than",
                  static_cast<int>(reached < curve.begin()->second ? curve.begin()->first : curve.rbegin()->first));
    }
  }
}

void measure(Options options) {
  if (options.per_class.empty())
    options.per_class =
        options.exchange.empty() ? std::vector<Index>{20, 50, 100} : std::vector<Index>{10, 20, 50, 100, 200, 500};
  const auto train = load_dataset(options.train), test = load_dataset(options.test);
  if (test->sample_shape() != train->sample_shape()) {
    throw UsageError("--test: samples of shape ", test->sample_shape(), "; --train has ", train->sample_shape());
  }
  labels_among(*test, options.test, train->class_names, options.train);
  check_augmentation(options.changes, train->sample_shape(), "augmentation");
  for (const Index n : options.per_class) Subset::of_each_class(*train, n, 0);  // throws if there are too few
  prepare_blas();
  options.exchange.empty() ? compare_rows(options, *train, *test) : exchange(options, *train, *test);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Does synthetic training data help a classifier?");
  Options options;
  program.add_option("--train", options.train, "Image set to take real images from")->required();
  program.add_option("--test", options.test, "Image set to measure the accuracy on")->required();
  program.add_option("--per-class", options.per_class, "Images of each class [20,50,100]")
      ->delimiter(',')
      ->check(CLI::Range(1, 1'000'000));
  program.add_option("--seeds", options.seeds, "Repetitions, each with other images")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  program.add_option("--classifier-steps", options.classifier_steps, "Training steps of the classifier")
      ->capture_default_str();
  program.add_flag("--flip", options.changes.flip, "Random changes: mirror");
  program.add_option("--shift", options.changes.shift, "Random changes: pixels")->capture_default_str();
  program.add_option("--rotation", options.changes.rotation, "Random changes: degrees")->capture_default_str();
  program.add_option("--brightness", options.changes.brightness, "Random changes: brightness")->capture_default_str();
  program.add_option("--config", options.config, "Configuration of the diffusion model")->capture_default_str();
  program.add_option("--set", options.settings, "Keys of it, KEY=VALUE");
  program.add_option("--synthetic", options.synthetic, "Synthetic images of each class")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  program.add_option("--guidance", options.guidance, "Guidance of the samples")->capture_default_str();
  program
      .add_option("--confidence", options.confidence,
                  "Keep only samples that the classifier of the real images gives this probability; 0 keeps all")
      ->capture_default_str();
  program.add_option("--picture", options.picture, "PNG to draw real above synthetic images to, of the first model");
  program.add_option("--exchange", options.exchange, "Synthetic set, from `reverie augment`: print the exchange rate");
  return with_command_line(program, argc, argv, [&] { measure(options); });
}
