#include "diffusion/process/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <sstream>

#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double largest_beta = 0.999;  // keeps the last time steps from being singular where alpha_bar reaches 0

// beta_t = 1 - alpha_bar((t+1)/T) / alpha_bar(t/T)
// [Nichol21] sec. 3.2
template <class F>
std::vector<double> from_alpha_bar(Index T, F alpha_bar) {
  std::vector<double> betas;
  for (Index t = 0; t < T; ++t) {
    const double here = static_cast<double>(t) / static_cast<double>(T);
    const double next = static_cast<double>(t + 1) / static_cast<double>(T);
    betas.push_back(std::min(1 - alpha_bar(next) / alpha_bar(here), largest_beta));
  }
  return betas;
}

// T values from first to last. A single one is the last, the noisiest, because sampling starts from pure noise.
std::vector<double> equidistant(Index T, double first, double last) {
  std::vector<double> values;
  for (Index t = 0; t < T; ++t) {
    values.push_back(T == 1 ? last : first + (last - first) * static_cast<double>(t) / static_cast<double>(T - 1));
  }
  return values;
}

// The ends of the linear schedule, 1e-4 and 0.02 for T = 1000, rescaled so that other T end at about the same
// alpha_bar.
// [Ho20] sec. 4
struct Ends {
  double first, last;
};
Ends rescaled_ends(const char* name, Index T) {
  if (T <= 20) {
    throw UsageError("schedule ", name, ": ", T,
                     " steps are too few: its last beta is 20 / T and has to stay below 1, so it "
                     "needs at least 21 (the cosine schedule takes any number)");
  }
  const double scale = 1000.0 / static_cast<double>(T);
  return {1e-4 * scale, 0.02 * scale};
}

std::vector<double> linear(Index T, const OptionValues&) {  // [Ho20] sec. 4, [Nichol21]
  const Ends ends = rescaled_ends("linear", T);
  return equidistant(T, ends.first, ends.last);
}

// sqrt(beta) is linear in t, so the betas stay small for longer.
std::vector<double> quadratic(Index T, const OptionValues&) {
  const Ends ends = rescaled_ends("quadratic", T);
  std::vector<double> betas = equidistant(T, std::sqrt(ends.first), std::sqrt(ends.last));
  for (double& beta : betas) beta *= beta;
  return betas;
}

// The same beta at every time step, the mean of the linear schedule's, so that alpha_bar ends at about the same value.
std::vector<double> constant(Index T, const OptionValues&) {
  const Ends ends = rescaled_ends("constant", T);
  return std::vector<double>(static_cast<std::size_t>(T), (ends.first + ends.last) / 2);
}

// Betas along the logistic function from -6 to 6.
// [Xu22]
std::vector<double> sigmoid_beta(Index T, const OptionValues&) {
  const Ends ends = rescaled_ends("sigmoid_beta", T);
  std::vector<double> betas = equidistant(T, -6, 6);
  for (double& beta : betas) beta = ends.first + (ends.last - ends.first) / (1 + std::exp(-beta));
  return betas;
}

// ln(snr) is linear in t; alpha_bar = snr / (1 + snr).
// [Kingma21]
std::vector<double> log_snr(Index T, const OptionValues& values) {
  std::vector<double> betas;
  double previous = 1;
  for (const double log_snr : equidistant(T, values.at("log_snr_max"), values.at("log_snr_min"))) {
    const double alpha_bar = 1 / (1 + std::exp(-log_snr));
    betas.push_back(1 - alpha_bar / previous);
    previous = alpha_bar;
  }
  return betas;
}

// sqrt(beta) is linear in t, not rescaled with T.
// [Rombach22]
std::vector<double> scaled_linear(Index T, const OptionValues& values) {
  std::vector<double> betas = equidistant(T, std::sqrt(values.at("beta_start")), std::sqrt(values.at("beta_end")));
  for (double& beta : betas) beta *= beta;
  return betas;
}

// alpha_bar(u) = cos^2((u + 0.008) / 1.008 * pi / 2)
// [Nichol21] eq. 17
std::vector<double> cosine(Index T, const OptionValues&) {
  return from_alpha_bar(T, [](double u) {
    const double c = std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2);
    return c * c;
  });
}

// alpha_bar(u): the interval [start, end] of the falling logistic function, scaled to go from 1 to 0.
// [Chen23]
std::vector<double> sigmoid_alpha_bar(Index T, const OptionValues& values) {
  const double start = values.at("start"), end = values.at("end"), tau = values.at("tau");
  const auto logistic = [tau](double x) { return 1 / (1 + std::exp(-x / tau)); };
  return from_alpha_bar(T, [=](double u) {
    return (logistic(end) - logistic(u * (end - start) + start)) / (logistic(end) - logistic(start));
  });
}

// Parses comma-separated numbers; empty if the text is anything else.
std::vector<Index> comma_separated(const std::string& text) {
  std::vector<Index> numbers;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    if (part.empty() || part.size() > 9 || part.find_first_not_of("0123456789") != std::string::npos) return {};
    numbers.push_back(std::stoll(part));
  }
  return text.empty() || text.back() == ',' ? std::vector<Index>{} : numbers;
}

// The number of time steps 0, stride, 2 stride, ... below T.
Index strided_count(Index T, Index stride) { return (T + stride - 1) / stride; }

std::vector<Index> strided_steps(Index T, Index count) {
  if (count == 1) return {T - 1};
  Index above = T, below = 0;  // the nearest possible counts
  for (Index stride = 1; stride <= T; ++stride) {
    const Index exists = strided_count(T, stride);
    if (exists == count) {
      std::vector<Index> steps;
      for (Index t = 0; t < T; t += stride) steps.push_back(t);
      return steps;
    }
    if (exists > count) above = exists;
    if (exists < count && below == 0) below = exists;
  }
  std::string near = below > 0 ? concat("ddim", below) : "";
  if (above > count) near += concat(near.empty() ? "" : " and ", "ddim", above);
  if (near.empty()) near = concat("ddim", T);
  throw UsageError("respacing ddim", count, ": no integer stride takes ", count, " of ", T, " steps; the nearest are ",
                   near);
}

}  // namespace

NoiseSchedule::NoiseSchedule(std::vector<double> betas_) : betas(std::move(betas_)), original_T(steps()) {
  if (betas.empty()) throw Error("noise schedule: a chain has at least one step");
  const std::size_t T = betas.size();
  double alpha_bar = 1;
  for (std::size_t t = 0; t < T; ++t) {
    const double beta = betas[t];
    if (!(beta > 0 && beta <= 1) || (beta == 1 && t + 1 < T)) {
      throw Error("noise schedule: beta at step ", t, " is ", beta,
                  "; it has to be above 0 and below 1 (the last may be 1)");
    }
    const double prev = alpha_bar;
    alpha_bar *= 1 - beta;
    if (!(alpha_bar < prev) || (alpha_bar == 0 && t + 1 < T)) {
      throw Error("noise schedule: alphas_cumprod at step ", t, " is ", alpha_bar, " after ", prev,
                  "; it has to fall at every step, and only the last may be 0");
    }
    alphas_cumprod_prev.push_back(prev);
    alphas_cumprod.push_back(alpha_bar);
    sqrt_recipm1_alphas_cumprod.push_back(std::sqrt(1 / alpha_bar - 1));
    snr.push_back(alpha_bar / (1 - alpha_bar));
    posterior_variance.push_back(beta * (1 - prev) / (1 - alpha_bar));
    posterior_mean_coef1.push_back(std::sqrt(prev) * beta / (1 - alpha_bar));
    posterior_mean_coef2.push_back(std::sqrt(1 - beta) * (1 - prev) / (1 - alpha_bar));
    posterior_log_variance_clipped.push_back(std::log(posterior_variance[t]));
  }
  posterior_log_variance_clipped[0] = T > 1 ? posterior_log_variance_clipped[1] : std::log(betas[0]);
  original_steps.resize(T);
  std::iota(original_steps.begin(), original_steps.end(), Index{0});
}

std::span<const ScheduleKind> schedules() {
  static const std::vector<ScheduleKind> table = {
      {"linear", "betas on a line, 1e-4 to 0.02 for 1000 steps [Ho20]; at least 21 steps", {}, linear},
      {"cosine", "alpha_bar falls like cos^2 [Nichol21]", {}, cosine},
      {"sigmoid",
       "alpha_bar falls like a stretch of the logistic function [Chen23]",
       {{"start", -3, "where the stretch begins"},
        {"end", 3, "where it ends"},
        {"tau", 1, "temperature: larger is straighter"}},
       sigmoid_alpha_bar},
      {"scaled_linear",
       "square roots of the betas on a line, whatever the number of steps [Rombach22]",
       {{"beta_start", 0.00085, "first beta"}, {"beta_end", 0.012, "last beta"}},
       scaled_linear},
      {"quadratic", "square roots of the betas on a line, between linear's ends; at least 21 steps", {}, quadratic},
      {"constant", "the mean of linear's betas at every step; at least 21 steps", {}, constant},
      {"sigmoid_beta",
       "betas along the logistic function from -6 to 6, between linear's ends [Xu22]; at least 21 steps",
       {},
       sigmoid_beta},
      {"log_snr",
       "the logarithm of alpha_bar / (1 - alpha_bar) falls on a line [Kingma21]",
       {{"log_snr_max", 13.3, "at the first step"}, {"log_snr_min", -5, "at the last step"}},
       log_snr},
  };
  return table;
}

NoiseSchedule make_schedule(const std::string& name, Index T, const OptionValues& given) {
  const ScheduleKind& kind = find_line("schedule", schedules(), name);
  constexpr Index most = 1'000'000;
  if (T < 1 || T > most) throw UsageError("schedule ", name, ": ", T, " steps; it takes from 1 to ", most);
  return NoiseSchedule(kind.betas(T, complete("schedule " + name, kind.options, given)));
}

// Shifts and scales sqrt(alpha_bar) so that the last becomes 0 and the first is unchanged.
// [Lin23] Alg. 1
NoiseSchedule with_zero_terminal_snr(const NoiseSchedule& schedule) {
  const auto root = [&](std::size_t t) { return std::sqrt(schedule.alphas_cumprod[t]); };
  const std::size_t T = schedule.betas.size();
  if (T < 2) throw UsageError("zero-terminal-SNR rescaling: a chain of a single step has no end to rescale");
  const double first = root(0), last = root(T - 1), scale = first / (first - last);
  std::vector<double> betas;
  double previous = 1;
  for (std::size_t t = 0; t < T; ++t) {
    const double alpha_bar = std::pow((root(t) - last) * scale, 2);
    betas.push_back(1 - alpha_bar / previous);
    previous = alpha_bar;
  }
  return NoiseSchedule(std::move(betas));
}

std::vector<Index> spaced_steps(Index T, const std::string& sections) {
  if (sections.starts_with("ddim")) {
    const std::vector<Index> count = comma_separated(sections.substr(4));
    if (count.size() == 1 && count[0] > 0) return strided_steps(T, count[0]);
  }
  const std::vector<Index> counts = comma_separated(sections);
  if (counts.empty()) {
    throw UsageError("respacing \"", sections,
                     "\": expects a number of steps \"25\", one for each section \"10,15,20\", or \"ddim50\"");
  }
  if (counts.size() == 1 && counts[0] == 1) return {T - 1};
  std::vector<Index> steps;
  const Index k = static_cast<Index>(counts.size());
  Index begin = 0;
  for (Index section = 0; section < k; ++section) {
    const Index length = T / k + (section < T % k ? 1 : 0), count = counts[section];
    if (count < 1 || count > length) {
      throw UsageError("respacing \"", sections, "\": can't keep ", count, " of the ", length, " steps of section ",
                       section + 1, " of ", T, " steps");
    }
    const double stride = count == 1 ? 0 : static_cast<double>(length - 1) / static_cast<double>(count - 1);
    double position = 0;  // accumulated, because published chains depend on its rounding
    for (Index i = 0; i < count; ++i, position += stride) {
      steps.push_back(begin + static_cast<Index>(std::nearbyint(position)));  // half to even
    }
    begin += length;
  }
  return steps;
}

NoiseSchedule respace(const NoiseSchedule& schedule, const std::string& sections) {
  return respace(schedule, spaced_steps(schedule.steps(), sections));
}

NoiseSchedule respace(const NoiseSchedule& schedule, std::span<const Index> kept) {
  std::vector<double> betas;
  std::vector<Index> original_steps;
  double previous = 1;
  for (const Index t : kept) {
    if (t < 0 || t >= schedule.steps() ||
        (!original_steps.empty() && schedule.original_steps[t] <= original_steps.back())) {
      throw Error("respace: the kept steps have to ascend within 0 .. ", schedule.steps() - 1, ", and ", t,
                  " does not");
    }
    const double alpha_bar = schedule.alphas_cumprod[t];
    betas.push_back(1 - alpha_bar / previous);
    previous = alpha_bar;
    original_steps.push_back(schedule.original_steps[t]);
  }
  NoiseSchedule shorter(std::move(betas));
  shorter.original_steps = std::move(original_steps);
  shorter.original_T = schedule.original_T;
  return shorter;
}

}  // namespace reverie::inline REVERIE_PRECISION
