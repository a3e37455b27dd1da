#include "diffusion/guidance.h"

namespace reverie::inline REVERIE_PRECISION {

Var classifier_free_guidance(const Var& cond, const Var& uncond, double scale) {
  return uncond + scale * (cond - uncond);
}

Model with_guidance(ConditionalModel network, std::vector<Index> labels, Index null_label, double scale,
                    VarianceType variance_type) {
  if (scale == 1) {
    return [=](const Tensor& x_t, std::span<const double> t) { return network(x_t, t, labels); };
  }
  const std::size_t n = labels.size();
  labels.resize(2 * n, null_label);
  return [=](const Tensor& x_t, std::span<const double> t) {
    if (t.size() != n) throw ShapeError("guidance: ", n, " labels were given for a batch of ", t.size());
    std::vector<double> twice(t.begin(), t.end());
    twice.insert(twice.end(), t.begin(), t.end());
    const Tensor both = network(concat({Var(x_t), Var(x_t)}, 0).value(), twice, labels);
    const Index rows = x_t.extent(0);
    const NetworkOutput cond = split_output(both.rows(0, rows), x_t.shape(), variance_type);
    const NetworkOutput uncond = split_output(both.rows(rows, 2 * rows), x_t.shape(), variance_type);
    const Var guided = classifier_free_guidance(cond.prediction, uncond.prediction, scale);
    return cond.variance.value().defined() ? concat({guided, cond.variance}, -1).value() : guided.value();
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
