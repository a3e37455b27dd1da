#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/bfloat16.h"
#include "tensor/kernels/simd/microkernel.h"
#include "tensor/random.h"

using namespace reverie;

#ifndef REVERIE_DOUBLE

namespace {

float widened(std::uint16_t half) { return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16); }

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 8}.with_channel(channel), shape); }

// Without the processor's instructions for bfloat16, and with those that it has.
std::vector<kernels::Bfloat16Level> levels() {
  std::vector<kernels::Bfloat16Level> all;
  for (int level = 0; level <= static_cast<int>(kernels::microkernel().best_bfloat16); ++level)
    all.push_back(static_cast<kernels::Bfloat16Level>(level));
  return all;
}
const kernels::Bfloat16Kernels& kernels_of(kernels::Bfloat16Level level) {
  return kernels::microkernel().bfloat16_levels[static_cast<std::size_t>(level)];
}

}  // namespace

TEST_CASE("vectors are rounded as single numbers are") {
  std::vector<real> numbers;
  const Tensor some = draw({64}, 0);
  for (const real x : some.values()) numbers.push_back(x);
  for (const std::uint32_t bits : {0x7fc00000u, 0xffffffffu, 0x7f800001u, 0x7f800000u, 0xff800000u, 0x7f7fffffu,
                                   0x3f808000u, 0x3f818000u, 0x80000000u, 0x00000000u})
    numbers.push_back(std::bit_cast<float>(bits));
  numbers.resize(96, 1);
  const auto same = [](std::uint16_t a, std::uint16_t b) {
    return a == b || (std::isnan(widened(a)) && std::isnan(widened(b)));
  };
  for (const kernels::Bfloat16Level level : levels()) {
    const kernels::Bfloat16Kernels& micro = kernels_of(level);
    Bfloat16Pair row[48], pairs[48];
    micro.round(numbers.data(), 2, 48, 48, row, 24);
    micro.round_two(numbers.data(), numbers.data() + 48, 3, 16, 16, pairs, 16);
    for (std::size_t i = 0; i < 48; ++i) {
      CHECK(same(static_cast<std::uint16_t>(row[i].bits), rounded_to_bfloat16(numbers[2 * i])));
      CHECK(same(static_cast<std::uint16_t>(row[i].bits >> 16), rounded_to_bfloat16(numbers[2 * i + 1])));
      CHECK(same(static_cast<std::uint16_t>(pairs[i].bits), rounded_to_bfloat16(numbers[i])));
      CHECK(same(static_cast<std::uint16_t>(pairs[i].bits >> 16), rounded_to_bfloat16(numbers[48 + i])));
    }
  }
}

TEST_CASE("squares of pairs are transposed") {
  for (const kernels::Bfloat16Level level : levels()) {
    std::vector<Bfloat16Pair> squares(3 * 256);
    for (std::size_t i = 0; i < squares.size(); ++i) squares[i].bits = static_cast<std::uint32_t>(i * 2654435761);
    const std::vector<Bfloat16Pair> before = squares;
    kernels_of(level).transpose_squares(squares.data(), 2);
    for (std::size_t i = 0; i < squares.size(); ++i) {
      const std::size_t from = i < 512 ? i / 256 * 256 + i % 16 * 16 + i / 16 % 16 : i;
      CHECK(squares[i].bits == before[from].bits);
    }
  }
}

namespace {

// Operands for the microkernels, and the results of plain loops.
struct Example {
  static constexpr Index steps = 5, operands = kernels::block_operands, most = 32;
  Index outputs = kernels::microkernel().output_block;
  std::vector<Bfloat16Pair> x = pairs(draw({2, steps*operands*most}, 1)), weight = pairs(draw({2, 80 * outputs}, 2));
  Tensor before = draw({most, outputs}, 3), bias = draw({outputs}, 4);

  static std::vector<Bfloat16Pair> pairs(const Tensor& t) {
    std::vector<Bfloat16Pair> all;
    for (Index i = 0; i < t.size(); i += 2) all.push_back(bfloat16_pair(t[i], t[i + 1]));
    return all;
  }
  // sum + the products of f's and g's numbers, in float or, for what any order of sums gives, in double.
  template <class Sum>
  static Sum add(Sum sum, Bfloat16Pair f, Bfloat16Pair g) {
    sum += Sum(widened(static_cast<std::uint16_t>(f.bits >> 16))) * widened(static_cast<std::uint16_t>(g.bits >> 16));
    return sum + Sum(widened(static_cast<std::uint16_t>(f.bits))) * widened(static_cast<std::uint16_t>(g.bits));
  }
  static Index step(Index k) { return (k * 7 % steps) * operands * most; }

  template <class Sum>
  Sum product(Index p, Index c) const {
    Sum sum = 0;
    for (Index k = 0; k < steps * operands; ++k) {
      sum = add(sum, x[step(k / operands) + p * operands + k % operands], weight[k * outputs + c]);
    }
    return sum;
  }
  template <class Sum>
  Sum outer_sum(Index columns, Index i, Index c, Sum sum) const {
    for (Index k = 0; k < columns; ++k) {
      sum = add(sum, x[k * 16 + i], weight[k * outputs + c]);
    }
    return sum;
  }
};

// Vectors sum the pairs one by one, so the bits are known; AMX sums them in another order.
void check_sum(kernels::Bfloat16Level level, real value, real in_order, double exact) {
  if (level == kernels::Bfloat16Level::amx) {
    CHECK(value == doctest::Approx(exact).epsilon(1e-5).scale(10));
  } else {
    CHECK(value == in_order);
  }
}

}  // namespace

TEST_CASE("pairs are multiplied exactly and summed in float, by vectors the second product first") {
  const Example m;
  std::vector<Index> at, even, uneven;
  for (Index s = 0; s < Example::steps; ++s) at.push_back(Example::step(s));
  for (Index p = 0; p < Example::most; ++p) {
    even.push_back(p * m.outputs);
    uneven.push_back((p ^ 1) * m.outputs);
  }
  for (const kernels::Bfloat16Level level : levels()) {
    const Index most = kernels_of(level).products.max_pixels;
    for (const Index pixels : {Index{1}, Index{5}, Index{13}, most / 2, most - 3, most}) {
      for (const Index channels : {m.outputs, m.outputs - 3}) {
        for (const bool in_order : {true, false}) {
          for (const int addend : {0, 1, 2}) {  // none, bias, what was there
            if (pixels <= 0 || pixels > most || channels <= 0 || (!in_order && pixels % 2 != 0)) continue;
            Tensor y = m.before.clone();
            kernels_of(level).products.product({.x = m.x.data(),
                                                .x_offsets = at,
                                                .weight = m.weight.data(),
                                                .pixels = pixels,
                                                .y = y.data(),
                                                .y_offsets = (in_order ? even : uneven).data(),
                                                .channels = channels,
                                                .bias = addend == 1 ? m.bias.data() : nullptr,
                                                .accumulate = addend == 2});
            for (Index p = 0; p < Example::most; ++p) {
              for (Index c = 0; c < m.outputs; ++c) {
                const Index at_y = (in_order ? even : uneven)[p] + c;
                if (p >= pixels || c >= channels) {
                  CHECK(y[at_y] == m.before[at_y]);
                  continue;
                }
                const real addition = addend == 0 ? 0 : addend == 1 ? m.bias[c] : m.before[at_y];
                check_sum(level, y[at_y], m.product<real>(p, c) + addition, m.product<double>(p, c) + addition);
              }
            }
          }
        }
      }
    }
    for (const Index columns : {3, 16, 80}) {
      for (const bool accumulate : {true, false}) {
        Example padded;  // the last square is filled up with zeros
        std::fill(padded.x.begin() + columns * 16, padded.x.end(), Bfloat16Pair());
        if (kernels_of(level).transposed) kernels_of(level).transpose_squares(padded.x.data(), 5);
        Tensor sums = m.before.clone();
        kernels_of(level).products.outer_sum({.x = padded.x.data(),
                                              .x_row = 0,
                                              .dy = m.weight.data(),
                                              .rows = 1,
                                              .columns = columns,
                                              .sum = sums.data(),
                                              .sum_row = m.outputs,
                                              .accumulate = accumulate});
        for (Index i = 0; i < 16; ++i) {
          for (Index c = 0; c < m.outputs; ++c) {
            const real first = accumulate ? m.before[i * m.outputs + c] : 0;
            check_sum(level, sums[i * m.outputs + c], m.outer_sum(columns, i, c, first),
                      m.outer_sum(columns, i, c, static_cast<double>(first)));
          }
        }
      }
    }
  }
}

#endif
