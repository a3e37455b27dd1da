#include <doctest/doctest.h>

#include <cmath>

#include "tests/precision/op_outputs.h"

TEST_CASE("every operation and its gradients agree in float and double, up to rounding") {
  const auto narrow = reverie::float32::op_outputs(), wide = reverie::float64::op_outputs();
  REQUIRE(narrow.size() == wide.size());
  for (std::size_t i = 0; i < wide.size(); ++i) {
    CAPTURE(wide[i].name);
    REQUIRE(narrow[i].values.size() == wide[i].values.size());
    double worst = 0;
    for (std::size_t j = 0; j < wide[i].values.size(); ++j) {
      worst = std::max(worst, std::abs(narrow[i].values[j] - wide[i].values[j]) / (1 + std::abs(wide[i].values[j])));
    }
    // Winograd's transforms multiply by up to 8 in each direction and lose as much precision.
    const bool winograd = wide[i].name == "conv2d Winograd";
    CHECK(worst < (winograd ? 2e-4 : 1e-5));
  }
}
