#include <algorithm>
#include <cmath>

#include "data/npy.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::vector<Index> labels_from(const NpyArray& array, Index count, std::size_t classes, const std::string& where) {
  if (array.extents != std::vector{count})
    throw Error(where, ": the labels have shape ", Shape(array.extents), ", expected ", Shape{count});
  constexpr double max_classes = 100'000;
  const double end = classes > 0 ? static_cast<double>(classes) : max_classes;
  std::vector<Index> labels;
  for (Index i = 0; i < count; ++i) {
    const double value = array.value(i);
    if (!(value >= 0 && value < end) || value != std::floor(value))
      throw Error(where, ": label ", i, " is ", value, ", expected a whole number from 0 to ", end - 1);
    labels.push_back(static_cast<Index>(value));
  }
  return labels;
}

}  // namespace

ImageSet images_from(const NpyArray& images, const NpyArray* labels, const NpyImageOptions& options,
                     const std::string& where) {
  if (!options.range.empty() && (options.range.size() != 2 || !(options.range[0] < options.range[1])))
    throw UsageError(where, ": expects a range with LOW < HIGH");
  if (labels == nullptr && !options.class_names.empty())
    throw UsageError(where, ": class names are given, but no labels");
  std::vector<Index> extents = images.extents;
  const bool grey = extents.size() == 3;
  if (grey) extents.insert(options.channels_first ? extents.begin() + 1 : extents.end(), 1);
  if (extents.size() != 4) {
    throw Error(where, ": the images have ", images.extents.size(), " axes, expected [N,H,W] or ",
                options.channels_first ? "[N,C,H,W]" : "[N,H,W,C]");
  }
  if (images.count() == 0) throw Error(where, ": has no images");
  const bool first = options.channels_first;
  ImageSet set;
  set.count = extents[0];
  set.height = extents[first ? 2 : 1];
  set.width = extents[first ? 3 : 2];
  set.channels = extents[first ? 1 : 3];
  const bool has_range = !options.range.empty();
  const double low = has_range ? options.range[0] : 0, high = has_range ? options.range[1] : 255;
  const Index size = set.height * set.width * set.channels, plane = set.height * set.width;
  set.images.reserve(images.bytes.size());
  for (Index i = 0; i < images.count(); ++i) {
    const Index image = i / size, rest = i % size, c = rest % set.channels, p = rest / set.channels;
    const double value = images.value(first ? image * size + c * plane + p : i);
    const bool fits = has_range ? std::isfinite(value) : value >= 0 && value <= 255 && value == std::floor(value);
    if (!fits) {
      throw Error(where, ": image ", image, " has the value ", value, "; expects ",
                  has_range ? "finite numbers" : "whole numbers from 0 to 255, or a range, e.g. --range 0 1");
    }
    const double share = std::clamp((value - low) / (high - low), 0.0, 1.0);
    set.images.push_back(static_cast<std::uint8_t>(std::lround(255 * share)));
  }
  if (labels != nullptr) {
    set.labels = labels_from(*labels, set.count, options.class_names.size(), where);
    set.class_names = options.class_names;
    const Index last = set.labels.empty() ? -1 : *std::max_element(set.labels.begin(), set.labels.end());
    for (Index k = std::ssize(set.class_names); k <= last; ++k) set.class_names.push_back(std::to_string(k));
  }
  set.validate(where);
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
