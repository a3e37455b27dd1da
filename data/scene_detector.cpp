#include "data/scene_detector.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index pixels = scene_side * scene_side;
constexpr double smallest = 10;  // pixels

// A pixel as white mixed with a colour: how much of it, 0 to 1, and the squared distance that is left.
struct Mixture {
  double share, rest;
};
Mixture mixture(const std::uint8_t* pixel, Index colour) {
  double along = 0, length = 0;
  for (Index c = 0; c < 3; ++c) {
    const double direction = rgb(colour)[c] - 255;
    along += (pixel[c] - 255) * direction;
    length += direction * direction;
  }
  const double share = std::clamp(along / length, 0.0, 1.0);
  double rest = 0;
  for (Index c = 0; c < 3; ++c) rest += std::pow(pixel[c] - 255 - share * (rgb(colour)[c] - 255), 2);
  return {share, rest};
}

// The colour of each pixel that is more than half covered, -1 for the others.
std::vector<Index> colours_of(std::span<const std::uint8_t> image) {
  std::vector<Index> colours(pixels, -1);
  for (Index i = 0; i < pixels; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (Index colour = 0; colour < std::ssize(scene_colours); ++colour) {
      const auto [share, rest] = mixture(&image[3 * i], colour);
      if (rest >= least) continue;
      least = rest;
      colours[i] = share > 0.5 ? colour : -1;
    }
  }
  return colours;
}

// The pixels connected to this one by sides, of its colour; they are taken out of `colours`.
std::vector<Index> region(std::vector<Index>& colours, Index start) {
  const Index colour = colours[start];
  std::vector<Index> found = {start};
  colours[start] = -1;
  for (std::size_t next = 0; next < found.size(); ++next) {
    const Index x = found[next] % scene_side, y = found[next] / scene_side;
    for (const auto& [dx, dy] : {std::pair<Index, Index>{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      if (x + dx < 0 || x + dx >= scene_side || y + dy < 0 || y + dy >= scene_side) continue;
      const Index beside = (y + dy) * scene_side + x + dx;
      if (colours[beside] != colour) continue;
      colours[beside] = -1;
      found.push_back(beside);
    }
  }
  return found;
}

FoundObject recognise(std::span<const std::uint8_t> image, Index colour, const std::vector<Index>& region) {
  std::vector<double> mask(pixels);  // of the region and the pixels around it, which it covers in part
  for (const Index pixel : region) {
    for (Index y = pixel / scene_side - 1; y <= pixel / scene_side + 1; ++y) {
      for (Index x = pixel % scene_side - 1; x <= pixel % scene_side + 1; ++x) {
        if (x < 0 || y < 0 || x >= scene_side || y >= scene_side) continue;
        mask[y * scene_side + x] = mixture(&image[3 * (y * scene_side + x)], colour).share;
      }
    }
  }
  double area = 0, x = 0, y = 0;
  for (Index i = 0; i < pixels; ++i) {
    area += mask[i];
    x += mask[i] * (i % scene_side + 0.5);
    y += mask[i] * (i / scene_side + 0.5);
  }
  x /= area;
  y /= area;
  Index best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (Index shape = 0; shape < std::ssize(scene_shapes); ++shape) {
    const std::vector<double> drawn = coverage(shape, area, x, y);
    double error = 0;
    for (Index i = 0; i < pixels; ++i) error += std::pow(mask[i] - drawn[i], 2);
    if (error >= least) continue;
    least = error;
    best = shape;
  }
  const bool large = area > std::sqrt(scene_area(0) * scene_area(1));
  return {{large ? 0 : 1, colour, best}, x, y};
}

bool holds(Index relation, const FoundObject& a, const FoundObject& b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  switch (relation) {
    case 0:
      return dy > std::abs(dx);
    case 1:
      return -dy > std::abs(dx);
    case 2:
      return dx > std::abs(dy);
    default:
      return -dx > std::abs(dy);
  }
}

}  // namespace

std::vector<FoundObject> find_objects(std::span<const std::uint8_t> image) {
  if (std::ssize(image) != 3 * pixels) throw ShapeError("scenes: ", image.size(), " values; expects [32,32,3]");
  std::vector<Index> colours = colours_of(image);
  std::vector<FoundObject> found;
  for (Index i = 0; i < pixels; ++i) {
    if (colours[i] < 0) continue;
    const Index colour = colours[i];
    const std::vector<Index> here = region(colours, i);
    if (std::ssize(here) >= smallest) found.push_back(recognise(image, colour, here));
  }
  return found;
}

SceneScore score(const Scene& scene, std::span<const std::uint8_t> image) {
  const std::vector<FoundObject> found = find_objects(image);
  const Index count = std::ssize(found);
  SceneScore best;
  const auto rank = [](const SceneScore& s) { return 2 * s.attributes() + (s.relation ? 1 : 0); };
  for (Index a = -1; a < count; ++a) {  // -1: missing
    for (Index b = -1; b < count; ++b) {
      if (a == b && a >= 0) continue;
      SceneScore here;
      for (const auto& [number, wanted] : {std::pair{a, scene.first}, {b, scene.second}}) {
        if (number < 0) continue;
        const SceneObject& object = found[number].object;
        here.right[0] += object.size == wanted.size;
        here.right[1] += object.colour == wanted.colour;
        here.right[2] += object.shape == wanted.shape;
      }
      here.relation = a >= 0 && b >= 0 && holds(scene.relation, found[a], found[b]);
      here.exact = here.attributes() == 6 && here.relation && count == 2;
      if (rank(here) > rank(best)) best = here;
    }
  }
  return best;
}

}  // namespace reverie::inline REVERIE_PRECISION
