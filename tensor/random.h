#pragma once
#include <array>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The purpose of a random number. Each purpose has its own stream, so that a new use never changes the others.
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
  dequantisation,
  subset
};

/// Randomness is a function of (seed, stream, step, sample, element), computed by Philox 4x32-10, a counter-based
/// generator. There is no state: a key gives the same numbers on any thread, and a resumed run draws the same numbers
/// as one that never stopped. `channel` separates several users of one stream (dropout layers, parameters). [Salmon11]
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

/// Philox 4x32 with ten rounds: maps 128 bits of counter and 64 bits of key to 128 random bits.
/// [Salmon11] sec. 3.3
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Element i of a key's sequence, uniform in (0, 1).
double uniform(const RandomKey& key, Index element = 0);
/// Element i of a key's sequence, an integer in [0, bound).
Index uniform_index(const RandomKey& key, Index bound, Index element = 0);
/// Fills `out` with independent N(0, 1) numbers (Box-Muller, computed in double, so that float and double builds
/// agree).
void fill_normal(const RandomKey& key, std::span<real> out);
/// Fills `out` with numbers uniform in (low, high).
void fill_uniform(const RandomKey& key, double low, double high, std::span<real> out);
/// A random permutation of 0 .. n-1.
std::vector<Index> permutation(const RandomKey& key, Index n);

/// A tensor of N(0, 1) numbers, all from one key.
Tensor normal(const RandomKey& key, const Shape& shape);
/// A tensor of N(0, 1) numbers; row i is drawn for sample first_sample + i, so rows don't depend on the batch.
Tensor normal_rows(const RandomKey& key, const Shape& shape, Index first_sample);

}  // namespace reverie::inline REVERIE_PRECISION
