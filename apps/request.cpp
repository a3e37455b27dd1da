#include "apps/request.h"

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "data/input_file.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sigmas.h"
#include "tensor/decimal.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Returns the index of a class given by name or number.
Index class_number(const std::string& wanted, const std::vector<std::string>& names) {
  if (names.empty()) {
    throw UsageError("--class ", wanted, ": this model was trained without classes; use --classifier to guide it");
  }
  const auto named = std::find(names.begin(), names.end(), wanted);
  if (named != names.end()) return named - names.begin();
  // Where names are numbers themselves, a number can only mean a name.
  const bool numbers = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  });
  for (Index i = 0; i < std::ssize(names) && !numbers; ++i)
    if (wanted == std::to_string(i)) return i;
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  throw UsageError("--class ", wanted, ": unknown class; the classes are ", known);
}

// The flag of a parameter: --s-churn for s_churn.
std::string flag_of(const char* parameter) {
  std::string flag = concat("--", parameter);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

// Adds a flag for each parameter (--s-churn for s_churn) that stores the given value in `values`. `default_of`
// describes the parameter's default.
void add_parameters(CLI::App* command, const std::vector<OptionInfo>& parameters, OptionValues& values,
                    const std::function<std::string(const OptionInfo&)>& default_of) {
  for (const OptionInfo& parameter : parameters) {
    command
        ->add_option_function<double>(
            flag_of(parameter.name), [&values, name = parameter.name](double value) { values[name] = value; },
            concat(parameter.meaning, " [", default_of(parameter), "]"))
        ->type_name("X")
        ->check(finite);
  }
}

// Throws UsageError for flags that only scale a noise that the sampler doesn't add.
void require_noise(const SamplingFlags& flags, const SampleRequest& request) {
  const Sampler& sampler = find_sampler(request.sampler);
  const OptionValues values = complete(concat("sampler ", sampler.name), sampler.options, request.sampler_parameters);
  for (const char* source : {"s_churn", "eta"}) {
    const auto amount = values.find(source);
    if (amount == values.end() || amount->second != 0) continue;
    for (const char* name : {"s_tmin", "s_tmax", "s_noise"}) {
      if (!flags.sampler_parameters.contains(name)) continue;
      throw UsageError(flag_of(name), ": has no effect while ", source, " is 0, as sampler ", sampler.name,
                       " then adds no noise; add ", flag_of(source), " X");
    }
  }
}

// The defaults of sigma_min and sigma_max come from the model. Other options take the table's: "0.1", or, if the grids
// disagree, "karras 7, polyexponential 1".
std::string sigma_default(const OptionInfo& option) {
  if (std::string_view(option.name).starts_with("sigma_")) return "the range of noise levels in training";
  std::string defaults;
  bool same = true;
  for (const SigmaGrid& grid : sigma_grids()) {
    for (const OptionInfo& own : grid.options) {
      if (std::string_view(own.name) != option.name) continue;
      defaults += concat(defaults.empty() ? "" : ", ", grid.name, " ", own.value);
      same = same && own.value == option.value;
    }
  }
  return same ? concat(option.value) : defaults;
}

}  // namespace

void add_sampling(CLI::App* command, SamplingFlags& flags) {
  command->add_option("--sampler", flags.sampler, "One of the samplers below [sample.sampler]")->type_name("NAME");
  command->add_option("--steps", flags.steps, "Sampling steps; 0 for the whole chain [sample.steps]")
      ->type_name("N")
      ->check(not_negative);
  add_parameters(command, all_options(samplers()), flags.sampler_parameters,
                 [](const OptionInfo&) { return "see samplers below"; });
  command->add_option("--solver-type", flags.solver_type, "Variant of the sampler [see samplers below]")
      ->type_name("NAME");
  command
      ->add_option(
          "--sigmas", flags.sigmas,
          "Noise levels of samplers in the sigma form: chain, " + names_in(sigma_grids()) + " [depends on the sampler]")
      ->type_name("NAME");
  add_parameters(command, all_options(sigma_grids()), flags.sigma_parameters, sigma_default);
  command
      ->add_option("--class", flags.label,
                   "Class to sample, by name or number; several in turn: 3,7 [all classes in turn]")
      ->type_name("K,...");
  command
      ->add_option("--prompt", flags.prompts,
                   "What to draw, for models trained with captions: \"a large green circle\"; several in turn")
      ->type_name("TEXT");
  command->add_option("--prompts", flags.prompt_file, "A text file with a prompt in each line")->type_name("FILE");
  command->add_option("--negative-prompt", flags.negative_prompt, "What guidance leads away from [no caption]")
      ->type_name("TEXT");
  command
      ->add_option(
          "--guidance", flags.guidance,
          "Scale of classifier-free guidance; 1 for none, larger values exaggerate the class [sample.guidance]")
      ->type_name("S")
      ->check(finite);
  command
      ->add_option("--guidance-rescale", flags.guidance_rescale,
                   "0 to 1: how far to rescale guided predictions to their unguided contrast [sample.guidance_rescale]")
      ->type_name("R")
      ->check(finite);
  command
      ->add_option("--dynamic-threshold", flags.dynamic_threshold,
                   "Dynamic thresholding: quantile of |x_0| to clip at; 0 for none [sample.dynamic_threshold]")
      ->type_name("P")
      ->check(finite);
  command->add_option("--seed", flags.seed, "Random seed; sample i depends only on the seed and i [0]")
      ->type_name("S")
      ->check(not_negative);
}

std::string sampler_list() {
  std::ostringstream text;
  text << "samplers:\n";
  for (const Sampler& sampler : samplers()) {
    std::string options;
    const auto add = [&](const std::string& what, const char* between) {
      options += (options.empty() ? "\n" : between) + what;
    };
    for (const OptionInfo& parameter : sampler.options) add(concat(parameter.name, " ", parameter.value), ", ");
    for (const char* type : sampler.solver_types) add(type, type == sampler.solver_types[0] ? ", " : " or ");
    text << help_entry(sampler.name, sampler.summary + options, 22);
  }
  return text.str();
}

SampleRequest request_of(const SamplingFlags& flags, const LoadedModel& loaded, const LabelGuidance& classifier) {
  SampleRequest request = default_request(loaded.config);
  request.classifier = classifier;
  request.seed = flags.seed;
  if (flags.sampler) choose_sampler(request, *flags.sampler);
  if (flags.sigmas && *flags.sigmas != request.sigmas) {
    request.sigmas = *flags.sigmas;
    request.sigma_parameters.clear();
  }
  for (const auto& [name, value] : flags.sampler_parameters) request.sampler_parameters[name] = value;
  for (const auto& [name, value] : flags.sigma_parameters) request.sigma_parameters[name] = value;
  request.solver_type = flags.solver_type.value_or(request.solver_type);
  request.steps = flags.steps.value_or(request.steps);
  request.guidance = flags.guidance.value_or(request.guidance);
  request.guidance_rescale = flags.guidance_rescale.value_or(request.guidance_rescale);
  request.dynamic_threshold = flags.dynamic_threshold.value_or(request.dynamic_threshold);
  require_noise(flags, request);
  if (flags.guidance_rescale.value_or(0) > 0 && request.guidance == 1) {
    throw UsageError("--guidance-rescale: has no effect without guidance; add --guidance S");
  }
  const std::vector<Index> classes = classes_of(flags, loaded.model, request);
  if (classes.size() == 1) request.label = classes[0];
  return request;
}

std::vector<Index> classes_of(const SamplingFlags& flags, const DiffusionModel& model, const SampleRequest& request) {
  if (flags.label.empty()) return {};
  const std::vector<std::string>& names = sample_classes(model, request);
  // A name may have a comma itself.
  if (std::find(names.begin(), names.end(), flags.label) != names.end()) return {class_number(flags.label, names)};
  std::vector<Index> classes;
  std::istringstream list(flags.label + ",");
  for (std::string one; std::getline(list, one, ',');) {
    if (one.empty()) throw UsageError("--class ", flags.label, ": has an empty place; expects classes like 3,7");
    classes.push_back(class_number(one, names));
  }
  return classes;
}

namespace {

// The number of the value that sample i of `count` is given, of so many.
std::size_t shared_out(Index i, Index count, std::size_t values, Share share) {
  const auto n = static_cast<Index>(values);
  return static_cast<std::size_t>(share == Share::in_turn ? i % n : i * n / count);
}

}  // namespace

void add_classes(SampleRequest& request, const SamplingFlags& flags, const DiffusionModel& model, Share share) {
  const std::vector<Index> classes = classes_of(flags, model, request);
  if (classes.size() < 2) return;
  request.labels.clear();
  for (Index i = 0; i < request.count; ++i)
    request.labels.push_back(classes[shared_out(i, request.count, classes.size(), share)]);
}

void add_prompts(SampleRequest& request, const SamplingFlags& flags, const DiffusionModel& model, Share share) {
  std::vector<std::string> prompts = flags.prompts;
  if (!flags.prompt_file.empty()) {
    std::istringstream lines(InputFile(flags.prompt_file).text(Index{1} << 20));
    for (std::string line; std::getline(lines, line);) {
      if (!caption_words(line).empty()) prompts.push_back(line);
    }
    if (prompts.empty())
      throw UsageError("--prompts ", flags.prompt_file, ": has no prompts; expects one in each line");
  }
  request.negative_caption = flags.negative_prompt;
  if (!model.text_conditional()) {
    if (prompts.empty() && flags.negative_prompt.empty()) return;
    throw UsageError("--prompt: this model was trained without captions");
  }
  if (prompts.empty()) {
    std::string some;
    const std::vector<std::string>& words = model.facts().tokenizer.words();
    for (std::size_t i = 0; i < std::min<std::size_t>(12, words.size()); ++i) some += (i > 0 ? ", " : "") + words[i];
    throw UsageError("--prompt is missing: this model draws what a caption says; it knows ", words.size(),
                     " words: ", some, words.size() > 12 ? ", ..." : "");
  }
  for (Index i = 0; i < request.count; ++i) {
    request.captions.push_back(prompts[shared_out(i, request.count, prompts.size(), share)]);
  }
}

std::string in_words(const DiffusionModel& model, const SampleRequest& request) {
  const Index chain = model.process().schedule.steps();
  std::string text =
      concat(request.sampler, " with ", request.steps > 0 ? request.steps : chain, " of ", chain, " steps");
  for (const auto& [name, value] : request.sampler_parameters) text += concat(", ", name, " ", decimal(value));
  if (!request.solver_type.empty()) text += ", " + request.solver_type;
  if (find_sampler(request.sampler).sigma && !request.sigmas.empty()) text += ", sigmas " + request.sigmas;
  for (const auto& [name, value] : request.sigma_parameters) text += concat(", ", name, " ", decimal(value));
  if (request.label >= 0) {
    text += ", class " + sample_classes(model, request)[request.label];
  }
  const std::set<Index> classes(request.labels.begin(), request.labels.end());
  if (!classes.empty() && std::ssize(classes) < std::ssize(sample_classes(model, request))) {
    text += classes.size() == 1 ? ", class" : ", classes";
    for (const Index label : classes) text += " " + sample_classes(model, request)[label];
  }
  if (!request.captions.empty()) {
    const std::set<std::string> prompts(request.captions.begin(), request.captions.end());
    text += prompts.size() == 1 ? concat(", \"", *prompts.begin(), "\"") : concat(", ", prompts.size(), " prompts");
  }
  if (!request.negative_caption.empty()) text += concat(", away from \"", request.negative_caption, "\"");
  if (request.guidance != 1) text += concat(", guidance ", decimal(request.guidance));
  if (request.guidance_rescale > 0) text += concat(", rescale ", decimal(request.guidance_rescale));
  if (request.dynamic_threshold > 0) text += concat(", dynamic threshold ", decimal(request.dynamic_threshold));
  if (request.classifier.gradient)
    text += concat(", guided by a classifier, scale ", decimal(request.classifier.scale));
  return text + concat(", seed ", request.seed);
}

}  // namespace reverie::inline REVERIE_PRECISION
