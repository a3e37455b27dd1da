#pragma once
#include "data/stored_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// Points in the plane, for toy models. The file is HDF5 with the dataset `points` (real, N,2).
struct PointSet : StoredSet {
  Tensor points;  ///< [N,2]

  /// Throws Error if the file is not a point set, or if a point is not finite.
  static PointSet load(const std::string& path, Index first = all_samples);

  Index size() const override { return points.defined() ? points.extent(0) : 0; }
  Shape sample_shape() const override { return {2}; }
  Tensor batch(std::span<const Index> indices) const override;
  void validate(const std::string& where) const override;

 protected:
  void write(Hdf5File& file) const override;
};

}  // namespace reverie::inline REVERIE_PRECISION
