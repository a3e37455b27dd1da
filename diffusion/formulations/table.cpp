#include "diffusion/formulations/table.h"

#include "diffusion/formulations/chain.h"
#include "diffusion/formulations/continuous.h"
#include "diffusion/formulations/edm.h"
#include "diffusion/formulations/flow.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

NoiseSchedule schedule_of(const DiffusionOptions& d) {
  const NoiseSchedule schedule = make_schedule(d.schedule, d.steps, d.schedule_parameters);
  return d.zero_terminal_snr ? with_zero_terminal_snr(schedule) : schedule;
}

// Formulations other than the chain predict x_0 when a chain sampler uses them.
Process chain_of_denoiser(const DiffusionOptions& d) {
  return {schedule_of(d), MeanType::x0, variance_type(d.variance)};
}

void require_no_loss_weight(const DiffusionOptions& d) {
  if (d.loss_weight == "none") return;
  throw UsageError("config: `diffusion.loss_weight` is for the formulations chain and continuous; ", d.formulation,
                   " has a weighting of its own");
}

std::unique_ptr<Formulation> make_chain(const DiffusionOptions& d, const OptionValues&) {
  Process process(schedule_of(d), mean_type(d.prediction), variance_type(d.variance));
  ChainOptions options{.loss = find_loss(d.loss), .cdf = cdf_called(d.decoder_cdf), .huber = d.huber};
  if (d.loss_weight != "none") options.weights = loss_weights_of(d);
  return std::make_unique<ChainFormulation>(std::move(process), std::move(options));
}

LogSnrLine line_of(const OptionValues& values) {
  return {.max = values.at("log_snr_max"), .min = values.at("log_snr_min")};
}

std::unique_ptr<Formulation> make_continuous(const DiffusionOptions& d, const OptionValues& values) {
  const MeanType mean = mean_type(d.prediction);
  loss_weights_of(d);  // throws for weights that can't be
  return std::make_unique<ContinuousFormulation>(
      chain_of_denoiser(d),
      ContinuousOptions{.log_snr = line_of(values),
                        .mean_type = mean,
                        .weight = loss_weight_function(d.loss_weight, mean, d.loss_weight_parameters),
                        .huber = d.huber});
}

std::unique_ptr<Formulation> make_edm(const DiffusionOptions& d, const OptionValues& values) {
  require_no_loss_weight(d);
  return std::make_unique<EdmFormulation>(chain_of_denoiser(d), EdmOptions{.p_mean = values.at("p_mean"),
                                                                           .p_std = values.at("p_std"),
                                                                           .sigma_data = values.at("sigma_data"),
                                                                           .huber = d.huber});
}

std::unique_ptr<Formulation> make_flow(const DiffusionOptions& d, const OptionValues& values) {
  require_no_loss_weight(d);
  return std::make_unique<FlowFormulation>(chain_of_denoiser(d),
                                           FlowOptions{.times = find_line("flow times", flow_times(), d.flow_times),
                                                       .logit_mean = values.at("logit_mean"),
                                                       .logit_std = values.at("logit_std"),
                                                       .huber = d.huber});
}

}  // namespace

std::span<const FormulationKind> formulations() {
  static const LogSnrLine line;
  static const EdmOptions edm;
  static const FlowOptions flow;
  static const std::vector<FormulationKind> table = {
      {"chain", "a chain of noising steps, with a schedule, a prediction and a variance [Ho20]", {}, make_chain},
      {"continuous",
       "noise at any time in [0, 1], the logarithm of its signal-to-noise ratio on a line [Kingma21]",
       {{"log_snr_max", line.max, "ln(snr) at time 0"}, {"log_snr_min", line.min, "and at time 1"}},
       make_continuous},
      {"edm",
       "a preconditioned denoiser at any noise level sigma [Karras22]",
       {{"p_mean", edm.p_mean, "mean of ln sigma in training"},
        {"p_std", edm.p_std, "its standard deviation"},
        {"sigma_data", edm.sigma_data, "standard deviation of the data"}},
       make_edm},
      {"flow",
       "straight lines between data and noise, whose velocity is learned [Lipman23], [Liu23]",
       {{"logit_mean", flow.logit_mean, "logit_normal times: mean of ln(u / (1 - u))"},
        {"logit_std", flow.logit_std, "its standard deviation"}},
       make_flow}};
  return table;
}

OptionValues formulation_options(const DiffusionOptions& options) {
  const FormulationKind& kind = find_line("formulation", formulations(), options.formulation);
  return complete("formulation " + options.formulation, kind.options, options.formulation_parameters);
}

std::vector<double> loss_weights_of(const DiffusionOptions& d) {
  std::vector<double> alpha_bars;
  if (d.formulation == "continuous") {
    constexpr int count = 1000;
    const LogSnrLine line = line_of(formulation_options(d));
    for (int i = 0; i <= count; ++i) alpha_bars.push_back(line.alpha_bar(static_cast<double>(i) / count));
  } else {
    alpha_bars = schedule_of(d).alphas_cumprod;
  }
  return make_loss_weights(d.loss_weight, alpha_bars, mean_type(d.prediction), d.loss_weight_parameters);
}

std::unique_ptr<Formulation> make_formulation(const DiffusionOptions& options) {
  const FormulationKind& kind = find_line("formulation", formulations(), options.formulation);
  return kind.make(options, formulation_options(options));
}

}  // namespace reverie::inline REVERIE_PRECISION
