#include "data/subset.h"

#include <numeric>

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

Tensor Subset::batch(std::span<const Index> indices) const {
  std::vector<Index> in_set;
  for (const Index i : indices) in_set.push_back(rows_[i]);
  return set_.batch(in_set);
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
