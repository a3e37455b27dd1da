#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/image_set.h"
#include "data/png.h"
#include "diffusion/uses/detect.h"

namespace reverie::inline REVERIE_PRECISION {

/// An image set with what `reverie detect` found. The file has, besides the images, labels and masks, the datasets
/// `maps` (float, N,H,W), `healed` (uint8, N,H,W,C), `scores` (double, N) and, with a threshold, `flags` (uint8, N: 1
/// where the score is above it); `scores` then has the attributes `threshold` and `alpha`.
struct DetectionSet : ImageSet {
  Detection found;
  std::optional<double> threshold;
  double alpha = 0;  ///< the promised share of false alarms

  std::vector<std::uint8_t> flags() const;

 protected:
  void write(Hdf5File& file) const override;
};

/// Whether each image is anomalous: of a class that isn't normal or, without labels or known normal classes, with a
/// mask that isn't empty. Empty if nothing says so.
std::vector<bool> anomalous(const ImageSet& set, const std::vector<std::string>& normal);

/// Draws images in rows of two: the highest scores on the left, typical ones (around the median) on the right; of each
/// the image, the healed one, the map, and the mask if there is one. The set must have maps.
Picture detection_picture(const DetectionSet& set);
/// The number of cells of that picture.
Index detection_cells(const ImageSet& set);

/// The AUROC of each anomalous class against all normal images, and the alarms, in lines. `sick` as from `anomalous`;
/// `by_class`: whether it is by class.
std::string image_table(const DetectionSet& set, const std::vector<bool>& sick, bool by_class);
/// How well the maps find the masks, in a line.
std::string pixel_table(const DetectionSet& set);
/// The share of all images whose score is above the threshold: "4.8% (43 of 900)".
std::string alarms(const DetectionSet& set);
std::string percent(double share);

}  // namespace reverie::inline REVERIE_PRECISION
