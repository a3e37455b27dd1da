#include "data/loader.h"

#include <algorithm>

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Mirrors an image [H,W,C] left to right.
void mirror(Tensor image) {
  const Index height = image.extent(1), width = image.extent(2), channels = image.extent(3);
  for (Index y = 0; y < height; ++y) {
    real* row = image.data() + y * width * channels;
    for (Index left = 0, right = width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
    }
  }
}

}  // namespace

Loader::Loader(const Dataset& dataset, Index batch_size, std::uint64_t seed, bool flip)
    : dataset_(dataset), batch_size_(batch_size), seed_(seed), flip_(flip) {
  const Index size = dataset.size(), labels = std::ssize(dataset.labels);
  if (size < 1) throw UsageError("loader: the dataset has no samples");
  if (labels != 0 && labels != size)
    throw UsageError("loader: the dataset has ", labels, " labels for ", size, " samples");
  if (batch_size < 1) throw UsageError("loader: expects a batch size of at least 1, got ", batch_size);
  if (flip && dataset.sample_shape().rank() != 3) throw UsageError("loader: only images can be flipped, not points");
}

Loader::Batch Loader::batch(Index step) const {
  const Index n = dataset_.size();
  Batch batch;
  Index position = step * batch_size_;
  for (Index i = 0; i < batch_size_; ++i, ++position) {
    if (const Index number = position / n; number != epoch_.number) {
      epoch_ = {number, dataset_.epoch_order({seed_, Stream::data_order, std::uint64_t(number)})};
    }
    batch.indices.push_back(epoch_.order[position % n]);
  }
  batch.x0 = dataset_.batch(batch.indices);
  if (!dataset_.labels.empty()) {
    for (Index index : batch.indices) batch.labels.push_back(dataset_.labels[index]);
  }
  if (flip_) {
    const RandomKey key{seed_, Stream::augment, std::uint64_t(step)};
    for (Index i = 0; i < batch_size_; ++i) {
      if (uniform(key, i) < 0.5) mirror(batch.x0.rows(i, i + 1));
    }
  }
  return batch;
}

double Loader::epoch(Index step) const { return double(step) * batch_size_ / dataset_.size(); }

}  // namespace reverie::inline REVERIE_PRECISION
