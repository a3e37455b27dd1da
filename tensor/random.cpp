#include "tensor/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The counter is (block of four elements, sample, step, stream and channel), the key is the seed. The upper halves of
// the step and of the element's index are mixed into the key; no tensor is large enough to use the latter.
std::array<std::uint32_t, 4> block(const RandomKey& key, std::uint64_t index) {
  const auto step_low = static_cast<std::uint32_t>(key.step), step_high = static_cast<std::uint32_t>(key.step >> 32);
  return philox({static_cast<std::uint32_t>(index), key.sample, step_low,
                 (static_cast<std::uint32_t>(key.stream) << 24) ^ key.channel},
                {static_cast<std::uint32_t>(key.seed),
                 static_cast<std::uint32_t>(key.seed >> 32) ^ step_high ^ static_cast<std::uint32_t>(index >> 32)});
}

double to_unit(std::uint32_t bits) { return (bits + 0.5) * 0x1p-32; }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k = {k[0] + 0x9E3779B9, k[1] + 0xBB67AE85};  // Weyl sequence: golden ratio, sqrt(3) - 1
  }
  return c;
}

double uniform(const RandomKey& key, Index element) {
  const auto i = static_cast<std::uint64_t>(element);
  return to_unit(block(key, i / 4)[i % 4]);
}

Index uniform_index(const RandomKey& key, Index bound, Index element) {
  const auto i = static_cast<std::uint64_t>(element);
  const auto bits = block(key, i / 2);
  const std::uint64_t wide = (std::uint64_t{bits[2 * (i % 2)]} << 32) | bits[2 * (i % 2) + 1];
  return static_cast<Index>(wide % static_cast<std::uint64_t>(bound));  // the bias, bound / 2^64, is negligible
}

void fill_normal(const RandomKey& key, std::span<real> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto bits = block(key, i / 4);
    double four[4];
    for (int pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2 * std::log(to_unit(bits[2 * pair])));
      const double angle = 2 * std::numbers::pi * to_unit(bits[2 * pair + 1]);
      four[2 * pair] = radius * std::cos(angle);
      four[2 * pair + 1] = radius * std::sin(angle);
    }
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j) out[i + j] = static_cast<real>(four[j]);
  }
}

void fill_uniform(const RandomKey& key, double low, double high, std::span<real> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto bits = block(key, i / 4);
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j)
      out[i + j] = static_cast<real>(low + (high - low) * to_unit(bits[j]));
  }
}

std::vector<Index> permutation(const RandomKey& key, Index n) {
  std::vector<Index> order(n);
  std::iota(order.begin(), order.end(), Index{0});
  for (Index i = n - 1; i > 0; --i) {  // Fisher-Yates
    std::swap(order[i], order[uniform_index(key, i + 1, i)]);
  }
  return order;
}

Tensor normal(const RandomKey& key, const Shape& shape) {
  Tensor out = Tensor::uninitialized(shape);
  fill_normal(key, out.values());
  return out;
}

Tensor normal_rows(const RandomKey& key, const Shape& shape, Index first_sample) {
  Tensor out = Tensor::uninitialized(shape);
  const Index width = shape[0] == 0 ? 0 : out.size() / shape[0];
  for (Index row = 0; row < shape[0]; ++row) {
    fill_normal(key.with_sample(first_sample + row), out.values().subspan(row * width, width));
  }
  return out;
}

}  // namespace reverie::inline REVERIE_PRECISION
