#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tensor/kernels/choice.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/conv/linear.h"
#include "tensor/kernels/conv/plain.h"
#include "tensor/kernels/conv/thin.h"
#include "tensor/kernels/conv/winograd.h"
#include "tensor/parallel.h"

using namespace reverie;

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 6}.with_channel(channel), shape); }

// The definition, pixel by pixel.
Tensor by_hand(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& o) {
  const Index height = (x.extent(1) + 2 * o.padding - w.extent(2)) / o.stride + 1;
  const Index width = (x.extent(2) + 2 * o.padding - w.extent(3)) / o.stride + 1;
  const Index in = w.extent(1), out = w.extent(0);
  Tensor y = Tensor::zeros({x.extent(0), height, width, out});
  for (Index n = 0; n < x.extent(0); ++n)
    for (Index p = 0; p < height; ++p)
      for (Index q = 0; q < width; ++q)
        for (Index c = 0; c < out; ++c) {
          double sum = static_cast<double>(b[c]);
          for (Index i = 0; i < in; ++i)
            for (Index k = 0; k < w.extent(2); ++k)
              for (Index l = 0; l < w.extent(3); ++l) {
                const Index row = p * o.stride + k - o.padding, column = q * o.stride + l - o.padding;
                if (row < 0 || row >= x.extent(1) || column < 0 || column >= x.extent(2)) continue;
                const Index channel = c / (out / o.groups) * in + i;
                sum +=
                    static_cast<double>(x[((n * x.extent(1) + row) * x.extent(2) + column) * x.extent(3) + channel]) *
                    static_cast<double>(w[((c * in + i) * w.extent(2) + k) * w.extent(3) + l]);
              }
          y[((n * height + p) * width + q) * out + c] = static_cast<real>(sum);
        }
  return y;
}

}  // namespace

TEST_CASE("the plain convolution is its definition, at sizes of one panel and of many") {
  struct Case {
    Shape x, w;
    Conv2dOptions o;
  };
  const Case cases[] = {{{2, 5, 7, 3}, {4, 3, 3, 3}, {1, 1, 1}}, {{1, 1, 1, 2}, {3, 2, 3, 3}, {1, 1, 1}},
                        {{2, 6, 6, 4}, {6, 2, 3, 3}, {2, 1, 2}}, {{3, 28, 28, 33}, {31, 33, 3, 3}, {1, 1, 1}},
                        {{1, 9, 8, 5}, {7, 5, 1, 1}, {1, 0, 1}}, {{1, 9, 8, 5}, {7, 5, 1, 1}, {2, 0, 1}},
                        {{1, 8, 8, 2}, {2, 2, 5, 5}, {1, 2, 1}}, {{2, 40, 30, 16}, {8, 16, 3, 3}, {2, 1, 1}}};
  for (const Case& c : cases) {
    const Tensor x = draw(c.x, 0), w = draw(c.w, 1), b = draw({c.w[0]}, 2);
    const kernels::ConvShape shape{c.x[0], c.x[1], c.x[2],     c.x[3],      c.w[0],
                                   c.w[2], c.w[3], c.o.stride, c.o.padding, c.o.groups};
    const Tensor expected = by_hand(x, w, b, c.o);
    Tensor y = Tensor::uninitialized(shape.y());
    kernels::plain_conv2d_forward(shape, x, w, &b, y);
    REQUIRE(y.shape() == expected.shape());
    CHECK(conv2d(x, w, b, c.o).shape() == expected.shape());
    double worst = 0;
    for (Index i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(y[i] - expected[i])));
    CHECK(worst < (sizeof(real) == 4 ? 2e-4 : 1e-11));
  }
}

TEST_CASE("the gradients are the forward's transpose at sizes of many panels: <conv(x), dy> = <x, dx> = <w, dw>") {
  const Tensor x = draw({3, 40, 40, 32}, 0), w = draw({48, 32, 3, 3}, 1), dy = draw({3, 40, 40, 48}, 2);
  Tape tape;
  const Var vx = tape.variable(x), vw = tape.variable(w);
  const Var y = conv2d(vx, vw, {}, {.padding = 1});
  const auto dot = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (Index i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
  };
  const double forward = dot(y.value(), dy);
  tape.backward(y, dy, {});
  const double tolerance = sizeof(real) == 4 ? 1e-4 : 1e-12;
  CHECK(dot(x, tape.gradient(vx)) == doctest::Approx(forward).epsilon(tolerance));
  CHECK(dot(w, tape.gradient(vw)) == doctest::Approx(forward).epsilon(tolerance));
}

namespace {

// One way of computing the three products of a convolution.
struct Kernels {
  decltype(&kernels::plain_conv2d_forward) forward;
  decltype(&kernels::plain_conv2d_backward_data) backward_data;
  decltype(&kernels::plain_conv2d_backward_weight) backward_weight;
};
constexpr Kernels plain{kernels::plain_conv2d_forward, kernels::plain_conv2d_backward_data,
                        kernels::plain_conv2d_backward_weight};

// `slack`: how many times the rounding of a plain sum the errors may be.
void check_agreement(const Kernels& fast, const kernels::ConvShape& s, double slack, bool backward_data = true) {
  const Tensor x = draw(s.x(), 0), w = draw(s.weight(), 1), b = draw({s.out_channels}, 2), dy = draw(s.y(), 3);
  const auto compare = [&](const Tensor& got, const Tensor& expected, Index terms) {
    double worst = 0;
    for (Index i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(got[i] - expected[i])));
    const double rounding = std::sqrt(static_cast<double>(terms)) * std::numeric_limits<real>::epsilon();
    CHECK(worst <= slack * rounding);
  };
  CAPTURE(concat(s.x(), " * ", s.weight()));
  Tensor y = draw(s.y(), 4), want_y = draw(s.y(), 5);  // overwritten
  fast.forward(s, x, w, &b, y);
  plain.forward(s, x, w, &b, want_y);
  compare(y, want_y, s.patch());
  fast.forward(s, x, w, nullptr, y);
  plain.forward(s, x, w, nullptr, want_y);
  compare(y, want_y, s.patch());
  if (backward_data) {
    Tensor dx = draw(s.x(), 6), want_dx = dx.clone();
    for (const bool accumulate : {true, false}) {
      fast.backward_data(s, w, dy, accumulate, dx);
      plain.backward_data(s, w, dy, accumulate, want_dx);
      compare(dx, want_dx, s.patch() / s.in_channels * s.out_channels);
    }
  }
  Tensor dw = draw(s.weight(), 7), want_dw = dw.clone();
  for (const bool accumulate : {true, false}) {
    fast.backward_weight(s, x, dy, accumulate, dw);
    plain.backward_weight(s, x, dy, accumulate, want_dw);
    compare(dw, want_dw, s.batch * s.out_height() * s.out_width());
  }
}

}  // namespace

TEST_CASE("the direct kernels agree with the plain ones, at channels and sizes that fill no vector") {
  const Kernels direct{kernels::direct_conv2d_forward, kernels::direct_conv2d_backward_data,
                       kernels::direct_conv2d_backward_weight};
  struct Case {
    Index batch, height, width, in, out, kernel, stride, padding;
  };
  const Case cases[] = {{3, 28, 28, 32, 32, 3, 1, 1}, {3, 5, 7, 8, 9, 3, 1, 1},    {1, 1, 1, 16, 33, 3, 1, 1},
                        {5, 7, 7, 16, 32, 3, 1, 1},   {20, 1, 1, 17, 8, 3, 1, 1},  {3, 9, 30, 17, 40, 3, 1, 1},
                        {1, 40, 41, 64, 96, 3, 1, 1}, {3, 13, 6, 24, 12, 5, 1, 2}, {3, 8, 15, 8, 64, 3, 2, 1},
                        {2, 28, 28, 32, 32, 3, 2, 1}, {3, 7, 9, 33, 8, 3, 2, 1},   {2, 11, 13, 9, 16, 3, 3, 1},
                        {2, 9, 9, 8, 8, 1, 2, 0},     {2, 6, 7, 16, 8, 1, 1, 0},   {2, 5, 5, 8, 8, 1, 3, 2},
                        {3, 6, 6, 10, 10, 3, 1, 0},   {3, 4, 4, 64, 64, 3, 1, 2},  {3, 3, 50, 9, 31, 2, 1, 0}};
  for (const Case& c : cases) {
    const kernels::ConvShape s{c.batch, c.height, c.width, c.in, c.out, c.kernel, c.kernel, c.stride, c.padding, 1};
    REQUIRE(kernels::direct_applies(s));
    check_agreement(direct, s, 100);
  }
}

TEST_CASE("the kernels for a few channels on one side agree with the plain ones") {
  const Kernels few{kernels::thin_conv2d_forward, kernels::thin_conv2d_backward_data,
                    kernels::thin_conv2d_backward_weight};
  struct Case {
    Index batch, height, width, in, out, kernel, padding;
  };
  const Case cases[] = {{8, 28, 28, 1, 32, 3, 1}, {2, 32, 31, 3, 40, 3, 1}, {2, 5, 7, 7, 33, 3, 0},
                        {40, 9, 9, 2, 3, 3, 1},   {8, 28, 28, 32, 2, 3, 1}, {2, 16, 9, 64, 6, 3, 1},
                        {3, 5, 7, 33, 1, 3, 1},   {1, 1, 1, 16, 3, 3, 1},   {1, 1, 1, 1, 9, 3, 1},
                        {2, 8, 6, 5, 8, 5, 2},    {2, 8, 6, 17, 7, 5, 4},   {1, 3, 60, 8, 1, 1, 0},
                        {0, 4, 4, 3, 16, 3, 1}};
  for (const Case& c : cases) {
    const kernels::ConvShape s{c.batch, c.height, c.width, c.in, c.out, c.kernel, c.kernel, 1, c.padding, 1};
    REQUIRE(kernels::thin_forward_applies(s));
    REQUIRE(kernels::thin_backward_applies(s));
    check_agreement(few, s, 100);
  }
  for (const Index in : {3, 32}) {  // with a stride, forward only
    const kernels::ConvShape s{2, 9, 10, in, 35 - in, 3, 3, 2, 1, 1};
    REQUIRE(kernels::thin_forward_applies(s));
    REQUIRE(!kernels::thin_backward_applies(s));
    check_agreement(
        {kernels::thin_conv2d_forward, kernels::plain_conv2d_backward_data, kernels::plain_conv2d_backward_weight}, s,
        100);
  }
}

TEST_CASE(
    "Winograd's kernels agree with the plain ones, at channels and sizes that fill no vector and no Winograd tile") {
  const Kernels winograd{kernels::winograd_conv2d_forward, kernels::winograd_conv2d_backward_data,
                         kernels::winograd_conv2d_backward_weight};
  struct Case {
    Index batch, height, width, in, out;
  };
  const Case cases[] = {{2, 28, 28, 32, 32}, {1, 4, 4, 16, 16},  {3, 5, 7, 17, 33},   {2, 9, 30, 48, 20},
                        {8, 7, 7, 64, 64},   {1, 6, 4, 100, 16}, {3, 14, 14, 40, 33}, {2, 5, 6, 16, 32},
                        {2, 8, 7, 200, 135}};  // the last with weights that are transformed where they are used
  for (const Case& c : cases) {
    const kernels::ConvShape s{c.batch, c.height, c.width, c.in, c.out, 3, 3, 1, 1, 1};
    REQUIRE(kernels::winograd_applies(s));
    check_agreement(winograd, s, 500);  // the transforms' factors cost some digits
  }
}

TEST_CASE("weight gradients of many images are summed group by group, of which the last may be smaller") {
  const kernels::ConvShape s{9, 64, 64, 48, 96, 3, 3, 1, 1, 1};
  const Tensor x = draw(s.x(), 0), dy = draw(s.y(), 1);
  Tensor expected = draw(s.weight(), 2);  // overwritten
  kernels::plain_conv2d_backward_weight(s, x, dy, false, expected);
  for (const auto weight_gradient :
       {kernels::direct_conv2d_backward_weight, kernels::winograd_conv2d_backward_weight}) {
    Tensor dw = draw(s.weight(), 3);
    weight_gradient(s, x, dy, false, dw);
    double worst = 0;
    for (Index i = 0; i < dw.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(dw[i] - expected[i])));
    CHECK(worst < (sizeof(real) == 4 ? 5e-2 : 1e-10));  // of sums of 37,000 products: of size 200; a group has 50
  }
}

TEST_CASE("weight gradients of no images and of no rows are zeros") {
  const kernels::ConvShape s{0, 8, 8, 16, 16, 3, 3, 1, 1, 1};
  Tensor dw = draw(s.weight(), 0), dv = draw({32, 16}, 1);
  kernels::conv2d_backward_weight(s, Tensor::zeros(s.x()), Tensor::zeros(s.y()), false, dw);
  kernels::linear_backward_weight({0, 16, 32}, nullptr, nullptr, false, dv);
  for (const Tensor& gradient : {dw, dv}) {
    for (const real g : gradient.values()) CHECK(g == 0);
  }
}

TEST_CASE("direct and Winograd's kernels can be chosen") {
  const kernels::ConvShape wide{2, 8, 8, 16, 16, 3, 3, 1, 1, 1}, few{1, 8, 8, 16, 16, 3, 3, 1, 1, 1};
  const auto forward = [](auto function, const kernels::ConvShape& s) {
    Tensor y = Tensor::zeros(s.y());
    function(s, draw(s.x(), 0), draw(s.weight(), 1), nullptr, y);
    return std::vector<real>(y.values().begin(), y.values().end());
  };
  for (const auto& s : {wide, few}) {
    const auto direct = forward(kernels::direct_conv2d_forward, s),
               winograd = forward(kernels::winograd_conv2d_forward, s);
    REQUIRE(direct != winograd);
    const auto chosen = [&](kernels::ConvKernels conv) {
      const kernels::WithKernels scope({.conv = conv});
      return forward(kernels::conv2d_forward, s);
    };
    CHECK(chosen(kernels::ConvKernels::direct) == direct);
    CHECK(chosen(kernels::ConvKernels::winograd) == winograd);
    CHECK(chosen(kernels::ConvKernels::automatic) == (s.batch == 2 ? winograd : direct));
  }
}

TEST_CASE("the fast kernels have the same bits for any number of threads") {
  const kernels::ConvShape s{6, 20, 20, 64, 96, 3, 3, 1, 1, 1};
  const Tensor x = draw(s.x(), 0), w = draw(s.weight(), 1), dy = draw(s.y(), 2);
  const auto all = [&](int count) {
    set_threads(count);
    std::vector<Tensor> out;
    for (const bool direct : {true, false}) {
      Tensor y = Tensor::zeros(s.y()), dx = Tensor::zeros(s.x()), dw = Tensor::zeros(s.weight());
      (direct ? kernels::direct_conv2d_forward : kernels::winograd_conv2d_forward)(s, x, w, nullptr, y);
      (direct ? kernels::direct_conv2d_backward_data : kernels::winograd_conv2d_backward_data)(s, w, dy, true, dx);
      (direct ? kernels::direct_conv2d_backward_weight : kernels::winograd_conv2d_backward_weight)(s, x, dy, true, dw);
      out.insert(out.end(), {y, dx, dw});
    }
    set_threads(0);
    return out;
  };
  const std::vector<Tensor> one = all(1), three = all(3);
  for (std::size_t i = 0; i < one.size(); ++i)
    CHECK(std::equal(one[i].values().begin(), one[i].values().end(), three[i].values().begin()));
}

TEST_CASE("a 1x1 convolution is a linear layer on pixels") {
  const Tensor x = draw({2, 4, 5, 6}, 0), w = draw({3, 6}, 1), b = draw({3}, 2);
  const Tensor y = conv2d(x, w.reshape({3, 6, 1, 1}), b).value(), z = linear(x, w, b).value();
  for (Index i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(z[i]));
}

TEST_CASE("bad shapes say what would fit") {
  const Tensor x = draw({1, 4, 4, 3}, 0);
  CHECK_THROWS_WITH_AS(conv2d(x, draw({64, 1, 3, 3}, 1), {}),
                       "conv2d: weight [64,1,3,3] expects input [N,H,W,1], got [1,4,4,3]", ShapeError);
  CHECK_THROWS_AS(conv2d(x, draw({64, 3, 5, 5}, 1), {}), ShapeError);
  CHECK_THROWS_AS(conv2d(x, draw({4, 3, 3, 3}, 1), draw({5}, 2)), ShapeError);
  CHECK_THROWS_AS(conv2d(x, draw({4, 3}, 1), {}), ShapeError);
}
