#include "apps/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Formats into a string of at most 255 characters; the callers append longer texts.
[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  char line[256];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  return line;
}

std::string line(const char* name, const MeanWithError& mean, const std::string& meaning) {
  return print("  %-8s %9.4f  +- %.4f  ", name, mean.value, mean.error) + meaning + "\n";
}

// Lists the number of samples in each class.
std::string classes(const std::vector<Index>& counts, const std::vector<std::string>& names) {
  std::string text = "  samples per class:", row;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const std::string word = concat(" ", printable(names[k]), ": ", counts[k], k + 1 < counts.size() ? "," : "");
    if (text.size() - text.rfind('\n') - 1 + word.size() > 80) text += "\n   ";
    text += word;
  }
  return text + "\n";
}

}  // namespace

std::string report(const BoundEvaluation& bound) {
  return line("total", bound.total, "bits/dim: the bound on -log2 p(x_0)") +
         line("prior", bound.prior, "L_T: information about x_0 left in x_T") +
         line("middle", bound.middle, concat("L_1 + ... + L_", bound.vb.size() - 1, ": the denoising steps")) +
         line("decoder", bound.decoder, "L_0: the last step, to 8-bit values") +
         line(" exact", bound.exact_decoder, "L_0 by the exact normal CDF, not its tanh form");
}

std::string report(const LikelihoodEvaluation& likelihood, const Shape& sample) {
  const bool images = sample.rank() == 3;
  return line("bits/dim", likelihood.bits, images ? "-log2 p of 8-bit values, dequantised" : "-log2 p / 2") +
         line("nats", likelihood.nats, "ln p, the density of a whole sample") +
         print("  +- is statistical; the numerical error is about %.2g bits/dim, %.2g nats\n",
               likelihood.numerical_error / (std::numbers::ln2 * static_cast<double>(sample.size())),
               likelihood.numerical_error) +
         print("  from sigma %.3g to %.3g; %.0f network evaluations with gradients\n", likelihood.sigma_min,
               likelihood.sigma_max, likelihood.evaluations);
}

std::string report(const Comparison& comparison, const Judge& judge) {
  const bool trained = std::any_of(comparison.measures.begin(), comparison.measures.end(),
                                   [](const Measure& m) { return m.training.has_value(); });
  std::string text = print("  %-16s %8s  %-21s %s\n", "", "samples", "95% interval", trained ? "training" : "");
  text.erase(text.find_last_not_of(" \n") + 1, std::string::npos);
  text += "\n";
  for (const Measure& m : comparison.measures) {
    const std::string interval = print("%.3g to %.3g", m.samples.interval.low, m.samples.interval.high);
    text += print("  %-16s %8.3g  %-21s", m.name.c_str(), m.samples.value, interval.c_str());
    if (trained) text += m.training ? print(" %8.3g", *m.training) : std::string(9, ' ');
    text += "  " + m.meaning + "\n";
  }
  if (!comparison.in_classes.empty()) text += classes(comparison.in_classes, judge.class_names());
  if (const auto& m = comparison.memorisation) {
    text += concat("  in the training set: ", m->sample_copies, " of ", m->samples.size(), " samples, ",
                   m->held_out_copies, " of ", m->held_out_copies + std::ssize(m->held_out), " of the data",
                   m->held_out_copies > 0 && !m->held_out.empty() ? " (left out)\n" : "\n");
    text += m->held_out.empty() ? "  can't look for near copies of training data: the data are among them\n"
                                : print("  median distance to the training set: %.3g, of the data: %.3g\n",
                                        m->sample_median, m->held_out_median) +
                                      print("  (below %.3g is nearly copied; the nearest is sample %lld, at %.3g)\n",
                                            m->threshold, static_cast<long long>(m->nearest_sample), m->nearest);
  }
  return text;
}

}  // namespace reverie::inline REVERIE_PRECISION
