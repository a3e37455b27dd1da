// reverie sample: from a checkpoint to new samples.
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "apps/cli.h"
#include "apps/files.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/weights.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/sigmas.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Options {
  std::string checkpoint, weights, label, out;
  std::optional<std::string> sampler, solver_type, sigmas;
  std::optional<Index> steps;
  std::optional<double> guidance, guidance_rescale, dynamic_threshold;
  ParameterValues sampler_parameters, sigma_parameters;
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
  if (options.sampler && *options.sampler != request.sampler) {  // what was meant for another sampler is dropped
    request.sampler = *options.sampler;
    request.sampler_parameters.clear();
    request.solver_type.clear();
  }
  if (options.sigmas && *options.sigmas != request.sigmas) {
    request.sigmas = *options.sigmas;
    request.sigma_parameters.clear();
  }
  for (const auto& [name, value] : options.sampler_parameters) request.sampler_parameters[name] = value;
  for (const auto& [name, value] : options.sigma_parameters) request.sigma_parameters[name] = value;
  request.solver_type = options.solver_type.value_or(request.solver_type);
  request.steps = options.steps.value_or(request.steps);
  request.guidance = options.guidance.value_or(request.guidance);
  request.guidance_rescale = options.guidance_rescale.value_or(request.guidance_rescale);
  request.dynamic_threshold = options.dynamic_threshold.value_or(request.dynamic_threshold);
  if (!options.label.empty()) request.label = class_number(options.label, model);
  check_request(model, request);
  return request;
}

// How the samples came about, for the user and for the file.
std::string in_words(const LoadedModel& loaded, const SampleRequest& request) {
  const Index chain = loaded.model.process.schedule.steps();
  std::string text = concat(loaded.origin, ", ", request.sampler, " with ", request.steps > 0 ? request.steps : chain,
                            " of ", chain, " steps");
  for (const auto& [name, value] : request.sampler_parameters) text += concat(", ", name, " ", value);
  if (!request.solver_type.empty()) text += ", " + request.solver_type;
  if (find_sampler(request.sampler).sigma != nullptr && !request.sigmas.empty()) text += ", sigmas " + request.sigmas;
  for (const auto& [name, value] : request.sigma_parameters) text += concat(", ", name, " ", value);
  if (request.label >= 0) text += ", class " + loaded.model.data.class_names[static_cast<std::size_t>(request.label)];
  if (request.guidance != 1) text += concat(", guidance ", request.guidance);
  if (request.guidance_rescale > 0) text += concat(", rescaled by ", request.guidance_rescale);
  if (request.dynamic_threshold > 0) text += concat(", dynamic threshold ", request.dynamic_threshold);
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

// A flag for each: --s-churn for s_churn. What is given lands in `values`.
void add_parameters(CLI::App* command, const std::vector<ParameterInfo>& parameters, ParameterValues& values,
                    const std::string& otherwise) {
  for (const ParameterInfo& parameter : parameters) {
    std::string flag = concat("--", parameter.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    command
        ->add_option_function<double>(
            flag, [&values, name = parameter.name](double value) { values[name] = value; },
            parameter.meaning + otherwise)
        ->type_name("X");
  }
}

// The table of samplers, for the help.
std::string sampler_list() {
  std::ostringstream text;
  text << "samplers:\n";
  for (const Sampler& sampler : samplers()) {
    text << "  " << std::left << std::setw(20) << sampler.name << sampler.summary;
    const char* before = " (";
    for (const ParameterInfo& parameter : sampler.parameters) {
      text << std::exchange(before, ", ") << parameter.name << " " << parameter.value;
    }
    for (const char* type : sampler.solver_types) text << std::exchange(before, " or ") << type;
    text << (before[0] == ' ' && before[1] == '(' ? "\n" : ")\n");
  }
  return text.str();
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
  command->add_option("--sampler", options->sampler, "One of those below [sample.sampler]")->type_name("NAME");
  command->add_option("--steps", options->steps, "Steps to take, 0 for the whole chain [sample.steps]")
      ->type_name("N")
      ->check(not_negative);
  add_parameters(command, all_parameters(samplers()), options->sampler_parameters, " [the sampler's, see below]");
  command->add_option("--solver-type", options->solver_type, "Which of the sampler's formulas [see below]")
      ->type_name("NAME");
  command
      ->add_option("--sigmas", options->sigmas,
                   "Noise levels that samplers in the sigma form visit: chain, " + names_in(sigma_grids()) +
                       " [what suits the sampler]")
      ->type_name("NAME");
  add_parameters(command, all_parameters(sigma_grids()), options->sigma_parameters,
                 " [within what the model was trained on]");
  command->add_option("--class", options->label, "Class of all samples, its name or number [all classes in turn]")
      ->type_name("K");
  command
      ->add_option("--guidance", options->guidance,
                   "Classifier-free guidance: 1 is none, more exaggerates the class [sample.guidance]")
      ->type_name("S");
  command
      ->add_option("--guidance-rescale", options->guidance_rescale,
                   "Share, 0 to 1, in which guided answers get their contrast back [sample.guidance_rescale]")
      ->type_name("R");
  command
      ->add_option("--dynamic-threshold", options->dynamic_threshold,
                   "Share of each sample's values that must not saturate, 0 for none [sample.dynamic_threshold]")
      ->type_name("P");
  command->add_option("--count", options->count, "How many samples [64]")->type_name("N")->check(positive);
  command->add_option("--seed", options->seed, "Sample i is a function of the seed and i [0]")->type_name("S");
  command->add_option("--out", options->out, "X.png for a picture of all, X.h5 for an image set (or point set)")
      ->type_name("FILE")
      ->required();
  add_threads(command);
  command->footer(
      sampler_list() +
      "\nexample: reverie sample --checkpoint runs/demo/checkpoint.h5 --sampler ddim --steps 50 --count 64 --out "
      "new.png");
  command->callback([options] { sample(*options); });
}

}  // namespace reverie::inline REVERIE_PRECISION
