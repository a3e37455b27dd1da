#include "data/point_set.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

PointSet PointSet::load(const std::string& path, Index first) {
  const Hdf5File file = Hdf5File::open(path);
  PointSet set;
  set.points = file.read_tensor("points");
  set.read_labels(file, set.points.rank() == 0 ? 0 : set.points.extent(0), first);
  if (set.points.rank() == 2 && set.points.extent(0) > first) set.points = set.points.rows(0, first).clone();
  set.validate(path);
  return set;
}

Tensor PointSet::batch(std::span<const Index> indices) const {
  Tensor out = Tensor::uninitialized({std::ssize(indices), 2});
  for (Index i = 0; i < std::ssize(indices); ++i) {
    std::copy_n(points.data() + 2 * indices[i], 2, out.data() + 2 * i);
  }
  return out;
}

void PointSet::validate(const std::string& where) const {
  if (points.defined() && (points.rank() != 2 || points.extent(1) != 2)) {
    throw Error(where, ": `points` has shape ", points.shape(), ", expected [N,2]");
  }
  validate_labels(where);
  for (Index i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i])) throw Error(where, ": point ", i / 2, " is not finite");
  }
}

void PointSet::write(Hdf5File& file) const { file.write_tensor("points", points); }

}  // namespace reverie::inline REVERIE_PRECISION
