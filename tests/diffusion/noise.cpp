#include "diffusion/process/noise.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

const RandomKey key{.seed = 8, .stream = Stream::probe};

struct Moments {
  double mean = 0, square = 0, neighbours = 0;  // E x, E x^2, E x y of pixels side by side
};

Moments moments_of(const Noise& kind, Index count) {
  const Tensor x = kind.rows(key, {count, 12, 12, 2}, 0);
  Moments moments;
  for (Index i = 0; i < x.size(); ++i) {
    const double value = static_cast<double>(x[i]);
    moments.mean += value / static_cast<double>(x.size());
    moments.square += value * value / static_cast<double>(x.size());
    if (i / 2 % 12 != 11) {
      moments.neighbours += value * static_cast<double>(x[i + 2]) / (static_cast<double>(x.size()) * 11 / 12);
    }
  }
  return moments;
}

}  // namespace

TEST_CASE("every noise has mean 0 and variance 1, and depends on the key and the sample's number alone") {
  for (const Noise& kind : noises()) {
    CAPTURE(kind.name);
    const Moments moments = moments_of(kind, 3000);
    CHECK(std::abs(moments.mean) < 0.03);
    CHECK(moments.square == Approx(1).epsilon(0.05));
    const Shape shape{4, 6, 5, 3};
    const Tensor all = kind.rows(key, shape, 0), last = kind.rows(key, {1, 6, 5, 3}, 3), fourth = all.rows(3, 4);
    CHECK(std::equal(last.values().begin(), last.values().end(), fourth.values().begin()));
    CHECK(difference(all.rows(0, 1), all.rows(1, 2)) > 0.01);
    CHECK(difference(kind.rows(key.with_step(1), shape, 0), all) > 0.01);
  }
}

TEST_CASE("simplex noise is smooth, normal noise is not") {
  CHECK(moments_of(find_noise("simplex"), 500).neighbours > 0.7);
  CHECK(std::abs(moments_of(find_noise("gaussian"), 500).neighbours) < 0.02);
}

TEST_CASE("one octave has variance 1 in closed form, is continuous, and 0 in the corners of its triangles") {
  double squares = 0;
  constexpr Index fields = 40, places = 2000;
  for (Index field = 0; field < fields; ++field) {
    const std::vector<Index> gradients = permutation(key.with_sample(field), 256);
    for (Index i = 0; i < places; ++i) {
      const double x = 200 * uniform(key, 2 * i), y = 200 * uniform(key, 2 * i + 1), value = simplex(x, y, gradients);
      squares += value * value / (fields * places);
      CHECK(std::abs(simplex(x + 1e-6, y, gradients) - value) < 2e-5);
      CHECK(std::abs(simplex(x, y - 1e-6, gradients) - value) < 2e-5);
    }
    CHECK(simplex(0, 0, gradients) == 0);
  }
  CHECK(squares == Approx(1).epsilon(0.03));
}

TEST_CASE("simplex noise is for images, and an unknown noise is named with the known ones") {
  CHECK(contains(error_of([] { find_noise("simplex").rows(key, {3, 2}, 0); }), "[3,2]"));
  CHECK(contains(error_of([] { find_noise("perlin"); }), "gaussian, simplex"));
}
