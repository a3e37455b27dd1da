#pragma once
#include "data/image_set.h"
#include "data/png.h"

namespace reverie::inline REVERIE_PRECISION {

struct PngFolderOptions {
  Index height = 0, width = 0;  ///< the images are cropped and resampled to this size; 0 keeps theirs
  Index channels = 0;           ///< 1 or 3; 0: grey if all the files are grey, else colour
};

/// Reads a folder of PNG files in the order of their names. If there are folders in it, each is a class, named after
/// it, in order too. Throws Error for a folder without PNG files, one that has both files and folders with files, a
/// damaged file, and, unless a size is asked for, at the first file that is not as large as the first of all.
ImageSet read_png_folder(const std::string& folder, const PngFolderOptions& options = {});

/// Neighbouring pixels from `first` on, and which share of a new pixel each of them is.
struct PixelShare {
  Index first;
  std::vector<double> weights;
};
/// Along one axis: the stretch [begin, begin + length) of old pixels cut into `count` new ones, each a mean of the old
/// ones that it covers.
std::vector<PixelShare> area_shares(double begin, double length, Index count);

/// The largest part of the given proportions from the middle of the picture, resampled: each new pixel is the mean over
/// the area that it covers.
Picture crop_and_resample(const Picture& picture, Index height, Index width);

}  // namespace reverie::inline REVERIE_PRECISION
