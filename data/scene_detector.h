#pragma once
#include <array>

#include "data/scenes.h"

namespace reverie::inline REVERIE_PRECISION {

/// An object found in a picture.
struct FoundObject {
  SceneObject object;
  double x, y;  ///< its centroid, in pixels
};

/// Finds shapes in a picture [32,32,3] in 0..255: connected regions of one colour, each compared with a drawing of
/// every shape of the same area and centroid. Regions below 10 pixels are ignored.
std::vector<FoundObject> find_objects(std::span<const std::uint8_t> image);

/// How a picture agrees with a scene, under the assignment of found objects to the scene's that agrees best. An object
/// that is missing has no attribute right; more than two objects make `exact` false.
struct SceneScore {
  std::array<Index, 3> right = {};  ///< sizes, colours, shapes, of 2 each
  bool relation = false;
  bool exact = false;  ///< all six attributes and the relation, and nothing else in the picture
  Index attributes() const { return right[0] + right[1] + right[2]; }  ///< of 6
};
SceneScore score(const Scene& scene, std::span<const std::uint8_t> image);

}  // namespace reverie::inline REVERIE_PRECISION
