#include "data/crops.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "data/image_folder.h"
#include "data/resample.h"
#include "data/table_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

std::optional<double> number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const bool whole = std::from_chars(text.data(), end, value) == std::from_chars_result{end, std::errc()};
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// A labelled box; a point is a box without extent.
struct Object {
  double x0, y0, x1, y1;
  std::string label;
  Index line;
  bool is_point() const { return x0 == x1 && y0 == y1; }
};

std::vector<Object> read_objects(const std::string& path) {
  std::vector<Object> objects;
  bool first = true;
  for (const TableRow& row : read_table(path)) {
    const std::vector<std::string>& fields = row.fields;
    std::vector<double> places;
    for (std::size_t i = 0; i + 1 < fields.size(); ++i)
      if (const auto value = number(fields[i])) places.push_back(*value);
    const bool heading = std::exchange(first, false) && places.empty() && fields.size() > 1;
    if (heading) continue;
    const bool point = places.size() == 2 && fields.size() == 3, box = places.size() == 4 && fields.size() == 5;
    if (!point && !box)
      throw Error(path, ": line ", row.line, " is neither `x y label` nor `x0 y0 x1 y1 label`, with finite numbers");
    if (fields.back().empty()) throw Error(path, ": line ", row.line, " has no label");
    const Object object{places[0], places[1], places[box ? 2 : 0], places[box ? 3 : 1], fields.back(), row.line};
    if (box && (object.x0 >= object.x1 || object.y0 >= object.y1))
      throw Error(path, ": line ", row.line, " is a box without extent; expects x0 < x1 and y0 < y1");
    objects.push_back(object);
  }
  return objects;
}

/// The lists in a folder by the names of their pictures, without suffix.
std::map<std::string, std::string> find_lists(const std::string& folder) {
  if (!fs::is_directory(folder)) throw Error(folder, fs::exists(folder) ? ": is not a folder" : ": no such folder");
  std::map<std::string, std::string> lists;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, error)) {
    fs::path name = entry.path().lexically_relative(folder);
    const std::string suffix = name.extension().string();
    if ((suffix != ".txt" && suffix != ".csv" && suffix != ".tsv") || name.filename().string().starts_with('.'))
      continue;
    const auto [other, added] = lists.emplace(name.replace_extension().string(), entry.path().string());
    if (!added) throw Error(entry.path().string(), ": stands beside ", other->second, ", for the same picture");
  }
  if (error) throw Error(folder, ": can't be read: ", error.message());
  return lists;
}

/// Names of classes, and which of them are imported.
class Classes {
 public:
  explicit Classes(const CropOptions& options) : options_(options) {
    for (const std::string& name : options.only) {
      if (!options.class_names.empty() && !among(options.class_names, name))
        throw UsageError("there is no class \"", name, "\" among the names of the classes");
    }
  }
  // The name of a label's class.
  std::string name_of(const std::string& label, const std::string& where) const {
    const std::vector<std::string>& names = options_.class_names;
    if (names.empty() || among(names, label)) return label;
    const auto value = number(label);
    if (!value || *value < 0 || *value != std::floor(*value) || *value >= static_cast<double>(names.size())) {
      throw Error(where, ": the label ", label, " is neither the name of a class nor a number from 0 to ",
                  names.size() - 1);
    }
    return names[static_cast<std::size_t>(*value)];
  }
  bool imported(const std::string& name) const { return options_.only.empty() || among(options_.only, name); }
  // All classes of the set, in order, if its images are of these.
  std::vector<std::string> list(const std::vector<std::string>& of_images) const {
    return !options_.only.empty()          ? options_.only
           : !options_.class_names.empty() ? options_.class_names
                                           : distinct(of_images);
  }

 private:
  static bool among(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  const CropOptions& options_;
};

// Gives each channel the mean 127.5 and the standard deviation 42.5, so that three deviations reach black and white.
void standardise(Picture& picture) {
  const Index pixels = picture.height * picture.width;
  for (Index c = 0; c < picture.channels; ++c) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < pixels; ++i) {
      const double value = picture.pixels[i * picture.channels + c];
      sum += value;
      squares += value * value;
    }
    const double mean = sum / static_cast<double>(pixels);
    const double deviation = std::sqrt(std::max(squares / static_cast<double>(pixels) - mean * mean, 1e-6));
    for (Index i = 0; i < pixels; ++i) {
      std::uint8_t& value = picture.pixels[i * picture.channels + c];
      value = static_cast<std::uint8_t>(std::clamp(std::round(127.5 + 42.5 * (value - mean) / deviation), 0.0, 255.0));
    }
  }
}

}  // namespace

GroupedImages read_crops(const std::string& folder, const std::string& labels, const CropOptions& options) {
  const Classes classes(options);
  Tally left_out;
  PictureReader reader;
  std::map<std::string, std::string> lists = find_lists(labels);
  std::vector<Picture> crops;
  std::vector<std::string> names;
  GroupedImages result;
  Index pictures = 0;
  for (const std::string& file : picture_files(folder, all_levels, left_out)) {
    const auto list = lists.find(fs::path(file).replace_extension().string());
    if (list == lists.end()) {
      left_out.add("pictures without a list of labels", file);
      continue;
    }
    const std::vector<Object> objects = read_objects(list->second);
    if (objects.empty()) left_out.add("pictures with an empty list", file);
    const Picture picture = reader.read((fs::path(folder) / file).string(), file);
    std::set<std::array<double, 4>> seen;
    for (const Object& object : objects) {
      const std::string where = concat(list->second, ": line ", object.line);
      const std::string line =
          concat(fs::path(list->second).lexically_relative(labels).string(), ": line ", object.line);
      const std::string name = classes.name_of(object.label, where);
      if (object.is_point() && options.crop == 0)
        throw UsageError(where, ": is a point; a size of crops is required (--crop)");
      const double side =
          options.crop > 0 ? static_cast<double>(options.crop) : std::max(object.x1 - object.x0, object.y1 - object.y0);
      const double left = (object.x0 + object.x1 - side) / 2, top = (object.y0 + object.y1 - side) / 2;
      if (!classes.imported(name)) {
        left_out.add("of other classes", line);
      } else if (!seen.insert({object.x0, object.y0, object.x1, object.y1}).second) {
        left_out.add("listed twice", line);
      } else if (left < 0 || top < 0 || left + side > static_cast<double>(picture.width) ||
                 top + side > static_cast<double>(picture.height)) {
        left_out.add("over the edge", line);
      } else {
        const Index size = options.size > 0 ? options.size : options.crop;
        if (size == 0) throw UsageError(where, ": boxes differ in size; a size of the images is required (--size)");
        crops.push_back(resample(picture, {top, left, side, side}, size, size));
        if (options.standardise) standardise(crops.back());
        names.push_back(name);
        result.groups.push_back(pictures);
      }
    }
    lists.erase(list);
    if (!result.groups.empty() && result.groups.back() == pictures) ++pictures;
  }
  for (const auto& [name, path] : lists)
    left_out.add("lists of labels without a picture", fs::path(path).lexically_relative(labels).string());
  const std::string omitted = left_out.text();
  if (crops.empty()) throw Error(folder, ": gives no crops", omitted.empty() ? "" : "; left out: ", omitted);
  if (!omitted.empty()) options.note("left out: " + omitted);
  reader.tell(options.note);
  result.set = image_set_of(crops, options.channels);
  result.set.class_names = classes.list(names);
  for (const std::string& name : names) {
    const auto& all = result.set.class_names;
    result.set.labels.push_back(std::find(all.begin(), all.end(), name) - all.begin());
  }
  result.set.validate(folder);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
