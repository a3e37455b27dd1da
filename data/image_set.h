#pragma once
#include <cstdint>

#include "data/stored_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// A pixel's value as models see it: 0..255 -> [-1,1].
inline real to_real(std::uint8_t pixel) { return pixel / 127.5 - 1; }
/// The pixel nearest to a value: [-1,1] -> 0..255. Rounds (truncating would darken), clamps values outside, and maps
/// NaN to 0; those who draw or store images refuse NaN.
std::uint8_t to_pixel(real value);

/// Images, held in memory. The file is HDF5 with the dataset `images` (uint8, N,H,W,C, compressed) and optionally
/// `labels`, `captions` (UTF-8 strings, N) and `masks` (uint8, N,H,W).
struct ImageSet : StoredSet {
  Index count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> images;  ///< N,H,W,C
  std::vector<std::uint8_t> masks;   ///< N,H,W; empty if there are none

  /// Throws Error if the file is not an image set: wrong rank or type, wrong number of labels or captions, ...
  static ImageSet load(const std::string& path, Index first = all_samples);
  /// Reads and checks everything but `images` and `masks`. Throws Error like load().
  static ImageSet load_without_pixels(const Hdf5File& file, Index first = all_samples);
  /// Makes an image set of a model's samples [n,H,W,C] in [-1,1], rounded and clamped.
  static ImageSet from(const Tensor& samples);

  Index size() const override { return count; }
  Shape sample_shape() const override { return {height, width, channels}; }
  Tensor batch(std::span<const Index> indices) const override;
  void validate(const std::string& where) const override;

 protected:
  void write(Hdf5File& file) const override;

 private:
  void validate_facts(const std::string& where) const;  // all but the pixels
};

}  // namespace reverie::inline REVERIE_PRECISION
