// The numbers and the table of docs/tour/04-predictions.md.
#include <doctest/doctest.h>

#include <cmath>

#include "diffusion/formulations/flow.h"
#include "diffusion/process/process.h"
#include "tests/tour/page.h"

using namespace reverie;
using doctest::Approx;

namespace {

const Page& page() {
  static const Page page("04-predictions.md");
  return page;
}

constexpr double a = 0.8, s = 0.6, x0 = 1, eps = -0.5;

Tensor pixel(double value) { return Tensor::from({1, 1}, {value}); }

Process process_of(MeanType type) { return {NoiseSchedule({s * s}), type, VarianceType::fixed_small}; }

const std::vector<Index> t = {0};

double x_t() { return static_cast<double>(process_of(MeanType::x0).q_sample(pixel(x0), t, pixel(eps)).item()); }

// The library's prediction of this type for the pixel, and the x_0 that it leads back to.
double target(MeanType type) { return static_cast<double>(process_of(type).target(pixel(x0), t, pixel(eps)).item()); }
double back(MeanType type) {
  return static_cast<double>(process_of(type).pred_x0(pixel(x_t()), t, pixel(target(type))).item());
}

}  // namespace

TEST_CASE("tour, predictions: the table turns each prediction into the others") {
  const double x = x_t(), v = target(MeanType::v), score = -eps / s;
  CHECK(target(MeanType::eps) == Approx(eps));
  CHECK(target(MeanType::x0) == Approx(x0));
  for (const MeanType type : {MeanType::eps, MeanType::x0, MeanType::v}) CHECK(back(type) == Approx(x0));

  page().says(R"(| $\varepsilon$ | $(x_t - s \varepsilon) / a$ | $\varepsilon$ | $(\varepsilon - s x_t) / a$ |)", {});
  CHECK((x - s * eps) / a == Approx(x0));
  CHECK((eps - s * x) / a == Approx(v));
  page().says(R"(| $x_0$ | $x_0$ | $(x_t - a x_0) / s$ | $(a x_t - x_0) / s$ |)", {});
  CHECK((x - a * x0) / s == Approx(eps));
  CHECK((a * x - x0) / s == Approx(v));
  page().says(R"(| $v$ | $a x_t - s v$ | $s x_t + a v$ | $v$ |)", {});
  CHECK(a * x - s * v == Approx(x0));
  CHECK(s * x + a * v == Approx(eps));
  page().says(R"(| score $\nabla$ | $(x_t + s^2 \nabla) / a$ | $-s \nabla$ | $-s (x_t + \nabla) / a$ |)", {});
  CHECK((x + s * s * score) / a == Approx(x0));
  CHECK(-s * score == Approx(eps));
  CHECK(-s * (x + score) / a == Approx(v));
}

TEST_CASE("tour, predictions: one pixel in five coordinates") {
  const double x = x_t(), v = target(MeanType::v), score = -eps / s;
  page().says("$\\bar\\alpha = {}$, so $a = {}$ and $s = {}$; one pixel $x_0 = {}$ with noise $\\varepsilon = {}$",
              {process_of(MeanType::x0).schedule.alphas_cumprod[0], a, s, x0, eps});
  page().says("$x_t = 0.8 \\cdot 1 + 0.6 \\cdot (-0.5) = {}$", {x});
  page().says("$v = 0.8 \\cdot (-0.5) - 0.6 \\cdot 1 = {}$, and back: $x_0 = 0.8 \\cdot {} - 0.6 \\cdot ({}) = {}$",
              {v, x, v, back(MeanType::v)});
  page().says("$-\\varepsilon / s = {}$, and back: $x_0 = ({} + {} \\cdot {}) / 0.8 = {}$",
              {score, x, s * s, score, (x + s * s * score) / a});

  const std::vector<double> u = {s / (a + s)};
  const FlowPoint flow = flow_interpolate(pixel(x0), pixel(eps), u);
  const double x_u = static_cast<double>(flow.x_u.item()), w = static_cast<double>(flow.target.item());
  CHECK(x_u == Approx(x / (a + s)));
  CHECK(u[0] == Approx((s / a) / (1 + s / a)));
  const double from_flow = static_cast<double>(flow_x0(flow.x_u, flow.target, u).item());
  page().says("$u = 0.6 / {} = {}$, $x_u = 0.50 / 1.4 = {}$, $w = {}$", {a + s, u[0], x_u, w});
  page().says("$x_0 = {} - {} \\cdot ({}) = {}$", {x_u, u[0], w, from_flow});
}

TEST_CASE("tour, predictions: what an error of the output is for the image") {
  const NoiseSchedule cosine = make_schedule("cosine", 1000);
  const auto error = [&](MeanType type) { return 0.05 * std::abs(kind(type).x0(cosine.alphas_cumprod[900]).second); };
  page().says("\n| eps | {} |", {error(MeanType::eps)});
  page().says("\n| v | {} |", {error(MeanType::v)});
  page().says("\n| x0 | {} |", {error(MeanType::x0)});
  CHECK(cosine.sqrt_recipm1_alphas_cumprod.back() > 20'000);
  for (const double alpha_bar : {0.9, 0.5, 0.1}) {  // squared errors of the image, in units of those of the output
    const double snr = alpha_bar / (1 - alpha_bar);
    CHECK(std::pow(kind(MeanType::eps).x0(alpha_bar).second, -2) == Approx(snr));
    CHECK(std::pow(kind(MeanType::v).x0(alpha_bar).second, -2) == Approx(snr + 1));
  }
}
