#include "data/png_folder.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

bool is_png(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" && path.filename().string()[0] != '.';
}

// Returns the PNG files or the subfolders of a folder, sorted.
std::vector<fs::path> entries(const fs::path& folder, bool folders) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (folders ? entry.is_directory() : entry.is_regular_file() && is_png(entry.path())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<PixelWeights> area_weights(double begin, double length, Index count) {
  std::vector<PixelWeights> all;
  for (Index i = 0; i < count; ++i) {
    // Rounding may put the first low slightly below 0.
    const double low = std::max(0.0, begin + length * i / count), high = low + length / count;
    const Index first = std::floor(low);
    PixelWeights pixel{first, {}};
    for (Index old = first; old < high - 1e-9; ++old) {
      const double left = std::max(low, double(old)), right = std::min(high, double(old + 1));
      pixel.weights.push_back((right - left) * count / length);
    }
    all.push_back(pixel);
  }
  return all;
}

Picture crop_and_resample(const Picture& picture, Index height, Index width) {
  const double old_h = picture.height, old_w = picture.width;
  const double scale = std::min(old_h / height, old_w / width), crop_h = scale * height, crop_w = scale * width;
  const auto rows = area_weights((old_h - crop_h) / 2, crop_h, height),
             columns = area_weights((old_w - crop_w) / 2, crop_w, width);
  Picture out(height, width, picture.channels);
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const PixelWeights &row = rows[y], &column = columns[x];
      for (Index c = 0; c < picture.channels; ++c) {
        double sum = 0;
        for (Index i = 0; i < std::ssize(row.weights); ++i) {
          for (Index j = 0; j < std::ssize(column.weights); ++j) {
            sum += row.weights[i] * column.weights[j] * picture.at(row.first + i, column.first + j)[c];
          }
        }
        out.at(y, x)[c] = std::clamp(std::round(sum), 0.0, 255.0);
      }
    }
  }
  return out;
}

ImageSet read_png_folder(const std::string& folder, const PngFolderOptions& options) {
  if (!fs::is_directory(folder)) throw Error(folder, fs::exists(folder) ? ": is not a folder" : ": no such folder");
  if ((options.height == 0) != (options.width == 0) || options.height < 0 || options.width < 0) {
    throw UsageError(folder, ": expects a height and a width above 0, or neither, got ", options.height, " x ",
                     options.width);
  }
  if (options.channels != 0 && options.channels != 1 && options.channels != 3) {
    throw UsageError(folder, ": expects 1 or 3 channels, got ", options.channels);
  }
  ImageSet set;
  std::vector<fs::path> files = entries(folder, false);
  const bool flat = !files.empty();
  for (const fs::path& sub_folder : entries(folder, true)) {
    const auto of_class = entries(sub_folder, false);
    if (of_class.empty()) continue;
    if (flat) throw Error(folder, ": has PNG files beside folders of PNG files, so their class is unclear");
    set.labels.insert(set.labels.end(), of_class.size(), std::ssize(set.class_names));
    set.class_names.push_back(sub_folder.filename().string());
    files.insert(files.end(), of_class.begin(), of_class.end());
  }
  if (files.empty()) throw Error(folder, ": has no PNG files, and no folders with PNG files");

  std::vector<Picture> pictures;
  for (const fs::path& file : files) {
    Picture picture = read_png(file.string());
    if (options.height > 0) picture = crop_and_resample(picture, options.height, options.width);
    if (!pictures.empty() && (picture.height != pictures[0].height || picture.width != pictures[0].width)) {
      throw Error(file.string(), ": is ", picture.width, " x ", picture.height, " pixels, ", files[0].string(), " is ",
                  pictures[0].width, " x ", pictures[0].height, "; give a size to resample them");
    }
    pictures.push_back(std::move(picture));
  }
  const bool colour = std::any_of(pictures.begin(), pictures.end(), [](const Picture& p) { return p.channels == 3; });
  set.count = std::ssize(pictures);
  set.height = pictures[0].height;
  set.width = pictures[0].width;
  set.channels = options.channels != 0 ? options.channels : colour ? 3 : 1;
  for (const Picture& picture : pictures) {
    const Picture converted = with_channels(picture, set.channels);
    set.images.insert(set.images.end(), converted.pixels.begin(), converted.pixels.end());
  }
  set.validate(folder);
  return set;
}

}  // namespace reverie::inline REVERIE_PRECISION
