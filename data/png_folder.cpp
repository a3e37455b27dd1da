#include "data/png_folder.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

/// Counts by reason, with the name of the first file or folder.
class Tally {
 public:
  void add(const char* reason, const fs::path& name) {
    auto& [count, first] = counts_[reason];
    if (count++ == 0) first = name.string();
  }
  /// "2 hidden (first: .cache), 1 not PNG (first: a.jpg)"; empty if there are none.
  std::string text() const {
    std::string text;
    for (const auto& [reason, entry] : counts_)
      text += concat(text.empty() ? "" : ", ", entry.first, " ", reason, " (first: ", entry.second, ")");
    return text;
  }

 private:
  std::map<std::string, std::pair<Index, std::string>> counts_;
};

bool is_png(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png";
}

/// The content of a folder, sorted.
struct Content {
  std::vector<fs::path> files, folders;  // PNG files; folders, but for hidden ones
};

Content content_of(const fs::path& folder, const fs::path& top, Tally& left_out) {
  Content content;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code dangling;
    const fs::path& path = entry.path();
    const fs::path name = path.lexically_relative(top);
    const fs::file_type type = entry.status(dangling).type();
    if (path.filename().string().starts_with('.')) {
      left_out.add("hidden", name);
    } else if (type == fs::file_type::directory) {
      content.folders.push_back(path);
    } else if (type == fs::file_type::not_found || type == fs::file_type::none) {
      left_out.add("links that lead nowhere", name);
    } else if (!is_png(path)) {
      left_out.add("not PNG", name);
    } else if (type != fs::file_type::regular) {
      left_out.add("pipes or devices", name);
    } else {
      content.files.push_back(path);
    }
  }
  if (error) throw Error(folder.string(), ": can't be read: ", error.message());
  std::sort(content.files.begin(), content.files.end());
  std::sort(content.folders.begin(), content.folders.end());
  return content;
}

/// Finds the PNG files of a folder, and their classes if they are in subfolders. Notes what it leaves out.
std::vector<fs::path> find_files(const std::string& folder, ImageSet& set, const PngFolderOptions& options) {
  Tally left_out;
  Content top = content_of(folder, folder, left_out);
  std::vector<fs::path> files = std::move(top.files);
  const bool flat = !files.empty();
  for (const fs::path& sub_folder : top.folders) {
    const Content of_class = content_of(sub_folder, folder, left_out);
    for (const fs::path& deeper : of_class.folders)
      left_out.add("folders inside classes", deeper.lexically_relative(folder));
    if (of_class.files.empty()) {
      left_out.add("folders without PNG files", sub_folder.filename());
      continue;
    }
    if (flat) throw Error(folder, ": has PNG files beside folders of PNG files, so their class is unclear");
    set.labels.insert(set.labels.end(), of_class.files.size(), std::ssize(set.class_names));
    set.class_names.push_back(sub_folder.filename().string());
    files.insert(files.end(), of_class.files.begin(), of_class.files.end());
  }
  const std::string omitted = left_out.text();
  if (files.empty()) {
    throw Error(folder, ": has no PNG files, and no folders with PNG files",
                omitted.empty() ? "" : "; left out: ", omitted);
  }
  if (!omitted.empty()) options.note("left out: " + omitted);
  return files;
}

/// What reading the files changed.
class Conversions {
 public:
  void add(const PngFile& file, const fs::path& name) {
    if (file.bits == 16) {
      changes_.add("of 16 bits, reduced to 8", name);
      low_ = std::min(low_, file.low);
      high_ = std::max(high_, file.high);
    }
    if (file.blended) changes_.add("with transparent pixels, blended with white", name);
    if (file.gamma) changes_.add("with another gamma, converted to sRGB's", name);
    if (file.profile) changes_.add("with a colour profile, which is ignored", name);
    if (file.animated) changes_.add("animated; the first picture is taken", name);
    if (file.outside > 0) changes_.add("with samples outside the range, which are clipped", name);
  }

  void tell(const PngFolderOptions& options) const {
    if (const std::string text = changes_.text(); !text.empty()) options.note("converted: " + text);
    constexpr Index few = 64;
    const auto level = [](Index sample) { return (sample + 128) / 257; };
    if (options.range || high_ < low_ || level(high_) - level(low_) >= few) return;
    options.note(concat("the 16-bit samples are from ", low_, " to ", high_, " of 65535, which is at most ",
                        level(high_) - level(low_) + 1, " of 256 levels; a range spreads them (--range 0 ",
                        std::bit_ceil(static_cast<std::uint64_t>(high_) + 1) - 1, ")"));
  }

 private:
  Tally changes_;
  Index low_ = 65535, high_ = 0;
};

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
  if (options.range && options.range->low >= options.range->high) {
    throw UsageError(folder, ": expects a range with LOW < HIGH, got ", options.range->low, " ", options.range->high);
  }
  if (options.channels != 0 && options.channels != 1 && options.channels != 3) {
    throw UsageError(folder, ": expects 1 or 3 channels, got ", options.channels);
  }
  ImageSet set;
  const std::vector<fs::path> files = find_files(folder, set, options);
  Conversions conversions;
  std::vector<Picture> pictures;
  for (const fs::path& file : files) {
    PngFile png = read_png_file(file.string(), options.range);
    conversions.add(png, file.lexically_relative(folder));
    Picture picture = std::move(png.picture);
    if (options.height > 0) picture = crop_and_resample(picture, options.height, options.width);
    if (!pictures.empty() && (picture.height != pictures[0].height || picture.width != pictures[0].width)) {
      throw Error(file.string(), ": is ", picture.width, " x ", picture.height, " pixels, ", files[0].string(), " is ",
                  pictures[0].width, " x ", pictures[0].height, "; give a size to resample them");
    }
    pictures.push_back(std::move(picture));
  }
  conversions.tell(options);
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
