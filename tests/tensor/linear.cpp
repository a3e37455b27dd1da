#include "tensor/kernels/conv/linear.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

using namespace reverie;
using kernels::LinearShape;

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 5}.with_channel(channel), shape); }

struct Results {
  Tensor y, plain, dx, dw, written_dw;
};

Results results(const LinearShape& s) {
  const Tensor x = draw({s.rows, s.in}, 0), w = draw({s.out, s.in}, 1), b = draw({s.out}, 2),
               dy = draw({s.rows, s.out}, 3);
  Results r{draw({s.rows, s.out}, 4), draw({s.rows, s.out}, 5), draw({s.rows, s.in}, 6), draw({s.out, s.in}, 7),
            draw({s.out, s.in}, 8)};
  kernels::linear_forward(s, x.data(), w, &b, r.y.data());
  kernels::linear_forward(s, x.data(), w, nullptr, r.plain.data());
  kernels::linear_backward_data(s, w, dy.data(), true, r.dx.data());
  kernels::linear_backward_weight(s, x.data(), dy.data(), true, r.dw);
  kernels::linear_backward_weight(s, x.data(), dy.data(), false, r.written_dw);
  return r;
}

double worst(const Tensor& a, const Tensor& b) {
  double difference = 0;
  for (Index i = 0; i < a.size(); ++i) difference = std::max(difference, std::abs(static_cast<double>(a[i] - b[i])));
  return difference;
}

}  // namespace

TEST_CASE("a linear layer's three products are those of matrices, at sizes that fill no block") {
  for (const LinearShape& s : {LinearShape{1, 1, 1},
                               {3, 64, 64},
                               {4, 8, 8},
                               {5, 17, 33},
                               {112, 64, 192},
                               {113, 100, 9},
                               {1000, 9, 100},
                               {2, 8, 300},
                               {600, 32, 40}}) {
    CAPTURE(s.rows);
    const Tensor x = draw({s.rows, s.in}, 0), w = draw({s.out, s.in}, 1), b = draw({s.out}, 2),
                 dy = draw({s.rows, s.out}, 3);
    const Results got = results(s);
    Tensor y = Tensor::zeros({s.rows, s.out}), biased = y.clone(), dx = draw({s.rows, s.in}, 6),
           dw = draw({s.out, s.in}, 7);
    gemm(Trans::no, Trans::yes, s.rows, s.out, s.in, 1, x.data(), s.in, w.data(), s.in, 0, y.data(), s.out);
    for (Index i = 0; i < y.size(); ++i) biased[i] = y[i] + b[i % s.out];
    gemm(Trans::no, Trans::no, s.rows, s.in, s.out, 1, dy.data(), s.out, w.data(), s.in, 1, dx.data(), s.in);
    gemm(Trans::yes, Trans::no, s.out, s.in, s.rows, 1, dy.data(), s.out, x.data(), s.in, 1, dw.data(), s.in);
    const auto rounding = [](Index terms) {
      return 100 * std::sqrt(static_cast<double>(terms)) * std::numeric_limits<real>::epsilon();
    };
    CHECK(worst(got.plain, y) < rounding(s.in));
    CHECK(worst(got.y, biased) < rounding(s.in));
    CHECK(worst(got.dx, dx) < rounding(s.out));
    CHECK(worst(got.dw, dw) < rounding(s.rows));
    gemm(Trans::yes, Trans::no, s.out, s.in, s.rows, 1, dy.data(), s.out, x.data(), s.in, 0, dw.data(), s.in);
    CHECK(worst(got.written_dw, dw) < rounding(s.rows));
  }
}

TEST_CASE("a linear layer overwrites what it does not add to, even a NaN") {
  const LinearShape s{20, 16, 24};
  const Tensor w = draw({s.out, s.in}, 0), dy = draw({s.rows, s.out}, 1);
  Tensor dx = Tensor::full({s.rows, s.in}, std::numeric_limits<real>::quiet_NaN());
  kernels::linear_backward_data(s, w, dy.data(), false, dx.data());
  CHECK(std::ranges::none_of(dx.values(), [](real value) { return std::isnan(value); }));
}

TEST_CASE("a linear layer has the same bits for any number of threads") {
  const auto with_threads = [](int count) {
    set_threads(count);
    const Results r = results({3000, 160, 200});
    set_threads(0);
    return r;
  };
  const Results one = with_threads(1), three = with_threads(3);
  for (const auto member : {&Results::y, &Results::dx, &Results::dw})
    CHECK(std::ranges::equal((one.*member).values(), (three.*member).values()));
}
