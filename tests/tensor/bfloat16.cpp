#include "tensor/bfloat16.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tensor/error.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/conv/linear.h"
#include "tensor/kernels/conv/plain.h"
#include "tensor/kernels/conv/winograd.h"
#include "tensor/kernels/packing/blocks.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

using namespace reverie;
using kernels::ConvShape;

TEST_CASE("bfloat16 is the upper half of a float, rounded to the nearest and to the even one of two") {
  CHECK(nearest_bfloat16(1) == 1);
  CHECK(nearest_bfloat16(-0.0f) == 0);
  CHECK(std::signbit(nearest_bfloat16(-0.0f)));
  CHECK(nearest_bfloat16(1 + 0x1p-8f) == 1);                // halfway to 1 + 2^-7
  CHECK(nearest_bfloat16(1 + 0x1.8p-7f) == 1 + 0x1p-6f);    // halfway again; up is even
  CHECK(nearest_bfloat16(1 + 0x1.002p-8f) == 1 + 0x1p-7f);  // a little more than half
  CHECK(nearest_bfloat16(3.14159274f) == 3.140625f);
  CHECK(nearest_bfloat16(0x1.fffffep127f) == std::numeric_limits<float>::infinity());
  CHECK(nearest_bfloat16(-std::numeric_limits<float>::infinity()) == -std::numeric_limits<float>::infinity());
  for (const std::uint32_t bits : {0x7fc00000u, 0xffffffffu, 0x7f800001u})
    CHECK(std::isnan(nearest_bfloat16(std::bit_cast<float>(bits))));
  CHECK(bfloat16_pair(1, -2).bits == 0xc0003f80u);
}

#ifdef REVERIE_DOUBLE

TEST_CASE("bfloat16 operands are for float") {
  CHECK_THROWS_AS(kernels::WithKernels({.operands = kernels::OperandType::bfloat16}), Error);
  CHECK(!kernels::bfloat16_operands());
}

#else

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 8}.with_channel(channel), shape); }

// The calling thread's choice, with operands in bfloat16.
kernels::KernelChoice in_bfloat16() {
  kernels::KernelChoice choice = kernels::kernel_choice();
  choice.operands = kernels::OperandType::bfloat16;
  return choice;
}

// Calls body at each level of bfloat16 that this processor has.
template <class Body>
void at_each_level(Body body) {
  const int best = static_cast<int>(kernels::bfloat16_level());
  for (int level = 0; level <= best; ++level) {
    const kernels::WithKernels scope({.most_bfloat16 = static_cast<kernels::Bfloat16Level>(level)});
    CAPTURE(level);
    body();
  }
}

// The root of the mean square of a - b over that of b.
double distance(const Tensor& a, const Tensor& b) {
  double difference = 0, size = 0;
  for (Index i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace

namespace {

// The operands x, weight and dy of a layer, and its results.
struct Layer {
  Tensor x, weight, dy, bias, y, dx, dweight;
};

Layer convolve(const ConvShape& s, bool winograd, bool full, bool accumulate = true) {
  Layer l{draw(s.x(), 0), draw(s.weight(), 1), draw(s.y(), 2),     draw({s.out_channels}, 3),
          draw(s.y(), 4), draw(s.x(), 5),      draw(s.weight(), 6)};
  if (full) {
    kernels::plain_conv2d_forward(s, l.x, l.weight, &l.bias, l.y);
    kernels::plain_conv2d_backward_data(s, l.weight, l.dy, true, l.dx);
    kernels::plain_conv2d_backward_weight(s, l.x, l.dy, accumulate, l.dweight);
    return l;
  }
  const kernels::WithKernels scope(in_bfloat16());
  (winograd ? kernels::winograd_conv2d_forward : kernels::direct_conv2d_forward)(s, l.x, l.weight, &l.bias, l.y);
  (winograd ? kernels::winograd_conv2d_backward_data : kernels::direct_conv2d_backward_data)(s, l.weight, l.dy, true,
                                                                                             l.dx);
  (winograd ? kernels::winograd_conv2d_backward_weight : kernels::direct_conv2d_backward_weight)(s, l.x, l.dy,
                                                                                                 accumulate, l.dweight);
  return l;
}

Layer multiply(const kernels::LinearShape& s, bool full, bool accumulate = true) {
  Layer l{draw({s.rows, s.in}, 0),  draw({s.out, s.in}, 1),  draw({s.rows, s.out}, 2), draw({s.out}, 3),
          draw({s.rows, s.out}, 4), draw({s.rows, s.in}, 5), draw({s.out, s.in}, 6)};
  const auto all = [&] {
    kernels::linear_forward(s, l.x.data(), l.weight, &l.bias, l.y.data());
    kernels::linear_backward_data(s, l.weight, l.dy.data(), true, l.dx.data());
    kernels::linear_backward_weight(s, l.x.data(), l.dy.data(), accumulate, l.dweight);
  };
  if (full) {
    all();
  } else {
    const kernels::WithKernels scope(in_bfloat16());
    all();
  }
  return l;
}

using Members = std::initializer_list<Tensor Layer::*>;

void check_distances(const Layer& rounded, const Layer& full, Members members, double least, double most) {
  for (const auto member : members) {
    CHECK(distance(rounded.*member, full.*member) > least);
    CHECK(distance(rounded.*member, full.*member) < most);
  }
}

}  // namespace

TEST_CASE(
    "products of rounded operands have a relative error of a few thousandths, at sizes that fill no block and no "
    "pair") {
  for (const ConvShape& s : {ConvShape{3, 28, 28, 32, 32, 3, 3, 1, 1, 1},
                             {3, 5, 7, 17, 33, 3, 3, 1, 1, 1},
                             {2, 9, 30, 9, 20, 3, 3, 2, 1, 1},
                             {3, 8, 11, 40, 33, 3, 3, 3, 0, 1},
                             {2, 9, 10, 16, 17, 1, 1, 2, 0, 1},
                             {2, 10, 9, 16, 48, 2, 5, 2, 3, 1},
                             {5, 1, 1, 16, 32, 3, 3, 1, 1, 1},
                             {12, 64, 64, 64, 96, 3, 3, 1, 1, 1},
                             {1, 4, 4, 8, 8, 5, 5, 1, 2, 1}}) {
    CAPTURE(concat(s.x(), " * ", s.weight()));
    for (const bool accumulate : {true, false}) {
      const Layer full = convolve(s, false, true, accumulate);
      at_each_level([&] {
        check_distances(convolve(s, false, false, accumulate), full, {&Layer::y, &Layer::dx, &Layer::dweight}, 1e-3,
                        4e-3);
      });
    }
  }
  for (const kernels::LinearShape& s :
       {kernels::LinearShape{113, 100, 9}, {64, 17, 33}, {601, 32, 40}, {1000, 9, 100}, {111, 64, 32}}) {
    for (const bool accumulate : {true, false}) {
      at_each_level([&] {
        check_distances(multiply(s, false, accumulate), multiply(s, true, accumulate),
                        {&Layer::y, &Layer::dx, &Layer::dweight}, 1e-3, 4e-3);
      });
    }
  }
}

TEST_CASE(
    "with Winograd's transforms the error is about a hundredth, at sizes that fill no block, no tile and no pair") {
  for (const ConvShape& s : {ConvShape{2, 28, 28, 32, 32, 3, 3, 1, 1, 1},
                             {1, 4, 4, 16, 16, 3, 3, 1, 1, 1},
                             {3, 5, 7, 17, 33, 3, 3, 1, 1, 1},
                             {2, 9, 30, 48, 20, 3, 3, 1, 1, 1},
                             {3, 7, 7, 40, 64, 3, 3, 1, 1, 1},
                             {3, 14, 14, 40, 33, 3, 3, 1, 1, 1},
                             {1, 8, 7, 200, 135, 3, 3, 1, 1, 1},
                             {9, 64, 64, 48, 96, 3, 3, 1, 1, 1}}) {
    CAPTURE(concat(s.x(), " * ", s.weight()));
    for (const bool accumulate : {true, false}) {
      const Layer full = convolve(s, true, true, accumulate);
      at_each_level([&] {
        check_distances(convolve(s, true, false, accumulate), full, {&Layer::y, &Layer::dx, &Layer::dweight}, 2e-3,
                        1.6e-2);
      });
    }
  }
}

namespace {

// y and the gradients of q, k and v of attention with `heads` heads.
std::vector<Tensor> attend(Index rows, Index keys, Index width, bool full) {
  const Index samples = 2, heads = 3, all = heads * width;
  std::vector<Tensor> t;
  for (const Index count : {rows, keys, keys, rows}) t.push_back(draw({samples, count, all}, std::ssize(t)));
  const auto view = [&](auto& tensor) {
    return kernels::HeadView<std::remove_pointer_t<decltype(tensor.data())> >{tensor.data(), tensor.extent(1), all,
                                                                              width};
  };
  const Tensor &q = t[0], &k = t[1], &v = t[2], &dy = t[3];
  Tensor y = Tensor::zeros(q.shape()), log_sum = Tensor::zeros({samples, heads, rows}), dq = Tensor::zeros(q.shape()),
         dk = Tensor::zeros(k.shape()), dv = Tensor::zeros(k.shape());
  std::optional<kernels::WithKernels> scope;
  if (!full) scope.emplace(in_bfloat16());
  kernels::attention_forward(width, view(q), view(k), view(v), log_sum, view(y));
  kernels::attention_backward(width, view(q), view(k), view(v), view(std::as_const(y)), log_sum, view(dy), true,
                              view(dq), view(dk), view(dv));
  return {y, dq, dk, dv};
}

}  // namespace

TEST_CASE(
    "attention of rounded operands has a relative error of a few thousandths, at sizes that fill no block and no "
    "pair") {
  struct Size {
    Index rows, keys, width;
  };
  for (const Size& size : {Size{196, 196, 16}, Size{1, 1, 8}, Size{49, 49, 32}, Size{5, 131, 20}, Size{33, 257, 3}}) {
    const Index rows = size.rows, keys = size.keys, width = size.width;
    CAPTURE(concat(rows, " queries, ", keys, " keys, ", width));
    const std::vector<Tensor> full = attend(rows, keys, width, true);
    const bool one_key = keys == 1;  // then the gradient of the scores is zero
    at_each_level([&] {
      const std::vector<Tensor> rounded = attend(rows, keys, width, false);
      for (std::size_t i = 0; i < full.size(); ++i) {
        if (one_key && (i == 1 || i == 2)) {
          for (const real gradient : rounded[i].values()) CHECK(std::abs(gradient) < 1e-5);
          continue;
        }
        CHECK(distance(rounded[i], full[i]) > 1e-3);
        CHECK(distance(rounded[i], full[i]) < 1e-2);
      }
    });
  }
}

TEST_CASE("products of rounded operands have the same bits for any number of threads") {
  const ConvShape s{6, 20, 20, 64, 96, 3, 3, 1, 1, 1};
  const auto all = [&](int count) {
    set_threads(count);
    std::vector<Tensor> results = attend(100, 130, 16, false);
    for (const Layer& layer : {convolve(s, true, false), convolve(s, false, false), multiply({3000, 64, 96}, false)})
      results.insert(results.end(), {layer.y, layer.dx, layer.dweight});
    set_threads(0);
    return results;
  };
  const std::vector<Tensor> one = all(1), three = all(3);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(distance(one[i], three[i]) == 0);
}

TEST_CASE("a cached weight is packed again for another operand type") {
  const kernels::LinearShape s{16, 32, 32};
  const Tensor x = draw({16, 32}, 0), w = draw({32, 32}, 1);
  const auto forward = [&] {
    Tensor y = Tensor::zeros({16, 32});
    kernels::linear_forward(s, x.data(), w, nullptr, y.data());
    return y;
  };
  const kernels::PackedWeights cache({w});
  const Tensor before = forward();
  {
    const kernels::WithKernels scope(in_bfloat16());
    CHECK(distance(forward(), before) > 1e-3);
  }
  CHECK(distance(forward(), before) == 0);
}

#endif
