// The numbers of docs/tour/07-network.md.
#include <doctest/doctest.h>

#include <cmath>

#include "diffusion/networks/unet.h"
#include "nn/layers.h"
#include "tests/tour/page.h"

using namespace reverie;

namespace {

const Page& page() {
  static const Page page("07-network.md");
  return page;
}

std::vector<double> numbers(const Tensor& x) { return {x.values().begin(), x.values().end()}; }

}  // namespace

TEST_CASE("tour, network: time, scale and shift, attention by hand") {
  page().says("(\\cos 10, \\cos 0.1, \\sin 10, \\sin 0.1) = ({}, {}, {}, {})$",
              numbers(timestep_embedding(std::vector<double>{10}, 4)));
  page().says("At $t = 11$ it is $({}, {}, {}, {})$", numbers(timestep_embedding(std::vector<double>{11}, 4)));

  const Var shifted = Var(Tensor::scalar(real(1.5))) * (1 + Var(Tensor::scalar(real(0.2)))) - 0.5;
  page().says("becomes $1.5 \\cdot 1.2 - 0.5 = {}$", {static_cast<double>(shifted.item())});

  // [N,T,C] = [1,2,2]: the first query is (1, 0); the values' second channel is not used
  const Tensor q = Tensor::from({1, 2, 2}, {1, 0, 0, 0}), k = Tensor::from({1, 2, 2}, {1, 0, 0, 1}),
               v = Tensor::from({1, 2, 2}, {10, 1, 20, 0});
  const Tensor y = attention(q, k, v, 1).value();
  const double p = static_cast<double>(y[1]);  // the weight of the value 1
  page().says("$1 / \\sqrt 2 = {}$", {1 / std::sqrt(2.0)});
  page().says("$p = ({}, {})$ and $y = {} \\cdot 10 + {} \\cdot 20 = {}$",
              {p, 1 - p, p, 1 - p, static_cast<double>(y[0])});
}

TEST_CASE("tour, network: the U-Net's output starts at zero") {
  const UNet unet(
      {.in_channels = 1, .out_channels = 1, .model_channels = 32, .channel_mult = {1, 2}, .num_res_blocks = 1}, 1);
  const Tensor x = normal_rows({.seed = 3, .stream = Stream::noise}, {2, 8, 8, 1}, 0);
  const Tensor y = unet(x, std::vector<double>{10, 500}, {}, {}).value();
  for (const real value : y.values()) CHECK(value == 0);
}
