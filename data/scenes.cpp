#include "data/scenes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr double palette[4][3] = {{215, 45, 45}, {45, 160, 70}, {50, 85, 215}, {240, 195, 40}};
constexpr double white = 255;

// A triangle's side is 2 sqrt(area / sqrt(3)), its height sqrt(3) / 2 of that; its centroid is at a third of the
// height.
struct Extent {
  double left, right, up, down;  // from the centroid
};
Extent extent(Index shape, double area) {
  if (shape == 0) {
    const double radius = std::sqrt(area / std::numbers::pi);
    return {radius, radius, radius, radius};
  }
  if (shape == 1) {
    const double half = std::sqrt(area) / 2;
    return {half, half, half, half};
  }
  const double side = 2 * std::sqrt(area / std::numbers::sqrt3), height = side * std::numbers::sqrt3 / 2;
  return {side / 2, side / 2, height * 2 / 3, height / 3};
}

bool inside(Index shape, const Extent& e, double dx, double dy) {
  if (shape == 0) return dx * dx + dy * dy <= e.up * e.up;
  if (shape == 1) return std::abs(dx) <= e.left && std::abs(dy) <= e.up;
  return dy <= e.down && std::abs(dx) <= (dy + e.up) / std::numbers::sqrt3;
}

struct Place {
  double x, y;
};

// Where the two objects are: a gap of a pixel or more along the relation's axis, and less than 60% of the distance
// across it, so that the relation is clear. Rejection sampling: at worst, one draw in some hundreds is good.
std::array<Place, 2> places(Index relation, const std::array<Extent, 2>& e, const RandomKey& key) {
  for (Index attempt = 0;; ++attempt) {
    std::array<Place, 2> at;
    for (Index i = 0; i < 2; ++i) {
      const auto between = [&](double low, double high, Index element) {
        return low + (high - low) * uniform(key.with_step(attempt + 1), element);
      };
      at[i] = {between(e[i].left + 1, scene_side - 1 - e[i].right, 2 * i),
               between(e[i].up + 1, scene_side - 1 - e[i].down, 2 * i + 1)};
    }
    const bool swap = relation == 1 || relation == 3;  // below, right of
    const Index a = swap ? 1 : 0, b = 1 - a;           // a is above or to the left of b
    const bool vertical = relation < 2;
    const double along = vertical ? at[b].y - at[a].y : at[b].x - at[a].x;
    const double across = vertical ? at[b].x - at[a].x : at[b].y - at[a].y;
    const double needed = vertical ? e[a].down + e[b].up : e[a].right + e[b].left;
    if (along >= needed + 1 && std::abs(across) <= 0.6 * along) return at;
  }
}

bool left_out(const SceneObject& object) {
  return (object.colour == 0 && object.shape == 1) || (object.colour == 2 && object.shape == 0) ||
         (object.colour == 3 && object.shape == 2);
}

std::string words(const SceneObject& object) {
  return concat("a ", scene_sizes[object.size], " ", scene_colours[object.colour], " ", scene_shapes[object.shape]);
}

}  // namespace

std::string caption_of(const Scene& scene) {
  return concat(words(scene.first), " ", scene_relations[scene.relation], " ", words(scene.second));
}

Scene scene_of(const std::string& caption) {
  for (const Scene& scene : scenes(SceneKind::all)) {
    if (caption_words(caption_of(scene)) == caption_words(caption)) return scene;
  }
  throw UsageError("scenes: \"", caption,
                   "\" is not a scene; expects one like \"a large green triangle above a small red "
                   "circle\"");
}

std::vector<Scene> scenes(SceneKind kind) {
  std::vector<SceneObject> objects;
  for (Index size = 0; size < std::ssize(scene_sizes); ++size)
    for (Index colour = 0; colour < std::ssize(scene_colours); ++colour)
      for (Index shape = 0; shape < std::ssize(scene_shapes); ++shape) objects.push_back({size, colour, shape});
  std::vector<Scene> result;
  for (const SceneObject& first : objects) {
    for (const SceneObject& second : objects) {
      const bool unseen = left_out(first) || left_out(second);
      if (first.colour == second.colour) continue;
      if (kind != SceneKind::all && unseen != (kind == SceneKind::unseen)) continue;
      for (Index relation = 0; relation < std::ssize(scene_relations); ++relation)
        result.push_back({first, second, relation});
    }
  }
  return result;
}

// Two of the largest triangles fit beside each other.
double scene_area(Index size) { return size == 0 ? 64 : 25; }

std::span<const double, 3> rgb(Index colour) { return palette[colour]; }

std::vector<double> coverage(Index shape, double area, double x, double y) {
  constexpr int grid = 4;  // points in a pixel, each way
  const Extent e = extent(shape, area);
  std::vector<double> covered;
  for (Index row = 0; row < scene_side; ++row) {
    for (Index column = 0; column < scene_side; ++column) {
      int count = 0;
      for (int i = 0; i < grid * grid; ++i) {
        const double dx = column + (i % grid + 0.5) / grid - x, dy = row + (i / grid + 0.5) / grid - y;
        count += inside(shape, e, dx, dy);
      }
      covered.push_back(count / double(grid * grid));
    }
  }
  return covered;
}

std::vector<std::uint8_t> draw(const Scene& scene, const RandomKey& key) {
  const std::array objects = {scene.first, scene.second};
  std::array<double, 2> areas;
  std::array<Extent, 2> extents;
  for (Index i = 0; i < 2; ++i) {
    areas[i] = scene_area(objects[i].size) * (0.9 + 0.2 * uniform(key, i));
    extents[i] = extent(objects[i].shape, areas[i]);
  }
  const std::array<Place, 2> at = places(scene.relation, extents, key);
  std::vector<double> image(scene_side * scene_side * 3, white);
  for (Index i = 0; i < 2; ++i) {
    const std::vector<double> covered = coverage(objects[i].shape, areas[i], at[i].x, at[i].y);
    for (Index pixel = 0; pixel < std::ssize(covered); ++pixel) {
      for (Index c = 0; c < 3; ++c) {
        image[3 * pixel + c] = std::lerp(image[3 * pixel + c], palette[objects[i].colour][c], covered[pixel]);
      }
    }
  }
  std::vector<std::uint8_t> bytes;
  for (const double value : image) bytes.push_back(static_cast<std::uint8_t>(std::lround(value)));
  return bytes;
}

ImageSet scene_set(SceneKind kind, Index count, std::uint64_t seed) {
  if (count < 1) throw UsageError("scenes: expects at least 1 scene, got ", count);
  const std::vector<Scene> all = scenes(kind);
  ImageSet set;
  set.name = "scenes";
  set.source = concat("reverie, seed ", seed);
  set.licence = "public domain";
  set.count = count;
  set.height = set.width = scene_side;
  set.channels = 3;
  for (Index i = 0; i < count; ++i) {
    const RandomKey key = RandomKey{seed, Stream::toy}.with_sample(i);
    const Scene& scene = all[uniform_index(key.with_channel(1), std::ssize(all))];
    const std::vector<std::uint8_t> image = draw(scene, key);
    set.images.insert(set.images.end(), image.begin(), image.end());
    set.captions.push_back(caption_of(scene));
  }
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
