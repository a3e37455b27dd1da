#pragma once
#include "data/picture_reader.h"
#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

struct CropOptions {
  Index crop = 0;                             ///< side of the squares, pixels; 0: the longer side of each box
  Index size = 0;                             ///< resamples the squares to this side; 0: `crop`
  Index channels = 0;                         ///< 1 or 3; 0: grey if all pictures are grey, else colour
  std::vector<std::string> class_names = {};  ///< of the labels 0, 1, ...; empty: the labels are the names
  std::vector<std::string> only = {};         ///< the classes to import; empty: all
  bool standardise = false;                   ///< gives each channel of each crop the same mean and spread
  Note note = [](const std::string&) {};      ///< called with a line about what was left out, and converted
};

/// Cuts squares around labelled points or boxes out of the pictures of a folder and its subfolders. The objects of
/// P.jpg are listed in P.txt (spaces), P.csv or P.tsv of the folder `labels`: a line `x y label` for each point, or `x0
/// y0 x1 y1 label` for each box, in pixels from the top left. A picture's crops are a group. Leaves out pictures
/// without a list, lists without a picture, squares that reach over the edge, objects that are listed twice and other
/// classes than `only`. Throws Error for a damaged picture, a line that is none of these, a class that isn't named, and
/// if nothing is left; UsageError for sizes that are missing.
GroupedImages read_crops(const std::string& folder, const std::string& labels, const CropOptions& options);

}  // namespace reverie::inline REVERIE_PRECISION
