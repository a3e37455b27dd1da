#include "tensor/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace reverie;

TEST_CASE("Philox 4x32-10 gives the known answers of its authors' test vectors [Salmon11]") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("normals have the moments of N(0, 1)") {
  const Tensor x = normal({.seed = 1, .stream = Stream::noise}, {200000});
  double m1 = 0, m2 = 0, m4 = 0;
  for (const real v : x.values()) {
    const double d = static_cast<double>(v);
    m1 += d, m2 += d * d, m4 += d * d * d * d;
  }
  const double n = 200000;  // standard errors: 0.0022, 0.0032, 0.022
  CHECK(std::abs(m1 / n) < 0.01);
  CHECK(std::abs(m2 / n - 1) < 0.015);
  CHECK(std::abs(m4 / n - 3) < 0.1);
}

TEST_CASE("every part of a key matters, and the same key gives the same numbers") {
  const RandomKey key{.seed = 1, .stream = Stream::noise, .step = 2, .sample = 3, .channel = 4};
  const double value = uniform(key);
  CHECK(uniform(key) == value);
  RandomKey seed = key, high_seed = key, stream = key;
  seed.seed = 2, high_seed.seed += std::uint64_t{1} << 40, stream.stream = Stream::dropout;
  for (const RandomKey& other : {seed, high_seed, stream, key.with_step(3), key.with_step(2 + (std::uint64_t{1} << 35)),
                                 key.with_sample(4), key.with_channel(5)}) {
    CHECK(uniform(other) != value);
  }
  CHECK(uniform(key, 1) != value);
}

TEST_CASE("a row's numbers do not depend on the rows drawn with it") {
  const RandomKey key{.seed = 5, .stream = Stream::noise};
  const Tensor all = normal_rows(key, {6, 7}, 0), rows = all.rows(4, 6), tail = normal_rows(key, {2, 7}, 4);
  CHECK(std::ranges::equal(tail.values(), rows.values()));
}

TEST_CASE("uniforms lie inside their range; integers cover theirs") {
  Tensor x = Tensor::uninitialized({1001});
  fill_uniform({.seed = 9}, -2, 3, x.values());
  CHECK(*std::min_element(x.data(), x.data() + 1001) >= -2);
  CHECK(*std::max_element(x.data(), x.data() + 1001) <= 3);
  std::vector<int> seen(7, 0);
  for (Index i = 0; i < 700; ++i) ++seen[uniform_index({.seed = 9}, 7, i)];
  for (const int count : seen) CHECK(std::abs(count - 100) < 45);
}

TEST_CASE("a permutation holds every number once, in another order for another key") {
  const auto a = permutation({.seed = 1}, 1000), b = permutation({.seed = 2}, 1000);
  CHECK(a != b);
  std::vector<Index> sorted = a, straight(1000);
  std::sort(sorted.begin(), sorted.end());
  std::iota(straight.begin(), straight.end(), 0);
  CHECK(sorted == straight);
}
