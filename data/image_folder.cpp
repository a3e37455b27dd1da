#include "data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "data/resample.h"
#include "data/table_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

bool has_picture_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// Walks over a folder and its subfolders.
struct Walk {
  fs::path top;
  Tally& left_out;
  std::vector<std::string> files = {};
  std::set<fs::path> seen = {};  ///< folders; a link may lead back to one

  // Returns the number of pictures in the folder and below.
  Index visit(const fs::path& folder, Index levels) {
    const std::size_t before = files.size();
    std::vector<fs::path> folders;
    std::error_code error;
    seen.insert(fs::weakly_canonical(folder, error));
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      std::error_code dangling;
      const fs::path& path = entry.path();
      const std::string name = path.lexically_relative(top).string();
      const fs::file_type type = entry.status(dangling).type();
      if (path.filename().string().starts_with('.')) {
        left_out.add("hidden", name);
      } else if (type == fs::file_type::directory) {
        folders.push_back(path);
      } else if (type == fs::file_type::not_found || type == fs::file_type::none) {
        left_out.add("links that lead nowhere", name);
      } else if (!has_picture_name(path)) {
        left_out.add("neither PNG nor JPEG", name);
      } else if (type != fs::file_type::regular) {
        left_out.add("pipes or devices", name);
      } else {
        files.push_back(name);
      }
    }
    if (error) throw Error(folder.string(), ": can't be read: ", error.message());
    std::sort(folders.begin(), folders.end());
    for (const fs::path& sub_folder : folders) {
      const std::string name = sub_folder.lexically_relative(top).string();
      if (levels == 0) {
        left_out.add("folders inside folders", name);
      } else if (seen.contains(fs::weakly_canonical(sub_folder, error))) {
        left_out.add("links to folders that are read already", name);
      } else if (visit(sub_folder, levels - 1) == 0) {
        left_out.add("folders without pictures", name);
      }
    }
    return static_cast<Index>(files.size() - before);
  }
};

/// A regular expression with a group.
class Pattern {
 public:
  Pattern(const char* what, const std::string& text) {
    try {
      pattern_.assign(text);
    } catch (const std::regex_error& error) {
      throw UsageError(what, " pattern \"", text, "\": is not a regular expression: ", error.what());
    }
    if (pattern_.mark_count() == 0)
      throw UsageError(what, " pattern \"", text, "\": expects a group in parentheses, which is the ", what);
  }
  std::optional<std::string> group_of(const std::string& name) const {
    std::smatch match;
    if (!std::regex_search(name, match, pattern_) || match[1].length() == 0) return std::nullopt;
    return match[1].str();
  }

 private:
  std::regex pattern_;
};

/// Files and, one per file, their classes if there are any.
struct Found {
  std::vector<std::string> files = {}, classes = {};
};

Found find_files(const std::string& folder, const ImageFolderOptions& options) {
  Tally left_out;
  Found found;
  std::optional<Pattern> pattern;
  if (!options.class_pattern.empty()) pattern.emplace("class", options.class_pattern);
  const std::vector<std::string> files = picture_files(folder, options.recursive ? all_levels : 1, left_out);
  const auto in_folder = [](const std::string& file) { return file.find('/') != file.npos; };
  const bool any_in_folder = std::any_of(files.begin(), files.end(), in_folder);
  for (const std::string& file : files) {
    if (pattern) {
      const auto name = pattern->group_of(fs::path(file).filename().string());
      if (!name) {
        left_out.add("whose name doesn't fit the class pattern", file);
        continue;
      }
      found.classes.push_back(*name);
    } else if (options.folders_are_classes && any_in_folder) {
      if (!in_folder(file))
        throw Error(folder, ": has pictures beside folders of pictures, so their class is unclear (first: ", file, ")");
      found.classes.push_back(file.substr(0, file.find('/')));
    }
    found.files.push_back(file);
  }
  const std::string omitted = left_out.text();
  if (found.files.empty()) {
    throw Error(folder, ": has no PNG or JPEG files, and no folders with such files",
                omitted.empty() ? "" : "; left out: ", omitted);
  }
  if (!omitted.empty()) options.note("left out: " + omitted);
  return found;
}

std::vector<std::string> read_captions(const std::vector<std::string>& files, const ImageFolderOptions& options) {
  const std::string& path = options.captions;
  std::map<std::string, std::string> captions;
  for (const TableRow& row : read_table(path)) {
    if (row.fields == std::vector<std::string>{"file", "caption"}) continue;
    if (row.fields.size() != 2) {
      throw Error(path, ": line ", row.line, " has ", row.fields.size(),
                  " fields, expects file,caption; a caption with commas stands in quotes");
    }
    if (!captions.emplace(fs::path(row.fields[0]).lexically_normal().string(), row.fields[1]).second)
      throw Error(path, ": line ", row.line, " is the second caption of ", row.fields[0]);
  }
  std::vector<std::string> result;
  for (const std::string& file : files) {
    const auto found = captions.find(file);
    if (found == captions.end()) throw Error(path, ": has no caption of ", file, "; each picture needs one");
    result.push_back(found->second);
    captions.erase(found);
  }
  if (!captions.empty()) {
    options.note(
        concat("left out: ", captions.size(), " captions without a picture (first: ", captions.begin()->first, ")"));
  }
  return result;
}

std::vector<Index> groups_of(const std::vector<std::string>& files, const std::string& pattern_text) {
  const Pattern pattern("group", pattern_text);
  std::vector<std::string> names;
  for (const std::string& file : files) {
    const auto name = pattern.group_of(file);
    if (!name) throw Error(file, ": doesn't fit the group pattern \"", pattern_text, "\"; each picture needs a group");
    names.push_back(*name);
  }
  return numbered(names);
}

void check(const std::string& folder, const ImageFolderOptions& options) {
  if ((options.height == 0) != (options.width == 0) || options.height < 0 || options.width < 0) {
    throw UsageError(folder, ": expects a height and a width above 0, or neither, got ", options.height, " x ",
                     options.width);
  }
  if (options.channels != 0 && options.channels != 1 && options.channels != 3)
    throw UsageError(folder, ": expects 1 or 3 channels, got ", options.channels);
  if (!options.captions.empty() && !options.captions.ends_with(".csv") && !options.captions.ends_with(".tsv"))
    throw UsageError(options.captions, ": expects captions in a file X.csv or X.tsv");
}

}  // namespace

std::vector<std::string> picture_files(const std::string& folder, Index levels, Tally& left_out) {
  if (!fs::is_directory(folder)) throw Error(folder, fs::exists(folder) ? ": is not a folder" : ": no such folder");
  Walk walk{folder, left_out};
  walk.visit(folder, levels);
  std::sort(walk.files.begin(), walk.files.end());
  return std::move(walk.files);
}

ImageSet image_set_of(const std::vector<Picture>& pictures, Index channels) {
  const bool colour = std::any_of(pictures.begin(), pictures.end(), [](const Picture& p) { return p.channels == 3; });
  ImageSet set;
  set.count = std::ssize(pictures);
  set.height = pictures.at(0).height;
  set.width = pictures[0].width;
  set.channels = channels != 0 ? channels : colour ? 3 : 1;
  for (const Picture& picture : pictures) {
    const Picture converted = with_channels(picture, set.channels);
    set.images.insert(set.images.end(), converted.pixels.begin(), converted.pixels.end());
  }
  return set;
}

GroupedImages read_image_folder(const std::string& folder, const ImageFolderOptions& options) {
  check(folder, options);
  PictureReader reader(options.range);
  const Found found = find_files(folder, options);
  GroupedImages result;
  if (!options.group_pattern.empty()) result.groups = groups_of(found.files, options.group_pattern);
  std::vector<std::string> captions;
  if (!options.captions.empty()) captions = read_captions(found.files, options);
  std::vector<Picture> pictures;
  for (const std::string& file : found.files) {
    const std::string path = (fs::path(folder) / file).string();
    Picture picture = reader.read(path, file);
    if (options.height > 0) picture = crop_and_resample(picture, options.height, options.width);
    if (!pictures.empty() && (picture.height != pictures[0].height || picture.width != pictures[0].width)) {
      throw Error(path, ": is ", picture.width, " x ", picture.height, " pixels, ", found.files[0], " is ",
                  pictures[0].width, " x ", pictures[0].height, "; give a size to resample them");
    }
    pictures.push_back(std::move(picture));
  }
  reader.tell(options.note);
  ImageSet& set = result.set;
  set = image_set_of(pictures, options.channels);
  set.captions = std::move(captions);
  set.labels = numbered(found.classes);
  set.class_names = distinct(found.classes);
  set.validate(folder);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
