#pragma once
#include <array>

#include "data/picture_reader.h"
#include "data/split.h"

namespace reverie::inline REVERIE_PRECISION {

/// A volume of finite values; x runs fastest.
struct Volume {
  std::array<Index, 3> size = {};  ///< x, y, z
  std::vector<float> values;

  float at(Index x, Index y, Index z) const { return values[x + size[0] * (y + size[1] * z)]; }
};

/// Reads a NIfTI-1 file of three dimensions, plain or gzipped (X.nii, X.nii.gz), of whole numbers of 8 to 32 bits or
/// real numbers, in either byte order, scaled as its header says. Throws Error for a file that is missing, damaged,
/// truncated or of another kind, claims more voxels than its bytes can hold, or has a voxel that is not finite.
Volume read_nifti(const std::string& path);

/// The values of a volume that become black and white.
struct Window {
  double low, high;
};
/// Resolves "LOW,HIGH", where each is a value or a percentile such as p99 of the voxels above 0 (in a volume without
/// skull: of the brain). Throws UsageError for another text and unless LOW < HIGH.
Window window_of(const Volume& volume, const std::string& text, const std::string& where);

/// Which slices or patches are imported: all, those without a voxel in the mask, or those with one.
enum class MaskFilter { all, without, with };

struct NiftiOptions {
  Index axis = 2;                ///< across the slices: 0 (x), 1 (y) or 2 (z)
  Index every = 1;               ///< imports the slices 0, `every`, 2 `every`, ...
  Index patch = 0, stride = 0;   ///< cuts squares of this side, at these distances; 0: whole slices
  Index height = 0, width = 0;   ///< cuts the centre of each slice to this size; 0: leaves its size
  std::string window = "0,p99";  ///< see window_of
  double brain = 0;              ///< the least share of voxels above 0
  MaskFilter filter = MaskFilter::all;
  Note note = [](const std::string&) {};  ///< called with a line about what was left out
};

/// Makes grey images of volumes, in order; those of one volume are a group. Slices show x (of slices across x: y) from
/// left to right and z (of slices across z: y) upwards. `masks`, one per volume or none: volumes whose voxels other
/// than 0 become the set's masks (1), except with MaskFilter::without. Throws Error for a bad file, volumes whose
/// slices differ in size, a mask of another size than its volume, and if nothing is left.
GroupedImages read_nifti_images(const std::vector<std::string>& volumes, const std::vector<std::string>& masks,
                                const NiftiOptions& options);

}  // namespace reverie::inline REVERIE_PRECISION
