// Rounding put the start of some pictures slightly below 0, and the pixel before the first was read: 7 pixels made 25.
#include <doctest/doctest.h>

#include <numeric>

#include "data/resample.h"

using namespace reverie;

TEST_CASE("resampling: a new pixel averages pixels inside the picture, with weights that sum to 1") {
  for (Index old = 1; old < 80; ++old) {
    for (Index now = 1; now < 200; ++now) {
      const double scale = double(old) / now, length = scale * now;
      const auto pixels = area_weights((old - length) / 2, length, now);
      REQUIRE(std::ssize(pixels) == now);
      for (const PixelWeights& pixel : pixels) {
        REQUIRE(pixel.first >= 0);
        REQUIRE(pixel.first + std::ssize(pixel.weights) <= old);
        const double sum = std::accumulate(pixel.weights.begin(), pixel.weights.end(), 0.0);
        REQUIRE(sum == doctest::Approx(1).epsilon(1e-6));
      }
    }
  }
}
