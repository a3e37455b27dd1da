#include "apps/plane.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "data/subset.h"
#include "diffusion/evaluation/gaussian_oracle.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Json = nlohmann::ordered_json;

constexpr double range = 3;  // of both axes: data have a variance of 1
constexpr Index side = 16;   // arrows along an axis

// Counts of points in a grid of cells, from the top left.
std::vector<Index> histogram(const Tensor& points) {
  constexpr Index cells = 64;
  std::vector<Index> counts(cells * cells, 0);
  for (Index i = 0; i < points.extent(0); ++i) {
    const auto column =
        static_cast<Index>(std::floor((static_cast<double>(points[2 * i]) + range) / (2 * range) * cells));
    const auto row =
        static_cast<Index>(std::floor((range - static_cast<double>(points[2 * i + 1])) / (2 * range) * cells));
    if (column >= 0 && column < cells && row >= 0 && row < cells) ++counts[row * cells + column];
  }
  return counts;
}

// The centres of a grid of cells, from the top left, [side^2, 2].
Tensor grid_points() {
  Tensor points = Tensor::uninitialized({side * side, 2});
  constexpr double cell = 2 * range / side;
  for (Index i = 0; i < side * side; ++i) {
    points[2 * i] = static_cast<real>(-range + (static_cast<double>(i % side) + 0.5) * cell);
    points[2 * i + 1] = static_cast<real>(range - (static_cast<double>(i / side) + 0.5) * cell);
  }
  return points;
}

// Data whose distribution is that of these points: its score at any noise level is known exactly.
GaussianMixture mixture_of(const Tensor& points) {
  GaussianMixture mixture;
  const auto count = points.extent(0);
  for (Index i = 0; i < count; ++i) {
    mixture.components.push_back({1 / static_cast<double>(count),
                                  {static_cast<double>(points[2 * i]), static_cast<double>(points[2 * i + 1])},
                                  0});
  }
  return mixture;
}

// (D(x; sigma) - x) / sigma^2
// [Karras22] eq. 3
Tensor learned_score(const DiffusionModel& model, const Tensor& x, double sigma) {
  const std::vector<Index> labels(model.conditional() ? x.extent(0) : 0, model.conditional() ? model.null_class() : 0);
  const kernels::WithKernels scope(model.kernels());
  const Var denoised = model.formulation().denoiser(model.with_labels(labels))(x, sigma);
  return ((denoised - Var(x)) / (sigma * sigma)).value();
}

double root_mean_square(const Tensor& x) {
  double squares = 0;
  for (const real value : x.values()) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(2 * squares / static_cast<double>(x.size()));  // of the vectors' lengths
}

Json rounded(const Tensor& x) {
  Json list = Json::array();
  for (const real value : x.values()) list.push_back(std::round(1e3 * static_cast<double>(value)) / 1e3);
  return list;
}

}  // namespace

bool can_show_plane(const DiffusionModel& model) {
  return model.facts().sample_shape == Shape{2} && (!model.conditional() || model.has_null_class());
}

std::string plane_json(const DiffusionModel& model, const Dataset& training, const Dataset& held_out,
                       const Tensor& samples, Index step, const Tensor& paths, Index columns) {
  constexpr Index components = 1000, shown = 10'000, noisy = 200;
  const Tensor data = samples_of(Subset(held_out, shown)), grid = grid_points();
  const GaussianMixture exact = mixture_of(samples_of(Subset(training, components)));
  Json fields = Json::array();
  for (const double sigma : {0.25, 0.5, 1.0}) {
    const Tensor x0 = samples_of(Subset(held_out, noisy));
    const Tensor x = (Var(x0) + sigma * Var(normal_rows({.stream = Stream::probe}, x0.shape(), 0))).value();
    const Tensor score = exact.score(x, sigma);
    fields.push_back({{"sigma", sigma},
                      {"learned", rounded(learned_score(model, grid, sigma))},
                      {"exact", rounded(exact.score(grid, sigma))},
                      {"difference", root_mean_square((Var(learned_score(model, x, sigma)) - Var(score)).value())},
                      {"norm", root_mean_square(score)}});
  }
  Json lines = Json::array();
  for (Index row = 0; row < paths.extent(0) / columns; ++row)
    lines.push_back(rounded(paths.rows(row * columns, (row + 1) * columns)));
  const Json plane = {{"step", step},
                      {"range", range},
                      {"side", side},
                      {"data_count", data.extent(0)},
                      {"sample_count", samples.extent(0)},
                      {"data", histogram(data)},
                      {"samples", histogram(samples)},
                      {"fields", std::move(fields)},
                      {"paths", std::move(lines)}};
  return plane.dump();
}

}  // namespace reverie::inline REVERIE_PRECISION
