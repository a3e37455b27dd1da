#pragma once
#include <cstdint>

#include "data/stored_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// A pixel's value as models see it: 0..255 -> [-1,1].
inline real to_real(std::uint8_t pixel) { return static_cast<real>(pixel / 127.5 - 1); }
/// The pixel nearest to a value: [-1,1] -> 0..255, rounded (to truncate would darken), what lies outside clamped, NaN
/// black.
std::uint8_t to_pixel(real value);

/// Images, reverie's own file for them: HDF5 with dataset `images` (uint8, N,H,W,C, compressed), optional `labels`,
/// optional `captions` (UTF-8 strings, N), optional `masks` (uint8, N,H,W). All of it is held in memory.
struct ImageSet : StoredSet {
  Index count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> images;   ///< N,H,W,C
  std::vector<std::string> captions;  ///< one an image, or none at all
  std::vector<std::uint8_t> masks;    ///< N,H,W, or none at all

  /// Throws Error for a file that is no image set: wrong rank or type, labels or captions of another number, ...
  static ImageSet load(const std::string& path, Index first = all_samples);
  /// Images that a model made: [n,H,W,C] in [-1,1], rounded and clamped.
  static ImageSet from(const Tensor& samples);

  Index size() const override { return count; }
  Shape sample_shape() const override { return {height, width, channels}; }
  Tensor batch(std::span<const Index> indices) const override;
  void validate(const std::string& where) const override;

 protected:
  void write(Hdf5File& file) const override;
};

}  // namespace reverie::inline REVERIE_PRECISION
