#pragma once
#include <array>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a random number is for. Each purpose is a stream of its own, so that a new use never shifts another.
enum class Stream : std::uint32_t {
  init,
  data_order,
  augment,
  timestep,
  noise,
  dropout,
  label_drop,
  sample_start,
  sample_noise,
  validation,
  toy,
  probe,
  bootstrap,
  dequantisation
};

/// Randomness is a function of (seed, stream, step, sample, element): Philox 4x32-10 [Salmon11], a counter-based
/// generator. There is no state: the same key gives the same numbers on any thread, and a resumed run the numbers of
/// one that never stopped. `channel` tells apart several users of one stream (layers that drop out, parameters that
/// start).
struct RandomKey {
  std::uint64_t seed = 0;
  Stream stream = Stream::init;
  std::uint64_t step = 0;
  std::uint32_t sample = 0;
  std::uint32_t channel = 0;

  RandomKey with_step(std::uint64_t value) const {
    RandomKey key = *this;
    key.step = value;
    return key;
  }
  RandomKey with_sample(Index value) const {
    RandomKey key = *this;
    key.sample = static_cast<std::uint32_t>(value);
    return key;
  }
  RandomKey with_channel(Index value) const {
    RandomKey key = *this;
    key.channel = static_cast<std::uint32_t>(value);
    return key;
  }
};

/// Philox 4x32 with ten rounds: 128 bits of counter and 64 of key to 128 random bits. [Salmon11] sec. 3.3
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Element i of a key's sequence, uniform in (0, 1).
double uniform(const RandomKey& key, Index element = 0);
/// Element i of a key's sequence, an integer in [0, bound).
Index uniform_index(const RandomKey& key, Index bound, Index element = 0);
/// Fills with independent N(0, 1) numbers (Box-Muller, computed in double, so that float and double builds agree).
void fill_normal(const RandomKey& key, std::span<real> out);
/// Fills with numbers uniform in (low, high).
void fill_uniform(const RandomKey& key, double low, double high, std::span<real> out);
/// A random order of 0 .. n-1.
std::vector<Index> permutation(const RandomKey& key, Index n);

/// N(0, 1) of the given shape, all from one key.
Tensor normal(const RandomKey& key, const Shape& shape);
/// N(0, 1) of the given shape; row i comes from sample first_sample + i, whichever rows are drawn together.
Tensor normal_rows(const RandomKey& key, const Shape& shape, Index first_sample);

}  // namespace reverie::inline REVERIE_PRECISION
