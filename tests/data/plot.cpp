#include "data/plot.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("plot: the SVG contains title, labels, ticks and names") {
  const Plot plot{"a < b & c", "step", "loss", false, {{"training", {0, 50, 100}, {0, 5, 10}}}};
  const std::string svg = to_svg(plot);
  for (const char* part : {"a &lt; b &amp; c", ">step<", ">loss<", ">training<", ">0<", ">20<", ">100<", ">10<"}) {
    CHECK_MESSAGE(contains(svg, part), part);
  }
  CHECK(contains(svg, "M80.0 416.0 L428.0 232.0 L776.0 48.0"));  // a straight line from corner to corner
}

TEST_CASE("plot: on a logarithmic axis a power law is a straight line, and zeros interrupt it") {
  const std::string svg = to_svg({"", "", "", true, {{"", {0, 1, 2, 3, 4}, {1, 0.1, 0, NAN, 0.01}}}});
  CHECK(contains(svg, "M80.0 48.0 L254.0 232.0 M776.0 416.0"));
  for (const char* tick : {">1<", ">0.1<", ">0.01<"}) CHECK_MESSAGE(contains(svg, tick), tick);
}

TEST_CASE("plot: draws no data, a single point and flat lines") {
  for (const bool log_y : {false, true}) {
    for (const Plot::Series& series : {Plot::Series{"", {}, {}}, Plot::Series{"", {1}, {2}},
                                       Plot::Series{"", {1, 2}, {3, 3}}, Plot::Series{"", {1, 2}, {NAN, 0}}}) {
      const std::string svg = to_svg({"", "", "", log_y, {series}});
      CHECK(contains(svg, "</svg>"));
      CHECK_FALSE(contains(svg, "nan"));
      CHECK_FALSE(contains(svg, "inf"));
    }
  }
  CHECK(contains(error_of([] { to_svg({"", "", "", false, {{"odd", {1, 2}, {1}}}}); }), "`odd` has 2 x and 1 y"));
}

TEST_CASE("plot: is written atomically") {
  const TemporaryFolder folder;
  write_svg(folder / "a.svg", {});
  CHECK(contains(read_text(folder / "a.svg"), "<svg"));
  CHECK(folder.files() == 1);
}
