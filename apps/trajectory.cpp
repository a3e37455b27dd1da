#include "apps/trajectory.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

Shape with_steps(Index steps, const Shape& samples) {
  std::vector<Index> extents = {steps};
  extents.insert(extents.end(), samples.begin(), samples.end());
  return Shape(extents);
}

void write_levels(Hdf5File& file, const std::vector<NoiseLevel>& levels, const std::string& source) {
  std::vector<double> t, alpha_bar, sigma;
  for (const NoiseLevel& level : levels) {
    t.push_back(level.t);
    alpha_bar.push_back(level.alpha_bar);
    sigma.push_back(std::sqrt(1 / level.alpha_bar - 1));
  }
  file.write_doubles("t", {std::ssize(t)}, t);
  file.write_doubles("alpha_bar", {std::ssize(t)}, alpha_bar);
  file.write_doubles("sigma", {std::ssize(t)}, sigma);
  file.write_attribute("/", "format", std::string_view("reverie trajectory"));
  file.write_attribute("/", "source", std::string_view(source));
}

}  // namespace

Trajectory::Trajectory(const std::string& path, const std::vector<NoiseLevel>& levels, const Shape& samples,
                       const std::string& source)
    : step_size_(samples.size()),
      file_(
          path,
          {{"x_t", with_steps(std::ssize(levels), samples)}, {"pred_x0", with_steps(std::ssize(levels) - 1, samples)}},
          [&](Hdf5File& file) { write_levels(file, levels, source); }) {}

void Trajectory::observe(Index first_sample, Index step, const Tensor& x_t, const Tensor& pred_x0) const {
  const Index first = first_sample * (x_t.size() / x_t.extent(0));
  file_.write("x_t", (step + 1) * step_size_ + first, x_t);
  if (step >= 0) file_.write("pred_x0", step * step_size_ + first, pred_x0);
}

}  // namespace reverie::inline REVERIE_PRECISION
