#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/nifti.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// A rectangle of voxels in a slice, in the volume's own directions: u becomes x of the image, v its y, upwards.
struct Rectangle {
  Index u, v, width, height;
};

/// The slices of a volume across an axis.
struct Slices {
  const Volume& volume;
  Index axis;
  Index u_axis() const { return axis == 0 ? 1 : 0; }
  Index v_axis() const { return axis == 2 ? 1 : 2; }
  Index count() const { return volume.size[axis]; }
  Index width() const { return volume.size[u_axis()]; }
  Index height() const { return volume.size[v_axis()]; }
  float at(Index slice, Index u, Index v) const {
    std::array<Index, 3> place{};
    place[axis] = slice;
    place[u_axis()] = u;
    place[v_axis()] = v;
    return volume.at(place[0], place[1], place[2]);
  }
  // The values of a rectangle, row by row from the top.
  std::vector<float> values(Index slice, const Rectangle& part) const {
    std::vector<float> out;
    for (Index v = part.v + part.height; v-- > part.v;)
      for (Index u = part.u; u < part.u + part.width; ++u) out.push_back(at(slice, u, v));
    return out;
  }
};

// The parts of a slice of this size that become images.
std::vector<Rectangle> parts_of(Index width, Index height, const NiftiOptions& options, const std::string& path) {
  const Index w = options.width > 0 ? options.width : width, h = options.height > 0 ? options.height : height;
  const Index least_w = std::max(w, options.patch), least_h = std::max(h, options.patch);
  if (least_w > width || least_h > height)
    throw Error(path, ": its slices are ", height, "x", width, ", smaller than ", least_h, "x", least_w);
  const Index u = (width - w) / 2, v = (height - h) / 2;
  if (options.patch == 0) return {{u, v, w, h}};
  std::vector<Rectangle> parts;
  for (Index dv = 0; dv + options.patch <= h; dv += options.stride)
    for (Index du = 0; du + options.patch <= w; du += options.stride)
      parts.push_back({u + du, v + dv, options.patch, options.patch});
  return parts;
}

std::uint8_t pixel(float value, const Window& window) {
  const double share = (value - window.low) / (window.high - window.low);
  return static_cast<std::uint8_t>(std::round(255 * std::clamp(share, 0.0, 1.0)));
}

void check(const std::vector<std::string>& volumes, const std::vector<std::string>& masks,
           const NiftiOptions& options) {
  if (volumes.empty()) throw UsageError("a volume is required");
  if (!masks.empty() && masks.size() != volumes.size())
    throw UsageError("expects a mask for each volume, got ", masks.size(), " for ", volumes.size(), " volumes");
  if (masks.empty() && options.filter != MaskFilter::all) throw UsageError("choosing by the mask requires masks");
  if (options.axis < 0 || options.axis > 2) throw UsageError("expects an axis from 0 to 2, got ", options.axis);
  if (options.every < 1) throw UsageError("expects every slice, every second, ..., got ", options.every);
  if (options.patch < 0 || (options.patch > 0 && options.stride < 1))
    throw UsageError("expects patches with a side and a stride of at least 1");
  if (!(options.brain >= 0 && options.brain <= 1))
    throw UsageError("expects a share of brain from 0 to 1, got ", options.brain);
}

}  // namespace

Window window_of(const Volume& volume, const std::string& text, const std::string& where) {
  std::vector<float> brain;
  const auto bound = [&](std::string_view word) {
    const bool percentile = word.starts_with('p');
    if (percentile) word.remove_prefix(1);
    double value = 0;
    const char* end = word.data() + word.size();
    const bool number = std::from_chars(word.data(), end, value) == std::from_chars_result{end, std::errc()};
    if (!number || !std::isfinite(value) || (percentile && !(value >= 0 && value <= 100)))
      throw UsageError("window ", text, ": expects LOW,HIGH, each a value or a percentile of the brain, e.g. 0,p99");
    if (!percentile) return value;
    if (brain.empty())
      std::copy_if(volume.values.begin(), volume.values.end(), std::back_inserter(brain),
                   [](float v) { return v > 0; });
    if (brain.empty()) throw Error(where, ": has no voxel above 0, so no percentile ", word);
    const auto place = brain.begin() + std::lround(value / 100 * static_cast<double>(brain.size() - 1));
    std::nth_element(brain.begin(), place, brain.end());
    return double{*place};
  };
  const std::size_t comma = text.find(',');
  const std::string_view whole = text;
  const Window window{bound(whole.substr(0, comma)), bound(comma == text.npos ? "" : whole.substr(comma + 1))};
  if (window.low >= window.high)
    throw UsageError("window ", text, ": is from ", window.low, " to ", window.high, " in ", where,
                     "; expects LOW < HIGH");
  return window;
}

GroupedImages read_nifti_images(const std::vector<std::string>& volumes, const std::vector<std::string>& masks,
                                const NiftiOptions& options) {
  check(volumes, masks, options);
  GroupedImages result;
  ImageSet& set = result.set;
  Tally left_out;
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const std::string& path = volumes[i];
    const Volume volume = read_nifti(path);
    const Volume mask = masks.empty() ? Volume() : read_nifti(masks[i]);
    if (!masks.empty() && mask.size != volume.size) {
      const auto& m = mask.size;
      const auto& v = volume.size;
      throw Error(masks[i], ": has ", m[0], "x", m[1], "x", m[2], " voxels, ", path, " has ", v[0], "x", v[1], "x",
                  v[2]);
    }
    const Window window = window_of(volume, options.window, path);
    const Slices slices{volume, options.axis}, of_mask{mask, options.axis};
    const std::vector<Rectangle> parts = parts_of(slices.width(), slices.height(), options, path);
    if (set.count > 0 && (parts[0].height != set.height || parts[0].width != set.width))
      throw Error(path, ": its slices are ", parts[0].height, "x", parts[0].width, ", those of ", volumes[0], " are ",
                  set.height, "x", set.width);
    for (Index slice = 0; slice < slices.count(); slice += options.every) {
      const std::string where = concat(path, ", slice ", slice);
      for (const Rectangle& part : parts) {
        const std::vector<float> values = slices.values(slice, part);
        const auto inside = std::count_if(values.begin(), values.end(), [](float v) { return v > 0; });
        if (static_cast<double>(inside) < options.brain * static_cast<double>(values.size())) {
          left_out.add(concat("with less than ", 100 * options.brain, "% brain"), where);
          continue;
        }
        const std::vector<float> marks = masks.empty() ? std::vector<float>() : of_mask.values(slice, part);
        const bool marked = std::any_of(marks.begin(), marks.end(), [](float v) { return v != 0; });
        if (options.filter == MaskFilter::without && marked) {
          left_out.add("with voxels in the mask", where);
          continue;
        }
        if (options.filter == MaskFilter::with && !marked) {
          left_out.add("without voxels in the mask", where);
          continue;
        }
        set.height = part.height;
        set.width = part.width;
        ++set.count;
        for (const float value : values) set.images.push_back(pixel(value, window));
        if (options.filter != MaskFilter::without)
          for (const float mark : marks) set.masks.push_back(mark != 0);
        result.groups.push_back(static_cast<Index>(i));
      }
    }
  }
  const std::string omitted = left_out.text();
  if (set.count == 0) throw Error(volumes[0], ": gives no images; left out: ", omitted);
  if (!omitted.empty()) options.note("left out: " + omitted);
  set.channels = 1;
  set.validate(volumes[0]);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
