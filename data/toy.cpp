#include "data/toy.h"

#include <array>
#include <cmath>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

using std::numbers::pi;

// Two independent N(0, sigma^2) numbers (Box-Muller), from elements 4 and 5 of the point's key.
std::array<double, 2> noise(const RandomKey& key, double sigma) {
  const double radius = sigma * std::sqrt(-2 * std::log(uniform(key, 4))), angle = 2 * pi * uniform(key, 5);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Half circles (cos a, sin a) and (1 - cos a, 1/2 - sin a), a uniform in (0, pi), with noise of deviation 0.08.
// Means 1/2, 1/4; variances 3/4 and 9/16 - 1/pi, plus the noise's.
ToyPoint two_moons(const RandomKey& key) {
  constexpr double sigma = 0.08;
  const Index moon = uniform_index(key, 2);
  const double a = pi * uniform(key, 2), x = moon == 0 ? std::cos(a) : 1 - std::cos(a);
  const double y = moon == 0 ? std::sin(a) : 0.5 - std::sin(a);
  const auto [dx, dy] = noise(key, sigma);
  const double scale = std::sqrt((0.75 + 0.5625 - 1 / pi) / 2 + sigma * sigma);
  return {(x + dx - 0.5) / scale, (y + dy - 0.25) / scale, moon};
}

// The spiral (a cos a, a sin a), a uniform in (3 pi / 2, 9 pi / 2), with noise of deviation 0.3.
// Means 2 and 2 / (3 pi); E a^2 = 39 pi^2 / 4.
ToyPoint swiss_roll(const RandomKey& key) {
  constexpr double sigma = 0.3, mean_x = 2, mean_y = 2 / (3 * pi);
  const double a = 1.5 * pi * (1 + 2 * uniform(key, 2));
  const auto [dx, dy] = noise(key, sigma);
  const double scale = std::sqrt((9.75 * pi * pi - mean_x * mean_x - mean_y * mean_y) / 2 + sigma * sigma);
  return {(a * std::cos(a) + dx - mean_x) / scale, (a * std::sin(a) + dy - mean_y) / scale, 0};
}

// Gaussians of standard deviation 0.1 at eight points on a circle of radius r: r^2 / 2 + 0.1^2 = 1.
ToyPoint eight_gaussians(const RandomKey& key) {
  constexpr double sigma = 0.1;
  const double radius = std::sqrt(2 * (1 - sigma * sigma));
  const Index place = uniform_index(key, 8);
  const double angle = pi / 4 * place;
  const auto [dx, dy] = noise(key, sigma);
  return {radius * std::cos(angle) + dx, radius * std::sin(angle) + dy, place};
}

// Uniform on the black squares of a 4 x 4 board with squares of side s: variances 16 s^2 / 12.
ToyPoint checkerboard(const RandomKey& key) {
  const double side = std::sqrt(0.75);
  const Index row = uniform_index(key, 4), column = 2 * uniform_index(key, 2, 1) + row % 2;
  return {side * (column - 2 + uniform(key, 4)), side * (row - 2 + uniform(key, 5)), 0};
}

}  // namespace

const std::vector<ToyDistribution>& toy_distributions() {
  static const std::vector<ToyDistribution> table{
      {"two_moons", "two half circles, one in the other; two classes", {"upper", "lower"}, two_moons},
      {"swiss_roll", "a spiral of one and a half turns", {}, swiss_roll},
      {"eight_gaussians",
       "eight small clusters around a circle; eight classes",
       {"0", "1", "2", "3", "4", "5", "6", "7"},
       eight_gaussians},
      {"checkerboard", "the black squares of a 4 x 4 board, with sharp edges", {}, checkerboard},
  };
  return table;
}

PointSet toy(const std::string& name, Index count, std::uint64_t seed) {
  if (count < 1 || count > 100'000'000) throw UsageError("toy: expects 1 to 100000000 points, got ", count);
  std::string names;
  for (const ToyDistribution& toy : toy_distributions()) {
    names += (names.empty() ? "" : ", ") + std::string(toy.name);
    if (toy.name != name) continue;
    PointSet set;
    set.name = name;
    set.source = concat("reverie, seed ", seed);
    set.licence = "public domain";
    set.class_names = toy.class_names;
    set.points = Tensor::uninitialized({count, 2});
    for (Index i = 0; i < count; ++i) {
      const ToyPoint point = toy.draw(RandomKey{seed, Stream::toy}.with_sample(i));
      set.points[2 * i] = point.x;
      set.points[2 * i + 1] = point.y;
      if (!toy.class_names.empty()) set.labels.push_back(point.label);
    }
    return set;
  }
  throw UsageError("toy: unknown distribution `", name, "`; expected one of ", names);
}

}  // namespace reverie::inline REVERIE_PRECISION
