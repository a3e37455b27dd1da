#pragma once
#include <optional>
#include <string>

#include "apps/cli.h"
#include "apps/weights.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a user says of how to sample; the rest is the configuration's.
struct SamplingFlags {
  std::optional<std::string> sampler, solver_type, sigmas;
  std::optional<Index> steps;
  std::optional<double> guidance, guidance_rescale, dynamic_threshold;
  OptionValues sampler_parameters, sigma_parameters;
  std::string label;
  std::uint64_t seed = 0;
};
/// Adds the flags to a command; `flags` must live as long.
void add_sampling(CLI::App* command, SamplingFlags& flags);
/// The table of samplers, for the help.
std::string sampler_list();

/// The model's default request as the flags change it. Throws UsageError for a class that doesn't exist.
SampleRequest request_of(const SamplingFlags& flags, const LoadedModel& loaded, const LabelGuidance& classifier = {});
/// How samples came about, for the user and for their file: "ddim with 50 of 1000 steps, seed 0".
std::string in_words(const DiffusionModel& model, const SampleRequest& request);

}  // namespace reverie::inline REVERIE_PRECISION
