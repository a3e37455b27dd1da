// The numbers of docs/tour/01-data.md.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/process/schedule.h"
#include "tests/helpers.h"
#include "tests/tour/page.h"

using namespace reverie;

namespace {

const Page& page() {
  static const Page page("01-data.md");
  return page;
}

struct Moments {
  double mean, deviation;
};

Moments moments(std::span<const real> values) {
  double sum = 0, squares = 0;
  for (const real value : values) sum += value, squares += double{value} * value;
  const double n = static_cast<double>(values.size()), mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean)};
}

}  // namespace

TEST_CASE("tour, data: what is left of a white pixel at the end of the linear schedule") {
  const double end = make_schedule("linear", 1000).alphas_cumprod.back(), factor = std::sqrt(end);
  page().says("With $\\bar\\alpha_T$ = {} (the linear schedule) the factor is {}:", {end, factor});
  page().says("| $[-1, 1]$ | {} |", {factor * static_cast<double>(to_real(255))});
  page().says("| $[0, 255]$ | {} |", {factor * 255});
}

TEST_CASE("tour, data: the digits' mean and standard deviation") {
  const ImageSet digits =
      ImageSet::load(std::string(std::getenv("REVERIE_SOURCE_ROOT")) + "/data/sets/digits-train.h5");
  page().says("64 of the {} digits", {static_cast<double>(digits.count)});
  std::vector<Index> all;
  for (Index i = 0; i < digits.count; ++i) all.push_back(i);
  const Tensor x = digits.batch(all);
  const auto [mean, deviation] = moments(x.values());
  page().says("so they have mean {} and standard deviation {}:", {mean, deviation});
}

TEST_CASE("tour, data: pixels by hand") {
  const double x = to_real(200);
  page().says("Pixel 200 becomes $200 / 127.5 - 1 = {}$", {x});
  page().says("$127.5 \\cdot {} = {}$ (to rounding)", {x + 1, static_cast<double>(to_pixel(to_real(200)))});
  page().says("A value of {} gives $127.5 \\cdot {} = {}$, which rounds to pixel {}.",
              {0.565, 1.565, 127.5 * 1.565, static_cast<double>(to_pixel(real(0.565)))});
  page().says("$2 / 255 = {}$ apart", {static_cast<double>(to_real(101)) - static_cast<double>(to_real(100))});
}

TEST_CASE("tour, data: the moons' mean is 0 and their mean variance 1") {
  const double y = 9.0 / 16 - 1 / std::numbers::pi, mean = (0.75 + y) / 2 + 0.08 * 0.08;
  page().says("\\tfrac1\\pi = {}.", {y});
  page().says("$({} + {}) / 2 + {} = {}$", {0.75, y, 0.08 * 0.08, mean});
  page().says("$\\sqrt{{}} = {}$", {mean, std::sqrt(mean)});
  const PointSet moons = toy("two_moons", 40'000, 7);
  std::vector<real> xs, ys;
  for (Index i = 0; i < moons.size(); ++i) xs.push_back(moons.points[2 * i]), ys.push_back(moons.points[2 * i + 1]);
  const Moments in_x = moments(xs), in_y = moments(ys);
  CHECK(std::abs(in_x.mean) < 0.03);
  CHECK(std::abs(in_y.mean) < 0.02);
  CHECK((in_x.deviation * in_x.deviation + in_y.deviation * in_y.deviation) / 2 == doctest::Approx(1).epsilon(0.02));
  CHECK(in_y.deviation * in_y.deviation * mean - 0.0064 == doctest::Approx(y).epsilon(0.03));
}
