// reverie detect: finds images and pixels that a model of healthy images can't restore.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/detection.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/weights.h"
#include "data/subset.h"
#include "diffusion/metrics/detection.h"
#include "diffusion/process/noise.h"
#include "tensor/gemm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, data, validation, out, report;
  std::vector<std::string> normal;
  double alpha = 0.05;
  bool standardise = false;
  std::optional<Index> steps;
  DetectOptions detect;
};

ImageSet load_images(const DiffusionModel& model, const std::string& path) {
  const auto set = load_dataset(path);
  require_images(model, *set, path);
  return dynamic_cast<const ImageSet&>(*set);
}

// The classes that count as normal: those given, or those that the model learned.
std::vector<std::string> normal_classes(const Options& options, const DiffusionModel& model, const ImageSet& data) {
  for (const std::string& name : options.normal) {
    if (std::find(data.class_names.begin(), data.class_names.end(), name) != data.class_names.end()) continue;
    std::string known;
    for (const std::string& other : data.class_names) known += (known.empty() ? "" : ", ") + other;
    throw UsageError("--normal ", name, ": unknown class; ", options.data,
                     known.empty() ? " has none" : " has the classes " + known);
  }
  return options.normal.empty() ? model.facts().class_names : options.normal;
}

// The rows of a set's healthy images.
std::vector<Index> healthy_rows(const ImageSet& set, const std::vector<std::string>& normal) {
  const std::vector<bool> sick = anomalous(set, normal);
  std::vector<Index> rows;
  for (Index i = 0; i < set.count; ++i)
    if (sick.empty() || !sick[i]) rows.push_back(i);
  return rows;
}

// The healthy images that standardise components, and the others, that set the threshold.
struct Split {
  std::vector<Index> standard, threshold;

  Split(Index count, bool standardise) {
    for (Index i = 0; i < count; ++i) (standardise && i % 2 == 0 ? standard : threshold).push_back(i);
  }
};

// Refuses a set that can't give the threshold that is promised.
void require_enough(const Options& options, const Dataset& healthy, const Split& split) {
  try {
    conformal_quantile(std::vector<double>(split.threshold.size()), options.alpha);
    if (options.standardise && split.standard.size() < 2) throw UsageError("--standardise takes every second one");
  } catch (const UsageError& error) {
    throw UsageError("--validation ", options.validation, ": ", healthy.size(), " healthy images",
                     options.standardise ? ", every second one for the standards; " : "; ", error.what());
  }
}

bool uses(const Options& options, const char* score) {
  const auto& scores = options.detect.scores;
  return std::find(scores.begin(), scores.end(), score) != scores.end();
}
bool has_maps(const Options& options) { return uses(options, "partial") || uses(options, "denoising"); }

std::string in_words(const Options& options) {
  std::string words;
  for (const std::string& score : options.detect.scores) words += (words.empty() ? "" : " and ") + score;
  words += concat(" with ", options.detect.noise, " noise, seed ", options.detect.seed);
  if (has_maps(options)) words += concat(", pooled by ", options.detect.pooling);
  if (options.detect.smoothing > 0) words += concat(", smoothed over ", options.detect.smoothing, " pixels");
  return words + (options.standardise ? ", standardised" : "");
}

void require_all_used(const Options& options, const CLI::App* command) {
  require_used(command, "--alpha", !options.validation.empty(), "without --validation");
  require_used(command, "--steps", uses(options, "partial") || uses(options, "bound"), "on the denoising score");
  for (const char* option : {"--levels", "--pool", "--smooth", "--report"})
    require_used(command, option, has_maps(options), "on the bound, which has no map");
}

// Finds what is anomalous in a set, with a threshold from the healthy images if there are any.
DetectionSet find(const Options& options, const DiffusionModel& model, const ImageSet& data, const Dataset* healthy,
                  const Split& split) {
  DetectionSet set;
  static_cast<ImageSet&>(set) = data;
  set.alpha = options.alpha;
  std::vector<Standard> standards;
  Progress progress;
  if (healthy != nullptr) {
    const Detection found =
        detect(model, *healthy, options.detect, {}, progress.reporter(concat("validation, ", healthy->size())));
    if (options.standardise) standards = standards_of(found, split.standard);
    const std::vector<double> all = standardised_scores(found, standards);
    std::vector<double> scores;
    for (const Index i : split.threshold) scores.push_back(all[i]);
    set.threshold = conformal_quantile(scores, options.alpha);
  }
  set.found = detect(model, data, options.detect, standards, progress.reporter(concat("scoring ", data.count)));
  return set;
}

void detect(Options options, const CLI::App* command) {
  require_all_used(options, command);
  if (options.detect.scores.size() > 1 && !options.standardise) {
    throw UsageError("--score: different scores have different units; add --standardise to combine them");
  }
  if (options.standardise && options.validation.empty())
    throw UsageError("--standardise: takes the scale of each score from healthy images; --validation is missing");
  const LoadedModel loaded = load(options.checkpoint, options.weights);
  check_outputs({{"--out", options.out, {".h5"}, data_set}, {"--report", options.report, {".png"}}},
                {{"--checkpoint", options.checkpoint},
                 {"--data", options.data},
                 {"--validation", options.validation},
                 {"training", loaded.config.data.train},
                 {"training", loaded.config.data.validation}});
  options.detect.clip = loaded.config.sample.clip;
  options.detect.steps = options.steps.value_or(std::min<Index>(50, loaded.model.process().schedule.steps()));
  if (options.detect.noise.empty()) options.detect.noise = loaded.model.noise().name;
  check_detection(loaded.model, options.detect);
  const ImageSet data = load_images(loaded.model, options.data);
  const std::vector<std::string> normal = normal_classes(options, loaded.model, data);
  std::optional<ImageSet> validation;
  std::optional<Subset> healthy;
  std::error_code error;
  if (!options.validation.empty()) {
    if (std::filesystem::equivalent(options.data, options.validation, error)) {
      throw UsageError("--validation ", options.validation,
                       ": is the set to examine itself; the threshold must come from other images");
    }
    if (std::filesystem::equivalent(loaded.config.data.train, options.validation, error)) {
      std::cerr << "warning: the model was trained on " << printable(options.validation)
                << ", which it restores better than new images; the threshold will be too low\n";
    }
    validation = load_images(loaded.model, options.validation);
    healthy.emplace(*validation, healthy_rows(*validation, normal));
  }
  const Split split(healthy ? healthy->size() : 0, options.standardise);
  if (healthy) require_enough(options, *healthy, split);
  const Shape shape = loaded.model.facts().sample_shape;
  if (!options.report.empty()) require_picture(shape, detection_cells(data));

  note_interrupts();
  prepare_blas();
  Progress progress;
  DetectionSet set;
  try {
    set = find(options, loaded.model, data, healthy ? &*healthy : nullptr, split);
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  const std::string how = concat(loaded.origin, ": ", in_words(options));
  set.source = concat(data.source, data.source.empty() ? "" : "; ", "reverie detect: ", how);
  set.save(options.out);
  if (!options.report.empty()) write_png(options.report, detection_picture(set));
  progress.clear();
  std::cout << printable(options.out) << ": " << data.count << " images of " << printable(options.data) << " under "
            << printable(how) << "; " << set.found.evaluations << " evaluations of the network each; "
            << progress.elapsed() << "\n";
  if (healthy) {
    std::cout << "  threshold " << *set.threshold << ": at most " << percent(options.alpha)
              << " of healthy images are above it, by " << split.threshold.size() << " of the " << validation->count
              << " images of " << printable(options.validation);
    if (options.standardise) std::cout << " (" << split.standard.size() << " more set the scale)";
    if (healthy->size() < validation->count)
      std::cout << "; " << validation->count - healthy->size() << " are not healthy and were left out";
    std::cout << "\n";
  }
  const std::vector<bool> sick = anomalous(data, normal);
  if (!sick.empty()) {
    std::cout << image_table(set, sick, !data.labels.empty() && !normal.empty());
  } else {
    if (set.threshold) std::cout << "  flagged: " << alarms(set) << "\n";
    std::cout << "  nothing says which images are normal"
              << (data.labels.empty() ? "" : "; --normal CLASS does, for classes that the model doesn't know") << "\n";
  }
  if (!data.masks.empty() && set.found.maps.defined()) std::cout << pixel_table(set);
  if (!options.report.empty()) {
    std::cout << printable(options.report) << ": the highest scores on the left, typical ones on the right; image, "
              << "healed, map" << (data.masks.empty() ? "" : ", mask") << picture_note(shape) << "\n";
  }
  std::cout << std::flush;
}

// A list of a table's rows for --help.
template <class Line>
std::string rows_of(std::span<const Line> table) {
  std::string rows;
  for (const Line& line : table) rows += concat("\n", line.name, ": ", line.summary);
  return rows;
}

}  // namespace

void add_detect(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("detect", "Find anomalous images, and where, under a model of healthy ones");
  add_model(command, options->checkpoint, options->weights);
  command->get_option("--checkpoint")->required();
  command->add_option("--data", options->data, "Image set to examine")->type_name("SET")->required();
  command
      ->add_option("--validation", options->validation,
                   "Healthy images that the model wasn't trained on: they set the threshold. Images of classes that "
                   "aren't normal, or with a mask that isn't empty, are left out")
      ->type_name("SET");
  command
      ->add_option("--normal", options->normal,
                   "Classes of the set that count as normal, separated by commas [those the model learned]")
      ->type_name("A,B")
      ->delimiter(',');
  command
      ->add_option("--out", options->out,
                   "X.h5: the images with the datasets maps, healed, scores and, with --validation, flags")
      ->type_name("FILE")
      ->required();
  command->add_option("--report", options->report, "X.png: the worst images and typical ones, healed, with their maps")
      ->type_name("FILE");
  command
      ->add_option(
          "--score", options->detect.scores,
          "Scores, separated by commas; several require --standardise [denoising]:" + rows_of(anomaly_scores()))
      ->type_name("A,B")
      ->delimiter(',');
  command
      ->add_option(
          "--levels", options->detect.levels,
          "Noise levels, shares of the chain, separated by commas [denoising 0.5,0.55,0.6,0.65,0.7, partial 0.25]")
      ->type_name("X,Y")
      ->delimiter(',')
      ->check(finite);
  command->add_option("--draws", options->detect.draws, "Draws of noise at each level; their scores are averaged [1]")
      ->type_name("N")
      ->check(positive);
  command
      ->add_option("--noise", options->detect.noise,
                   "Noise to add, best the one that the model learned [that one]:" + rows_of(noises()))
      ->type_name("NAME");
  command->add_option("--pool", options->detect.pooling, "From a map to an image's score [mean]:" + rows_of(poolings()))
      ->type_name("NAME");
  command
      ->add_option("--smooth", options->detect.smoothing,
                   "Smooth maps with a Gaussian of this standard deviation, in pixels [0]")
      ->type_name("X")
      ->check(finite);
  command
      ->add_option("--steps", options->steps,
                   "Steps of the whole chain: sampling steps of `partial`, terms of `bound` [50]")
      ->type_name("N")
      ->check(positive);
  command->add_flag("--standardise", options->standardise,
                    "Subtract each score's mean over healthy images, and divide by its standard deviation, before "
                    "levels and scores are averaged; takes every second validation image");
  command
      ->add_option("--alpha", options->alpha,
                   "The share of healthy images that may be flagged: the threshold is a conformal quantile [0.05]")
      ->type_name("X")
      ->check(finite);
  command->add_option("--seed", options->detect.seed, "Random seed [0]")->type_name("S")->check(not_negative);
  add_threads(command);
  command->footer(
      "example: reverie detect --checkpoint runs/demo/checkpoint.h5 \\\n"
      "           --data data/sets/digits-test.h5 --out maps.h5 --report maps.png");
  command->callback([options, command] { detect(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
