#pragma once
#include <span>

#include "data/image_set.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// Captioned pictures with exact ground truth, to measure what a text-to-image model has understood: two shapes on
/// white, 32x32x3, such as "a large green triangle above a small red circle". The two always differ in colour.
struct SceneObject {
  Index size, colour, shape;  ///< indices into scene_sizes, scene_colours, scene_shapes
  bool operator==(const SceneObject&) const = default;
};
inline constexpr const char* scene_sizes[] = {"large", "small"};
inline constexpr const char* scene_colours[] = {"red", "green", "blue", "yellow"};
inline constexpr const char* scene_shapes[] = {"circle", "square", "triangle"};
inline constexpr const char* scene_relations[] = {"above", "below", "left of", "right of"};
inline constexpr Index scene_side = 32;  ///< pixels

struct Scene {
  SceneObject first, second;
  Index relation;  ///< of the first to the second, an index into scene_relations
  bool operator==(const Scene&) const = default;
};

std::string caption_of(const Scene& scene);
/// Throws UsageError for a caption that caption_of doesn't make.
Scene scene_of(const std::string& caption);

/// Every scene of the grammar. A pair of colour and shape that is left out of training (red square, blue circle, yellow
/// triangle) makes a scene `unseen`.
enum class SceneKind { seen, unseen, all };
std::vector<Scene> scenes(SceneKind kind);

/// How much of each pixel [32,32] a shape of this area (in pixels) around a centroid (x, y) covers, 0 to 1.
std::vector<double> coverage(Index shape, double area, double x, double y);
/// The area of a size, before the jitter of +-10%.
double scene_area(Index size);
/// Draws a scene, RGB, [32,32,3] in 0..255; places and jitter come from the key.
std::vector<std::uint8_t> draw(const Scene& scene, const RandomKey& key);
/// The colour as red, green, blue, 0 to 255.
std::span<const double, 3> rgb(Index colour);

/// Draws `count` captioned scenes of this kind; scene i is a function of (seed, i). Throws UsageError for a count
/// below 1.
ImageSet scene_set(SceneKind kind, Index count, std::uint64_t seed);

}  // namespace reverie::inline REVERIE_PRECISION
