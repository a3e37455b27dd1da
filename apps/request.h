#pragma once
#include <optional>
#include <string>

#include "apps/cli.h"
#include "apps/weights.h"

namespace reverie::inline REVERIE_PRECISION {

/// Sampling settings given on the command line; the configuration provides the rest.
struct SamplingFlags {
  std::optional<std::string> sampler, solver_type, sigmas;
  std::optional<Index> steps;
  std::optional<double> guidance, guidance_rescale, dynamic_threshold;
  OptionValues sampler_parameters, sigma_parameters;
  std::string label;
  std::vector<std::string> prompts;
  std::string prompt_file, negative_prompt;
  std::uint64_t seed = 0;
};
/// Adds the flags to a command; `flags` must outlive it.
void add_sampling(CLI::App* command, SamplingFlags& flags);
/// Returns the table of samplers for --help.
std::string sampler_list();

/// Returns the model's default request, modified by the flags. Throws UsageError for an unknown class.
SampleRequest request_of(const SamplingFlags& flags, const LoadedModel& loaded, const LabelGuidance& classifier = {});
/// Returns the classes of `--class K,L,...`; empty without.
std::vector<Index> classes_of(const SamplingFlags& flags, const DiffusionModel& model, const SampleRequest& request);
/// How values are shared out among the samples: in turn, or in order, the first samples having the first value.
enum class Share { in_turn, in_order };
/// Gives the samples several classes, if the flags list them.
void add_classes(SampleRequest& request, const SamplingFlags& flags, const DiffusionModel& model,
                 Share share = Share::in_turn);
/// Gives the samples the prompts in turn, and the negative prompt. Throws UsageError for prompts that the model lacks
/// or needs.
void add_prompts(SampleRequest& request, const SamplingFlags& flags, const DiffusionModel& model,
                 Share share = Share::in_turn);
/// Describes a request for printing and for the samples' file: "ddim with 50 of 1000 steps, seed 0".
std::string in_words(const DiffusionModel& model, const SampleRequest& request);

}  // namespace reverie::inline REVERIE_PRECISION
