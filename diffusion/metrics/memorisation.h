#pragma once
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Measures whether samples are copies of training images: compares their distances to the nearest training image with
/// those of held-out images, which can't be copies. Held-out images that are in the training set nevertheless are
/// counted and left out. After [Meehan20].
struct Memorisation {
  /// Distance of each image to the nearest training image, as the root mean square of differences; held_out without the
  /// images in the training set. If it is empty there is nothing to compare with, and what depends on it is 0.
  std::vector<double> samples = {}, held_out = {};
  Index sample_copies = 0, held_out_copies = 0;  ///< number of images that are in the training set, at distance 0
  double sample_median = 0, held_out_median = 0;
  double threshold = 0;  ///< the 1% quantile of held_out: its k-th smallest value, k = 1 + its size / 100, rounded down
  double nearly_copied = 0;  ///< the share of samples below the threshold
  /// The share to expect if the samples come from the same distribution as the held-out images: k / (n + 1) for n of
  /// them, because a new distance falls into each of the n + 1 gaps between theirs with equal probability.
  double expected = 0;
  Index nearest_sample = 0;  ///< the sample closest to a training image
  double nearest = 0;        ///< its distance
};

/// All sets are [n, sample shape] with at least one row each.
Memorisation memorisation(const Tensor& samples, const Tensor& held_out, const Tensor& training);
/// The same from the distances to the nearest training image.
Memorisation memorisation(std::vector<double> samples, std::vector<double> held_out);

/// The distance of each query to the nearest training image, as the root mean square of differences.
std::vector<double> nearest_in_training(const Tensor& queries, const Tensor& training);

/// The share of sample distances below the 1% quantile of held-out distances, as above; neither may be empty.
double share_nearly_copied(std::span<const double> samples, std::span<const double> held_out);

}  // namespace reverie::inline REVERIE_PRECISION
