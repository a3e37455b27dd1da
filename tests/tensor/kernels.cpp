#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/kernels/broadcast.h"
#include "tensor/kernels/functions.h"
#include "tensor/kernels/simd/attention.h"
#include "tensor/kernels/simd/microkernel.h"
#include "tensor/random.h"

using namespace reverie;

TEST_CASE("exp is within two units in the last place, and overflows and underflows correctly") {
  constexpr double ulp = std::numeric_limits<real>::epsilon();
  double worst = 0;
  for (int i = -8700; i <= 8850; ++i) {
    const real x = static_cast<real>(i) / 100;
    const double expected = std::exp(static_cast<double>(x)), got = static_cast<double>(kernels::fast_exp(x));
    worst = std::max(worst, std::abs(got - expected) / expected);
  }
  CHECK(worst < 2 * ulp);
  CHECK(kernels::fast_exp(real(0)) == 1);
  CHECK(std::isinf(kernels::fast_exp(real(1e4))));
  CHECK(kernels::fast_exp(real(-1e4)) == 0);
  CHECK(std::isnan(kernels::fast_exp(std::numeric_limits<real>::quiet_NaN())));
  CHECK(std::isinf(kernels::fast_exp(std::numeric_limits<real>::infinity())));
}

TEST_CASE("attention's exponentials are as exact, add up, and keep a NaN; it transposes rows") {
  for (const Index queries : {Index{1}, Index{1000}}) {  // blocks of one and of two vectors
    const kernels::AttentionMicrokernel<real>& micro = kernels::attention_microkernel<real>(queries);
    const Index B = micro.queries, keys = 500;
    std::vector<real> s(static_cast<std::size_t>(keys * B)), shift(static_cast<std::size_t>(B), real(0.25)),
        total(shift);
    for (std::size_t i = 0; i < s.size(); ++i)
      s[i] = real(0.25) - real(86) * static_cast<real>(i) / static_cast<real>(s.size());
    const std::vector<real> before = s;
    micro.exponentials(s.data(), keys, shift.data(), total.data(), s.data());
    double worst = 0, sum = 0.25;
    for (std::size_t i = 0; i < s.size(); ++i) {
      const double expected = std::exp(static_cast<double>(before[i] - real(0.25)));
      worst = std::max(worst, std::abs(static_cast<double>(s[i]) - expected) / expected);
      if (i % static_cast<std::size_t>(B) == 0) sum += expected;
    }
    CHECK(worst < 2 * std::numeric_limits<real>::epsilon());
    CHECK(static_cast<double>(total[0]) == doctest::Approx(sum));
    s[1] = std::numeric_limits<real>::quiet_NaN(), s[2] = real(-1e30);
    micro.exponentials(s.data(), keys, shift.data(), total.data(), s.data());
    CHECK(std::isnan(s[1]));
    CHECK(s[2] >= 0);
    CHECK(s[2] < real(1e-37));

    const Index columns = 3 * micro.whole;
    const Tensor rows = normal({.seed = 1}, {B, columns});
    Tensor transposed = Tensor::uninitialized({columns, B});
    micro.transpose_rows(rows.data(), B, columns, transposed.data());
    bool right = true;
    for (Index r = 0; r < B; ++r) {
      for (Index c = 0; c < columns; ++c) right = right && transposed[c * B + r] == rows[r * columns + c];
    }
    CHECK(right);
  }
}

TEST_CASE("a square of channels inside a larger matrix is transposed") {
  const Index side = kernels::channel_block, stride = side + 5, to_stride = side + 3;
  const Tensor from = normal({.seed = 2}, {side, stride});
  Tensor to = Tensor::zeros({side, to_stride});
  kernels::microkernel().transpose_square(from.data(), stride, to.data(), to_stride);
  bool right = true;
  for (Index r = 0; r < side; ++r) {
    for (Index c = 0; c < to_stride; ++c)
      right = right && to[r * to_stride + c] == (c < side ? from[c * stride + r] : 0);
  }
  CHECK(right);
}

TEST_CASE("tanh is right to rounding, relatively, near zero and far from it") {
  double worst = 0;
  for (int i = -4000; i <= 4000; ++i) {
    const real x = static_cast<real>(i) / 400;
    const double expected = std::tanh(static_cast<double>(x)), got = static_cast<double>(kernels::fast_tanh(x));
    worst = std::max(worst, std::abs(got - expected) / (std::abs(expected) + 1e-30));
  }
  CHECK(worst < 4 * std::numeric_limits<real>::epsilon());
  CHECK(kernels::fast_tanh(real(1e4)) == 1);
  CHECK(std::isnan(kernels::fast_tanh(std::numeric_limits<real>::quiet_NaN())));
}

TEST_CASE("sine and cosine are right to a float's rounding, all around the circle and far from zero") {
  for (const double scale : {1e-3, 1.0, 20.9, 0x1p20 / 50000}) {
    double worst = 0;
    for (int i = -50000; i <= 50000; i += 7) {
      const double x = i * scale;
      const kernels::SinCos got = kernels::fast_sin_cos(x);
      worst = std::max({worst, std::abs(got.sin - std::sin(x)), std::abs(got.cos - std::cos(x))});
    }
    CHECK(worst < 2e-9);
  }
  CHECK(kernels::fast_sin_cos(0).sin == 0);
  CHECK(kernels::fast_sin_cos(0).cos == 1);
}

TEST_CASE("reducing is the transpose of broadcasting: <broadcast(a), b> = <a, reduce(b)>") {
  const std::pair<Shape, Shape> pairs[] = {{{1}, {4}},
                                           {{3, 1}, {3, 4}},
                                           {{1, 4}, {3, 4}},
                                           {{4}, {2, 3, 4}},
                                           {{2, 1, 1, 5}, {2, 3, 4, 5}},
                                           {{1, 3, 1, 5}, {2, 3, 4, 5}},
                                           {{}, {2, 3}},
                                           {{2, 3, 4}, {2, 3, 4}},
                                           {{1, 1, 7}, {50, 40, 7}},
                                           {{300, 1}, {300, 200}}};
  for (const auto& pair : pairs) {
    const Shape &narrow = pair.first, &wide = pair.second;
    CAPTURE(concat(narrow));
    const Tensor a = normal({.seed = 1}, narrow), b = normal({.seed = 2}, wide);
    Tensor stretched = Tensor::zeros(wide), reduced = Tensor::zeros(narrow);
    kernels::broadcast_add(a, stretched);
    kernels::reduce_add(b, reduced);
    double left = 0, right = 0;
    for (Index i = 0; i < b.size(); ++i) left += static_cast<double>(stretched[i]) * static_cast<double>(b[i]);
    for (Index i = 0; i < a.size(); ++i) right += static_cast<double>(a[i]) * static_cast<double>(reduced[i]);
    CHECK(left == doctest::Approx(right).epsilon(sizeof(real) == 4 ? 1e-4 : 1e-12));
  }
}
