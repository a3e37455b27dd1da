#pragma once
#include <memory>
#include <string>
#include <vector>

#include "diffusion/formulations/formulation.h"
#include "diffusion/tables/options.h"

namespace reverie::inline REVERIE_PRECISION {

/// A formulation and its chain, by names and numbers, as in `[diffusion]` of a configuration.
struct DiffusionOptions {
  std::string formulation = "chain";
  OptionValues formulation_parameters;
  std::string schedule = "cosine";
  OptionValues schedule_parameters;
  bool zero_terminal_snr = false;
  Index steps = 1000;
  std::string prediction = "eps", variance = "fixed_small", loss = "mse", decoder_cdf = "tanh";
  std::string loss_weight = "none";
  OptionValues loss_weight_parameters;
  double huber = 0;
  std::string flow_times = "logit_normal";
  std::string noise = "gaussian";  ///< added to samples in training and in sampling
};

/// A row of the table of formulations.
struct FormulationKind {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// `values` has every one of `options`.
  std::unique_ptr<Formulation> (*make)(const DiffusionOptions& diffusion, const OptionValues& values);
};
std::span<const FormulationKind> formulations();

/// Builds the formulation that the options name. Throws UsageError for an unknown name (listing the valid ones), and
/// for options that don't go together.
std::unique_ptr<Formulation> make_formulation(const DiffusionOptions& options);
/// The formulation's own options, given or from the table.
OptionValues formulation_options(const DiffusionOptions& options);

/// The weight of the squared error at each time step of a chain; for `continuous`, at 1001 times from 0 to 1. Throws
/// UsageError for a weight that isn't positive and finite.
std::vector<double> loss_weights_of(const DiffusionOptions& options);

}  // namespace reverie::inline REVERIE_PRECISION
