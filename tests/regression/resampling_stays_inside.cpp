// Rounding put the begin of some pictures a hair below 0, and the pixel before the first was read: 7 pixels made 25.
#include <doctest/doctest.h>

#include <numeric>

#include "data/png_folder.h"

using namespace reverie;

TEST_CASE("resampling: the shares of a new pixel are of pixels of the picture, and make up the whole") {
  for (Index old = 1; old < 80; ++old) {
    for (Index now = 1; now < 200; ++now) {
      const double scale = static_cast<double>(old) / static_cast<double>(now),
                   length = scale * static_cast<double>(now);
      const auto shares = area_shares((static_cast<double>(old) - length) / 2, length, now);
      REQUIRE(std::ssize(shares) == now);
      for (const PixelShare& share : shares) {
        REQUIRE(share.first >= 0);
        REQUIRE(share.first + std::ssize(share.weights) <= old);
        const double whole = std::accumulate(share.weights.begin(), share.weights.end(), 0.0);
        REQUIRE(whole == doctest::Approx(1).epsilon(1e-6));
      }
    }
  }
}
