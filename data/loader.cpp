#include "data/loader.h"

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

Loader::Loader(const Dataset& dataset, Index batch_size, std::uint64_t seed, const Augmentation& augmentation)
    : dataset_(dataset), batch_size_(batch_size), seed_(seed), augmentation_(augmentation) {
  const Index size = dataset.size(), labels = std::ssize(dataset.labels);
  if (size < 1) throw UsageError("loader: the dataset has no samples");
  if (labels != 0 && labels != size)
    throw UsageError("loader: the dataset has ", labels, " labels for ", size, " samples");
  if (batch_size < 1) throw UsageError("loader: expects a batch size of at least 1, got ", batch_size);
  check_augmentation(augmentation, dataset.sample_shape(), "loader");
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
  augment(batch.x0, augmentation_, {seed_, Stream::augment, std::uint64_t(step)});
  return batch;
}

double Loader::epoch(Index step) const { return double(step) * batch_size_ / dataset_.size(); }

}  // namespace reverie::inline REVERIE_PRECISION
