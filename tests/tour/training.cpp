// The numbers of docs/tour/08-training.md.
#include <doctest/doctest.h>

#include <cmath>

#include "data/image_set.h"
#include "diffusion/process/process.h"
#include "nn/optimizer.h"
#include "tests/helpers.h"
#include "tests/tour/page.h"

using namespace reverie;
using doctest::Approx;

namespace {

const Page& page() {
  static const Page page("08-training.md");
  return page;
}

double number(const Tensor& x, Index i) { return static_cast<double>(x[i]); }

}  // namespace

TEST_CASE("tour, training: two updates of Adam by hand") {
  ParameterStore weights;
  const Tensor w = weights.root().add("w", {2}, zeros()).value;
  Optimizer adam({.name = "adam"}, weights);
  adam.step({Tensor::from({2}, {0.001, 10})}, 0.01);
  page().says("With gradients {} and {} and $\\eta = {}$", {0.001, 10, 0.01});
  CHECK(number(w, 0) == Approx(number(w, 1)).epsilon(1e-4));
  page().says("so both weights move by {}. Plain descent would move them by {} and {}.",
              {-number(w, 0), 0.01 * 0.001, 0.01 * 10});
  const double before = number(w, 0);
  adam.step({Tensor::from({2}, {-0.001, 10})}, 0.01);
  const double m = number(adam.moment("m")[0], 0), v = number(adam.moment("v")[0], 0);
  page().says("divided by $1 - 0.81$ that is ${}$, and $\\sqrt{\\hat v} = {}$: it moves back by only {}.",
              {m / (1 - 0.81), std::sqrt(v / (1 - 0.999 * 0.999)), number(w, 0) - before});
  const OptimizerOptions defaults;
  page().says("by $0.1 / \\sqrt{0.001} = {}$", {(1 - defaults.beta1) / std::sqrt(1 - defaults.beta2)});
  page().says("$m = 0.9 \\cdot 0.0001 - 0.0001 = {}$", {m});
}

TEST_CASE("tour, training: warm-up, clipping and averages by hand") {
  const LearningRate rate{.base = 0.002, .warmup_steps = 50};
  page().says("over {} steps to {}: the first step has the rate {}, the tenth {}.", {50, 0.002, rate(0), rate(9)});
  page().says("a gradient of norm 4 is multiplied by {}, one of norm 0.5 by {}.",
              {clip_factor(4, 1), clip_factor(0.5, 1)});
  page().says("of rate {}: after {} updates it is still {}% random start; with warm-up of the rate, {} of it is left",
              {0.995, 600, 100 * Ema::share_of_start(0.995, false, 600), Ema::share_of_start(0.995, true, 600)});
}

TEST_CASE("tour, training: the loss of a network that always outputs zero") {
  const ImageSet digits =
      ImageSet::load(std::string(std::getenv("REVERIE_SOURCE_ROOT")) + "/data/sets/digits-train.h5");
  std::vector<Index> all;
  for (Index i = 0; i < digits.count; ++i) all.push_back(i);
  const Tensor x = digits.batch(all);
  double square = 0;
  for (const real value : x.values()) square += double{value} * value;
  square /= static_cast<double>(x.size());
  const NoiseSchedule cosine = make_schedule("cosine", 1000);
  const auto mean_target = [&](MeanType type) {
    double sum = 0;
    for (const double alpha_bar : cosine.alphas_cumprod) {
      const Factors target = kind(type).target(alpha_bar);
      sum += target.first * target.first * square + target.second * target.second;
    }
    return sum / 1000;
  };
  page().says("| eps | $\\mathbb{E}\\varepsilon^2$ | {} |", {mean_target(MeanType::eps)});
  page().says("| x0 | $\\mathbb{E}x_0^2$ | {} |", {mean_target(MeanType::x0)});
  page().says("\\mathbb{E}x_0^2$ | {} |\n\n**A known", {mean_target(MeanType::v)});
}
