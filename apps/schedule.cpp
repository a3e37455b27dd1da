// reverie schedule: compares noise schedules.
#include "diffusion/process/schedule.h"

#include <cmath>
#include <functional>
#include <iomanip>
#include <iostream>

#include "apps/cli.h"
#include "apps/files.h"
#include "data/plot.h"
#include "diffusion/formulations/loss_weights.h"
#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// A row of the table of quantities that can be shown over t.
struct Quantity {
  const char* name;
  const char* summary;
  bool logarithmic;  ///< whether a plot has a logarithmic axis
  double (*at)(const NoiseSchedule& schedule, std::size_t t);
};

// The weight of the squared error of eps in the variational bound with sigma_t^2 = the posterior variance. The term of
// t = 0 is no squared error.
// [Ho20] eq. 12
double bound_weight(const NoiseSchedule& s, std::size_t t) {
  if (t == 0) return NAN;
  const double beta = s.betas[t];
  return beta * beta / (2 * s.posterior_variance[t] * (1 - beta) * (1 - s.alphas_cumprod[t]));
}

constexpr Quantity quantities[] = {
    {"alpha_bar", "share of the data's variance left in x_t", false,
     [](const NoiseSchedule& s, std::size_t t) { return s.alphas_cumprod[t]; }},
    {"snr", "signal-to-noise ratio alpha_bar / (1 - alpha_bar)", true,
     [](const NoiseSchedule& s, std::size_t t) { return s.snr[t]; }},
    {"beta", "variance of the noise that step t adds", true,
     [](const NoiseSchedule& s, std::size_t t) { return s.betas[t]; }},
    {"posterior_variance", "variance of q(x_{t-1} | x_t, x_0)", true,
     [](const NoiseSchedule& s, std::size_t t) { return s.posterior_variance[t]; }},
    {"bound_weight", "weight of the squared error of eps in the variational bound", true, bound_weight},
};

struct Options {
  std::vector<std::string> names;
  Index steps = 1000;
  std::string shows = "alpha_bar", weights, out;
};

Plot::Series over_t(const std::string& name, const NoiseSchedule& schedule,
                    const std::function<double(std::size_t)>& at) {
  Plot::Series series{name, {}, {}};
  for (std::size_t t = 0; t < schedule.betas.size(); ++t) {
    series.x.push_back(static_cast<double>(t));
    series.y.push_back(at(t));
  }
  return series;
}

// One curve for each schedule; or, with --weights, one for each loss weight on one schedule.
Plot curves(const Options& options) {
  if (!options.weights.empty()) {
    const NoiseSchedule schedule = make_schedule(options.names.front(), options.steps);
    Plot plot{.title = concat("weight of the squared error of ", options.weights, ", ", options.names.front()),
              .x_label = "t",
              .y_label = "weight",
              .log_y = true,
              .series = {}};
    for (const LossWeight& weight : loss_weights()) {
      const LossWeightFunction of = loss_weight_function(weight.name, mean_type(options.weights));
      plot.series.push_back(
          over_t(weight.name, schedule, [&](std::size_t t) { return of(schedule.alphas_cumprod[t]); }));
    }
    return plot;
  }
  const Quantity& quantity = find_line("quantity", std::span<const Quantity>(quantities), options.shows);
  Plot plot{
      .title = quantity.summary, .x_label = "t", .y_label = quantity.name, .log_y = quantity.logarithmic, .series = {}};
  for (const std::string& name : options.names) {
    const NoiseSchedule schedule = make_schedule(name, options.steps);
    plot.series.push_back(over_t(name, schedule, [&](std::size_t t) { return quantity.at(schedule, t); }));
  }
  return plot;
}

// About 200 points of each curve: more would only make the file larger. Curves are steepest at their ends, so the first
// and the last points all stay.
Plot thinned(Plot plot) {
  constexpr std::size_t most = 200, ends = 10;
  for (Plot::Series& series : plot.series) {
    const std::size_t size = series.x.size(), stride = (size + most - 1) / most;
    std::vector<double> x, y;
    for (std::size_t t = 0; t < size; ++t) {
      if (t % stride != 0 && t >= ends && t + ends < size) continue;
      x.push_back(series.x[t]);
      y.push_back(series.y[t]);
    }
    series.x = std::move(x), series.y = std::move(y);
  }
  return plot;
}

std::string number(double value) { return concat(std::setprecision(6), value); }

// t,name,name,...: one line for each time step.
std::string table(const Plot& plot) {
  std::string text = "t";
  for (const Plot::Series& series : plot.series) text += "," + series.name;
  text += "\n";
  for (std::size_t t = 0; t < plot.series.front().x.size(); ++t) {
    text += concat(t);
    for (const Plot::Series& series : plot.series)
      text += std::isfinite(series.y[t]) ? concat(",", std::setprecision(9), series.y[t]) : ",";
    text += "\n";
  }
  return text;
}

// About ten of the time steps, the first and the last among them.
std::string summary(const Plot& plot) {
  const auto T = plot.series.front().x.size();
  std::string text = concat(plot.title, "\n", std::setw(6), "t");
  for (const Plot::Series& series : plot.series) text += concat("  ", std::setw(13), series.name);
  text += "\n";
  const std::size_t lines = std::min<std::size_t>(T, 11);
  for (std::size_t i = 0; i < lines; ++i) {
    const std::size_t t = lines == 1 ? 0 : i * (T - 1) / (lines - 1);
    text += concat(std::setw(6), t);
    for (const Plot::Series& series : plot.series) text += concat("  ", std::setw(13), number(series.y[t]));
    text += "\n";
  }
  return text;
}

void show(Options options, const CLI::App* command) {
  check_outputs({{"--out", options.out, {".svg", ".csv"}}}, {});
  require_used(command, "--shows", options.weights.empty(), "with --weights");
  if (!options.weights.empty() && options.names.size() != 1) {
    throw UsageError("--weights: shows the loss weights of one schedule; expects its name, got ", options.names.size(),
                     " names");
  }
  if (options.names.empty())
    for (const ScheduleKind& kind : schedules()) options.names.push_back(kind.name);
  const Plot plot = curves(options);
  if (options.out.empty()) {
    std::cout << summary(plot);
  } else if (options.out.ends_with(".csv")) {
    write_text(options.out, table(plot));
  } else {
    write_svg(options.out, thinned(plot));
  }
}

}  // namespace

void add_schedule(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("schedule", "Compare noise schedules: alpha_bar, SNR, weights of the loss");
  std::string choice = "Schedules, with their default parameters [all]:", shows = "Quantity [alpha_bar]:";
  for (const ScheduleKind& kind : schedules()) choice += concat("\n", kind.name, ": ", kind.summary);
  for (const Quantity& quantity : quantities) shows += concat("\n", quantity.name, ": ", quantity.summary);
  command->add_option("names", options->names, choice)->type_name("NAME");
  command->add_option("--steps", options->steps, "Length T of the chain [1000]")->type_name("T")->check(positive);
  command->add_option("--shows", options->shows, shows)->type_name("QUANTITY");
  command
      ->add_option("--weights", options->weights,
                   "Instead: the loss weights of one schedule, for a network that predicts eps, x0 or v")
      ->type_name("PREDICTION");
  command->add_option("--out", options->out, "X.svg for a plot over t, X.csv for a table of all t [print a few t]")
      ->type_name("FILE");
  command->footer(
      "example: reverie schedule linear cosine --shows snr --out snr.svg\n"
      "         reverie schedule cosine --weights v --out weights.svg");
  command->callback([options, command] { show(*options, command); });
}

}  // namespace reverie::inline REVERIE_PRECISION
