// The numbers of docs/tour/02-forward-process.md.
#include <doctest/doctest.h>

#include <cmath>

#include "diffusion/process/process.h"
#include "tests/tour/page.h"

using namespace reverie;

namespace {

const Page& page() {
  static const Page page("02-forward-process.md");
  return page;
}

}  // namespace

TEST_CASE("tour, forward process: two steps by hand are one draw") {
  const double e1 = 0.5, e2 = -1, x0 = 1;
  const NoiseSchedule two({0.36, 0.64});
  const double s1 = std::sqrt(1 - two.betas[0]), n1 = std::sqrt(two.betas[0]), s2 = std::sqrt(1 - two.betas[1]),
               n2 = std::sqrt(two.betas[1]);
  const double x1 = s1 * x0 + n1 * e1, x2 = s2 * x1 + n2 * e2;
  page().says("$\\beta_1 = {}$ and $\\beta_2 = {}$, one pixel $x_0 = {}$", {two.betas[0], two.betas[1], x0});
  page().says("$x_1 = {} \\cdot 1 + {} \\cdot 0.5 = {}$, then $x_2 = {} \\cdot 1.10 + {} \\cdot (-1) = {}$",
              {s1, n1, x1, s2, n2, x2});
  const double bar = two.alphas_cumprod[1], signal = std::sqrt(bar), noise = std::sqrt(1 - bar);
  page().says("$\\bar\\alpha_2 = {} \\cdot {} = {}$, so $\\sqrt{\\bar\\alpha_2} = {}$", {0.64, 0.36, bar, signal});
  page().says("$\\sqrt{1 - \\bar\\alpha_2} = {}$. The", {noise});
  const double together = (s2 * n1 * e1 + n2 * e2) / noise;
  page().says("$\\varepsilon = ({} \\cdot 0.5 + {} \\cdot (-1)) / {} = {}$", {s2 * n1, n2, noise, together});

  const Process process(two, MeanType::x0, VarianceType::fixed_small);
  const Var x_t = process.q_sample(Tensor::from({1, 1}, {x0}), std::vector<Index>{1}, Tensor::from({1, 1}, {together}));
  CHECK(static_cast<double>(x_t.item()) == doctest::Approx(x2).epsilon(1e-6));
  page().says("$x_2 = {} \\cdot 1 + {} \\cdot ({}) = {}$", {signal, noise, together, static_cast<double>(x_t.item())});
}

TEST_CASE("tour, forward process: the table of alpha_bar and SNR") {
  const NoiseSchedule linear = make_schedule("linear", 1000), cosine = make_schedule("cosine", 1000);
  for (const std::size_t t : {0, 249, 499, 749, 999}) {
    page().says("\n| " + std::to_string(t) + " | {} | {} | {} | {} |",
                {linear.alphas_cumprod[t], linear.snr[t], cosine.alphas_cumprod[t], cosine.snr[t]});
  }
  page().says("At $t = 499$ only {} of the variance is left", {linear.alphas_cumprod[499]});
  page().says("{} is close enough: the mean of $x_T$ is ${} x_0$",
              {linear.alphas_cumprod[999], std::sqrt(linear.alphas_cumprod[999])});
  page().says("stops at {} would leave ${} x_0$", {0.05, std::sqrt(0.05)});
  page().says("adds noise of deviation {}, about", {std::sqrt(linear.betas[0])});
}
