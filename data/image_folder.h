#pragma once
#include "data/picture_reader.h"
#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

struct ImageFolderOptions {
  Index height = 0, width = 0;            ///< crops and resamples the images to this size; 0: leaves their size
  Index channels = 0;                     ///< 1 or 3; 0: grey if all files are grey, else colour
  std::optional<SampleRange> range = {};  ///< for 16-bit PNG files: the samples that become black and white
  bool recursive = false;                 ///< reads folders inside folders, at any depth
  bool folders_are_classes = true;        ///< false: an image in a folder has no class
  std::string class_pattern = {};         ///< a regular expression whose first group, in a file's name, is its class
  std::string group_pattern = {};         ///< one whose first group, in a file's path inside the folder, is its group
  std::string captions = {};              ///< a table of lines `file,caption`
  /// Called with a line about each kind of file that was left out, and each kind of conversion.
  Note note = [](const std::string&) {};
};

/// Reads the PNG and JPEG files of a folder and its subfolders, sorted by name. Each subfolder is a class of that name,
/// unless `options` say otherwise. Leaves out hidden files and folders, other formats, deeper folders, links that lead
/// nowhere, and files whose name doesn't fit the class pattern. Throws Error for a folder without pictures, pictures
/// beside subfolders of pictures, a damaged file, a picture without a caption or a group and, unless `options` give a
/// size, a file that differs in size from the first; UsageError for a pattern that is not a regular expression with a
/// group.
GroupedImages read_image_folder(const std::string& folder, const ImageFolderOptions& options = {});

/// Finds the PNG and JPEG files below a folder, sorted, by their paths inside it. Counts in `left_out` what it leaves
/// out. `levels` is how deep subfolders are read: 0 reads the folder alone. Throws Error if it isn't a folder.
std::vector<std::string> picture_files(const std::string& folder, Index levels, Tally& left_out);
inline constexpr Index all_levels = 1000;

/// Makes an image set of pictures of one size. `channels` 0: grey if all pictures are grey, else colour.
ImageSet image_set_of(const std::vector<Picture>& pictures, Index channels);

}  // namespace reverie::inline REVERIE_PRECISION
