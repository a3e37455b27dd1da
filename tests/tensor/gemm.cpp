#include "tensor/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/parallel.h"
#include "tensor/random.h"

using namespace reverie;

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 4}.with_channel(channel), shape); }

// The definition: c = alpha op(a) op(b) + beta c.
void by_hand(bool ta, bool tb, Index m, Index n, Index k, double alpha, const Tensor& a, const Tensor& b, double beta,
             Tensor& c) {
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = 0;
      for (Index l = 0; l < k; ++l) {
        sum += static_cast<double>(ta ? a[l * m + i] : a[i * k + l]) *
               static_cast<double>(tb ? b[j * k + l] : b[l * n + j]);
      }
      c[i * n + j] = static_cast<real>(alpha * sum + beta * static_cast<double>(c[i * n + j]));
    }
  }
}

}  // namespace

TEST_CASE("the product is the definition's, transposed or not, in one task or many") {
  for (const auto& [m, n, k] : {std::array<Index, 3>{1, 1, 1}, {3, 5, 7}, {70, 33, 65}, {300, 130, 129}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Tensor a = draw({m * k}, 0), b = draw({k * n}, 1);
        Tensor c = draw({m * n}, 2), expected = c.clone();
        by_hand(ta, tb, m, n, k, 0.5, a, b, 2, expected);
        parallel_gemm(Trans(ta), Trans(tb), m, n, k, real(0.5), a.data(), ta ? m : k, b.data(), tb ? k : n, 2, c.data(),
                      n);
        double worst = 0;
        for (Index i = 0; i < m * n; ++i) worst = std::max(worst, std::abs(static_cast<double>(c[i] - expected[i])));
        CHECK(worst < (sizeof(real) == 4 ? 1e-4 : 1e-12));
      }
    }
  }
}

TEST_CASE("beta = 0 overwrites, even a NaN; a window in a wider matrix leaves the rest alone") {
  const Tensor a = Tensor::from({2, 2}, {1, 2, 3, 4}), b = Tensor::from({2, 1}, {1, 1});
  Tensor c = Tensor::full({2, 3}, std::numeric_limits<real>::quiet_NaN());
  gemm(Trans::no, Trans::no, 2, 1, 2, 1, a.data(), 2, b.data(), 1, 0, c.data() + 1, 3);
  CHECK(c[1] == 3);
  CHECK(c[4] == 7);
  CHECK(std::isnan(c[0]));
  CHECK(std::isnan(c[5]));
}

TEST_CASE("the same bits for any number of threads") {
  const Tensor a = draw({700, 300}, 0), b = draw({300, 200}, 1);
  Tensor one = Tensor::zeros({700, 200}), many = one.clone();
  set_threads(1);
  parallel_gemm(Trans::no, Trans::no, 700, 200, 300, 1, a.data(), 300, b.data(), 200, 0, one.data(), 200);
  set_threads(3);
  parallel_gemm(Trans::no, Trans::no, 700, 200, 300, 1, a.data(), 300, b.data(), 200, 0, many.data(), 200);
  set_threads(0);
  CHECK(std::equal(one.values().begin(), one.values().end(), many.values().begin()));
}
