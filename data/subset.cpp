#include "data/subset.h"

#include <numeric>

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

Subset::Subset(const Dataset& set, Index count) : set_(set) {
  if (count < 1) throw UsageError("subset: ", count, " samples; at least 1 is required");
  name = set.name;
  if (count < set.size()) {
    rows_ = permutation({.stream = Stream::subset}, set.size());
    rows_.resize(static_cast<std::size_t>(count));
  } else {
    rows_.resize(static_cast<std::size_t>(set.size()));
    std::iota(rows_.begin(), rows_.end(), Index{0});
  }
  class_names = set.class_names;
  for (const Index row : rows_) {
    if (!set.labels.empty()) labels.push_back(set.labels[row]);
    if (!set.captions.empty()) captions.push_back(set.captions[row]);
  }
}

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

}  // namespace reverie::inline REVERIE_PRECISION
