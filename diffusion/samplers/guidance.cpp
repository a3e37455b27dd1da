#include "diffusion/samplers/guidance.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Standard deviation of each sample, [N].
std::vector<double> deviations(const Tensor& x) {
  const Index each = x.size() / x.extent(0);
  std::vector<double> result;
  for (Index n = 0; n < x.extent(0); ++n) {
    const Tensor sample = x.rows(n, n + 1);
    double sum = 0, squares = 0;
    for (const real value : sample.values()) sum += static_cast<double>(value);
    const double mean = sum / static_cast<double>(each);
    for (const real value : sample.values()) squares += std::pow(static_cast<double>(value) - mean, 2);
    result.push_back(std::sqrt(squares / static_cast<double>(each)));
  }
  return result;
}

}  // namespace

Var classifier_free_guidance(const Var& cond, const Var& uncond, double scale, double rescale) {
  const Var g = uncond + scale * (cond - uncond);
  if (rescale == 0) return g;
  const std::vector<double> wanted = deviations(cond.value()), got = deviations(g.value());
  std::vector<double> factors;
  for (std::size_t n = 0; n < got.size(); ++n) {
    factors.push_back(got[n] > 0 ? rescale * wanted[n] / got[n] + 1 - rescale : 1);
  }
  return per_sample(factors, g.rank(), [](double factor) { return factor; }) * g;
}

NetworkFunction with_guidance(ConditionalNetwork network, std::vector<Index> labels, Index null_label, double scale,
                              VarianceType variance_type, double rescale) {
  if (scale == 1) return [=](const Var& x_t, std::span<const double> t) { return network(x_t, t, labels); };
  const std::size_t n = labels.size();
  labels.resize(2 * n, null_label);
  return [=](const Var& x_t, std::span<const double> t) {
    if (t.size() != n) throw ShapeError("guidance: ", n, " labels were given for a batch of ", t.size());
    std::vector<double> twice(t.begin(), t.end());
    twice.insert(twice.end(), t.begin(), t.end());
    const Var both = network(concat({x_t, x_t}, 0), twice, labels);
    const Index rows = x_t.extent(0);
    const NetworkOutput cond = split_output(slice(both, 0, 0, rows), x_t.shape(), variance_type);
    const NetworkOutput uncond = split_output(slice(both, 0, rows, 2 * rows), x_t.shape(), variance_type);
    const Var guided = classifier_free_guidance(cond.prediction, uncond.prediction, scale, rescale);
    return cond.variance.value().defined() ? concat({guided, cond.variance}, -1) : guided;
  };
}

Tensor dynamic_threshold(const Tensor& x0, double share) {
  Tensor result = x0.clone();
  for (Index n = 0; n < x0.extent(0); ++n) {
    Tensor row = result.rows(n, n + 1);
    const std::span<real> sample = row.values();
    std::vector<double> sizes;
    for (const real value : sample) sizes.push_back(std::abs(static_cast<double>(value)));
    std::sort(sizes.begin(), sizes.end());
    const double place = share * static_cast<double>(sizes.size() - 1);  // quantile, interpolated linearly
    const auto below = static_cast<std::size_t>(place), above = std::min(below + 1, sizes.size() - 1);
    const double s = std::max(1.0, std::lerp(sizes[below], sizes[above], place - static_cast<double>(below)));
    for (real& value : sample) value = static_cast<real>(std::clamp(static_cast<double>(value), -s, s) / s);
  }
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
