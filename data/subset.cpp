#include "data/subset.h"

#include <algorithm>
#include <numeric>

#include "data/classes.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

namespace {

// The first `count` numbers of a random order; all in their own order if there are no more.
std::vector<Index> random_rows(Index size, Index count) {
  if (count < 1) throw UsageError("subset: ", count, " samples; at least 1 is required");
  std::vector<Index> rows;
  if (count < size) {
    rows = permutation({.stream = Stream::subset}, size);
    rows.resize(static_cast<std::size_t>(count));
  } else {
    rows.resize(static_cast<std::size_t>(size));
    std::iota(rows.begin(), rows.end(), Index{0});
  }
  return rows;
}

}  // namespace

Subset::Subset(const Dataset& set, std::vector<Index> rows) : set_(set), rows_(std::move(rows)) {
  name = set.name;
  class_names = set.class_names;
  for (const Index row : rows_) {
    if (!set.labels.empty()) labels.push_back(set.labels[row]);
    if (!set.captions.empty()) captions.push_back(set.captions[row]);
  }
}

Subset::Subset(const Dataset& set, Index count) : Subset(set, random_rows(set.size(), count)) {}

Subset Subset::of_each_class(const Dataset& set, Index count, std::uint64_t seed) {
  if (count < 1) throw UsageError("subset: ", count, " samples of each class; at least 1 is required");
  if (set.labels.empty()) throw UsageError("subset: the set has no labels; expects classes to take samples of each");
  std::vector<Index> rows, counts(set.class_names.size());
  for (const Index row : permutation({.seed = seed, .stream = Stream::subset}, set.size())) {
    if (Index& taken = counts[set.labels[row]]; taken < count) {
      ++taken;
      rows.push_back(row);
    }
  }
  const auto few = std::min_element(counts.begin(), counts.end());
  if (*few < count) {
    throw UsageError("subset: ", count, " samples of each class; ", set.name.empty() ? "the set" : printable(set.name),
                     " has only ", *few, " of class \"", set.class_names[few - counts.begin()], '"');
  }
  return {set, std::move(rows)};
}

Tensor Subset::batch(std::span<const Index> indices) const {
  std::vector<Index> in_set;
  for (const Index i : indices) in_set.push_back(rows_[i]);
  return set_.batch(in_set);
}

Joined::Joined(const Dataset& first, const std::string& whose_first, const Dataset& second,
               const std::string& whose_second, Index times)
    : first_(first), second_(second), times_(times) {
  if (first.sample_shape() != second.sample_shape()) {
    throw UsageError(whose_second, ": has samples of shape ", second.sample_shape(), ", ", whose_first, " has ",
                     first.sample_shape());
  }
  name = first.name;
  class_names = first.class_names;
  if (class_names.empty() && second.class_names.empty()) return;
  if (first.labels.empty()) throw UsageError(whose_first, ": has no labels; expects the classes of ", whose_second);
  const std::vector<Index> others = labels_among(second, whose_second, class_names, whose_first);
  for (Index i = 0; i < times; ++i) labels.insert(labels.end(), first.labels.begin(), first.labels.end());
  labels.insert(labels.end(), others.begin(), others.end());
}

Tensor Joined::batch(std::span<const Index> indices) const {
  const Index border = times_ * first_.size();
  std::vector<Index> of_first, of_second;
  for (const Index i : indices) {
    if (i < border) {
      of_first.push_back(i % first_.size());
    } else {
      of_second.push_back(i - border);
    }
  }
  if (of_second.empty()) return first_.batch(of_first);
  if (of_first.empty()) return second_.batch(of_second);
  const Tensor a = first_.batch(of_first), b = second_.batch(of_second);
  Tensor out = Tensor::uninitialized(a.shape().with(0, std::ssize(indices)));
  Index next_a = 0, next_b = 0;
  for (Index row = 0; row < std::ssize(indices); ++row) {
    const bool first = indices[row] < border;
    Index& next = first ? next_a : next_b;
    out.rows(row, row + 1).copy_from((first ? a : b).rows(next, next + 1));
    ++next;
  }
  return out;
}

Index times_for_half(const Dataset& first, const Dataset& second) {
  return std::max<Index>(1, (second.size() + first.size() / 2) / first.size());
}

Tensor samples_of(const Dataset& set, Index first, Index last) {
  std::vector<Index> indices(static_cast<std::size_t>(last - first));
  std::iota(indices.begin(), indices.end(), first);
  return set.batch(indices);
}

ImageSet images_of(const ImageSet& set, std::span<const Index> rows) {
  ImageSet out;
  out.name = set.name;
  out.source = set.source;
  out.licence = set.licence;
  out.class_names = set.class_names;
  out.count = std::ssize(rows);
  out.height = set.height;
  out.width = set.width;
  out.channels = set.channels;
  const Index pixels = set.height * set.width, size = pixels * set.channels;
  for (const Index row : rows) {
    const auto image = set.images.begin() + row * size;
    out.images.insert(out.images.end(), image, image + size);
    if (!set.labels.empty()) out.labels.push_back(set.labels[row]);
    if (!set.captions.empty()) out.captions.push_back(set.captions[row]);
    if (set.masks.empty()) continue;
    const auto mask = set.masks.begin() + row * pixels;
    out.masks.insert(out.masks.end(), mask, mask + pixels);
  }
  return out;
}

}  // namespace reverie::inline REVERIE_PRECISION
