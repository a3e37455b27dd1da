// reverie sample: from a checkpoint to new samples.
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/weights.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, label, out;
  std::optional<std::string> sampler;
  std::optional<Index> steps;
  std::optional<double> eta, guidance;
  Index count = 64;
  std::uint64_t seed = 0;
};

// A class by its name, or by its number.
Index class_number(const std::string& wanted, const DiffusionModel& model) {
  if (!model.conditional()) throw UsageError("--class ", wanted, ": this model was trained without classes");
  const auto& names = model.data.class_names;
  const auto named = std::find(names.begin(), names.end(), wanted);
  if (named != names.end()) return named - names.begin();
  for (Index i = 0; i < std::ssize(names); ++i)
    if (wanted == std::to_string(i)) return i;
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  throw UsageError("--class ", wanted, ": there is no such class; there are ", known);
}

SampleRequest request_of(const Options& options, const DiffusionModel& model) {
  SampleRequest request = default_request(model.config);
  request.count = options.count;
  request.seed = options.seed;
  request.sampler = options.sampler.value_or(request.sampler);
  request.steps = options.steps.value_or(request.steps);
  request.eta = options.eta.value_or(request.eta);
  request.guidance = options.guidance.value_or(request.guidance);
  if (!options.label.empty()) request.label = class_number(options.label, model);
  check_request(model, request);
  const bool heeds_eta = std::string(find_sampler(request.sampler).options).find("eta") != std::string::npos;
  if (options.eta && !heeds_eta) throw UsageError("--eta: the sampler ", request.sampler, " has none");
  return request;
}

// How the samples came about, for the user and for the file.
std::string in_words(const LoadedModel& loaded, const SampleRequest& request) {
  const Index chain = loaded.model.process.schedule.steps();
  std::string text = concat(loaded.origin, ", ", request.sampler, " with ", request.steps > 0 ? request.steps : chain,
                            " of ", chain, " steps");
  if (request.sampler == "ddim") text += concat(", eta ", request.eta);
  if (request.label >= 0) text += ", class " + loaded.model.data.class_names[static_cast<std::size_t>(request.label)];
  if (request.guidance != 1) text += concat(", guidance ", request.guidance);
  return text + concat(", seed ", request.seed);
}

std::unique_ptr<Dataset> set_of(const Samples& samples, const DiffusionModel& model) {
  std::unique_ptr<Dataset> set;
  if (samples.x.rank() == 4) {
    set = std::make_unique<ImageSet>(ImageSet::from(samples.x));
  } else {
    auto points = std::make_unique<PointSet>();
    points->points = samples.x;
    set = std::move(points);
  }
  set->labels = samples.labels;
  if (!samples.labels.empty()) set->class_names = model.data.class_names;
  return set;
}

// Of what is shown: 0 is black, 1 white.
double mean_brightness(const Tensor& images) {
  const auto shown = [](double sum, real value) {
    return sum + std::clamp((static_cast<double>(value) + 1) / 2, 0., 1.);
  };
  return std::accumulate(images.values().begin(), images.values().end(), 0.0, shown) /
         static_cast<double>(images.size());
}

void sample(const Options& options) {
  const std::string suffix = std::filesystem::path(options.out).extension().string();
  if (suffix != ".png" && suffix != ".h5") throw UsageError("--out ", options.out, ": wants a name in .png or .h5");
  require_writable(options.out);
  const LoadedModel loaded = load(options.checkpoint, options.weights);
  if (suffix == ".png") require_picture(loaded.model.data.sample_shape);
  const SampleRequest request = request_of(options, loaded.model);

  note_interrupts();
  Progress progress;
  Samples samples;
  try {
    samples = generate(loaded.model, request, progress.reporter(concat("sampling ", request.count)));
  } catch (const Interrupted&) {
    progress.note("stopped; nothing was written");
    throw;
  }
  const std::string how = in_words(loaded, request);
  if (suffix == ".png") {
    write_png(options.out, picture_of(samples.x));
  } else {
    const auto set = set_of(samples, loaded.model);
    set->name = "samples";
    set->source = "reverie sample: " + how;
    set->licence = "made by a model; the licence of its training data may apply";
    set->save(options.out);
  }
  progress.clear();
  std::cout << options.out << ": " << request.count << " samples of " << how << "; " << progress.elapsed();
  if (samples.x.rank() == 4) std::cout << "; mean brightness " << std::setprecision(3) << mean_brightness(samples.x);
  std::cout << std::endl;
}

}  // namespace

void add_sample(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("sample", "Draw new samples from a trained model");
  add_model(command, options->checkpoint, options->weights);
  std::string names;
  for (const Sampler& sampler : samplers()) names += (names.empty() ? "" : "|") + std::string(sampler.name);
  command->add_option("--sampler", options->sampler, "How to walk the chain [the configuration's sample.sampler]")
      ->type_name(names);
  command->add_option("--steps", options->steps, "Steps to take, 0 for the whole chain [sample.steps]")
      ->type_name("N")
      ->check(not_negative);
  command->add_option("--eta", options->eta, "ddim: 0 is deterministic, 1 as noisy as ddpm [sample.eta]")
      ->type_name("E")
      ->check(CLI::Range(0.0, 1.0).description(""));
  command->add_option("--class", options->label, "Class of all samples, its name or number [all classes in turn]")
      ->type_name("K");
  command
      ->add_option("--guidance", options->guidance,
                   "Classifier-free guidance: 1 is none, more exaggerates the class [sample.guidance]")
      ->type_name("S");
  command->add_option("--count", options->count, "How many samples [64]")->type_name("N")->check(positive);
  command->add_option("--seed", options->seed, "Sample i is a function of the seed and i [0]")->type_name("S");
  command->add_option("--out", options->out, "X.png for a picture of all, X.h5 for an image set (or point set)")
      ->type_name("FILE")
      ->required();
  add_threads(command);
  command->footer(
      "example: reverie sample --checkpoint runs/demo/checkpoint.h5 --sampler ddim --steps 50 --count 64 --out "
      "new.png");
  command->callback([options] { sample(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
