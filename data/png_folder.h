#pragma once
#include <functional>

#include "data/image_set.h"
#include "data/png.h"

namespace reverie::inline REVERIE_PRECISION {

struct PngFolderOptions {
  Index height = 0, width = 0;            ///< crops and resamples the images to this size; 0: leaves their size
  Index channels = 0;                     ///< 1 or 3; 0: grey if all files are grey, else colour
  std::optional<SampleRange> range = {};  ///< for 16-bit files: the samples that become black and white
  /// Called with a line about each kind of file that was left out, and each kind of conversion.
  std::function<void(const std::string&)> note = [](const std::string&) {};
};

/// Reads the PNG files of a folder, sorted by name. If they are in subfolders, each subfolder is a class of that name.
/// Leaves out hidden files and folders, other formats, folders inside classes and links that lead nowhere. Throws Error
/// for a folder without PNG files, PNG files beside subfolders with PNG files, a damaged file, and, unless `options`
/// give a size, a file that differs in size from the first.
ImageSet read_png_folder(const std::string& folder, const PngFolderOptions& options = {});

/// The old pixels that a new pixel averages, along one axis: from `first` on, with these weights.
struct PixelWeights {
  Index first;
  std::vector<double> weights;
};
/// Computes the weights for area resampling along one axis: cuts the interval [begin, begin + length) of old pixels
/// into `count` new ones, each the mean over its part.
std::vector<PixelWeights> area_weights(double begin, double length, Index count);

/// Crops the centre of the picture to the proportions height : width, then resamples it: each new pixel is the mean
/// over the area that it covers.
Picture crop_and_resample(const Picture& picture, Index height, Index width);

}  // namespace reverie::inline REVERIE_PRECISION
