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

// The PNG files, or the folders, directly in a folder, sorted.
std::vector<fs::path> entries(const fs::path& folder, bool folders) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (folders ? entry.is_directory() : entry.is_regular_file() && is_png(entry.path())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<PixelShare> area_shares(double begin, double length, Index count) {
  std::vector<PixelShare> shares;
  for (Index i = 0; i < count; ++i) {
    // Rounding may put the begin of the whole a hair below 0.
    const double low = std::max(0.0, begin + length * static_cast<double>(i) / static_cast<double>(count));
    const double high = low + length / static_cast<double>(count);
    PixelShare share{static_cast<Index>(std::floor(low)), {}};
    for (Index pixel = share.first; static_cast<double>(pixel) < high - 1e-9; ++pixel) {
      const double left = std::max(low, static_cast<double>(pixel)),
                   right = std::min(high, static_cast<double>(pixel + 1));
      share.weights.push_back((right - left) * static_cast<double>(count) / length);
    }
    shares.push_back(share);
  }
  return shares;
}

Picture crop_and_resample(const Picture& picture, Index height, Index width) {
  const auto old_h = static_cast<double>(picture.height), old_w = static_cast<double>(picture.width);
  const double scale = std::min(old_h / static_cast<double>(height), old_w / static_cast<double>(width));
  const double crop_h = scale * static_cast<double>(height), crop_w = scale * static_cast<double>(width);
  const auto rows = area_shares((old_h - crop_h) / 2, crop_h, height),
             columns = area_shares((old_w - crop_w) / 2, crop_w, width);
  Picture out(height, width, picture.channels);
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const PixelShare &row = rows[y], &column = columns[x];
      for (Index c = 0; c < picture.channels; ++c) {
        double sum = 0;
        for (std::size_t i = 0; i < row.weights.size(); ++i) {
          for (std::size_t j = 0; j < column.weights.size(); ++j) {
            const auto dy = static_cast<Index>(i), dx = static_cast<Index>(j);
            sum += row.weights[i] * column.weights[j] * picture.at(row.first + dy, column.first + dx)[c];
          }
        }
        out.at(y, x)[c] = static_cast<std::uint8_t>(std::clamp(std::round(sum), 0.0, 255.0));
      }
    }
  }
  return out;
}

ImageSet read_png_folder(const std::string& folder, const PngFolderOptions& options) {
  if (!fs::is_directory(folder)) throw Error(folder, ": there is no such folder");
  if ((options.height == 0) != (options.width == 0) || options.height < 0 || options.width < 0) {
    throw UsageError(folder, ": images of ", options.height, " x ", options.width,
                     " pixels; wants both above 0, or neither");
  }
  if (options.channels != 0 && options.channels != 1 && options.channels != 3) {
    throw UsageError(folder, ": images of ", options.channels, " channels; wants 1 or 3");
  }
  ImageSet set;
  std::vector<fs::path> files = entries(folder, false);
  const bool flat = !files.empty();
  for (const fs::path& sub_folder : entries(folder, true)) {
    const auto of_class = entries(sub_folder, false);
    if (of_class.empty()) continue;
    if (flat) throw Error(folder, ": has PNG files beside folders of PNG files: which class are they?");
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
                  pictures[0].width, " x ", pictures[0].height, ": ask for one size, and they are resampled");
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
