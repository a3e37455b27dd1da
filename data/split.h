#pragma once
#include <span>
#include <utility>

#include "data/image_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// An image set and the group of each image (a patient, a slide), which a split must not cut.
struct GroupedImages {
  ImageSet set;
  std::vector<Index> groups = {};  ///< numbers from 0, one per image; empty: each image is a group of its own
};

/// Splits a set into images for training and held-out ones, about `share` of all, drawn at random; the seed decides.
/// Both parts list the same classes and keep the order of the images. Groups stay whole; a class with images in few
/// groups may be missing from one of the parts (`missing_classes`). Without groups, each class gives its share, as
/// nearly as whole images allow, but an image stays in training if no other there is of its class or has one of its
/// caption's words; so the held-out part may be smaller, even empty. Throws UsageError unless 0 < share < 1, and for a
/// set of one image or of one group.
std::pair<ImageSet, ImageSet> split_validation(ImageSet set, std::span<const Index> groups, double share,
                                               std::uint64_t seed);

/// The names of the classes that have no sample in a set.
std::vector<std::string> missing_classes(const Dataset& set);

/// The set in a random order, which the seed decides.
ImageSet shuffled(const ImageSet& set, std::uint64_t seed);

/// The names without repetition, sorted; by value if all are whole numbers.
std::vector<std::string> distinct(std::vector<std::string> names);
/// The position of each name among the distinct names.
std::vector<Index> numbered(const std::vector<std::string>& names);

}  // namespace reverie::inline REVERIE_PRECISION
