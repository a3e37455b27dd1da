#pragma once
#include "data/augmentation.h"
#include "data/dataset.h"

namespace reverie::inline REVERIE_PRECISION {

/// Deals a dataset in random order, epoch after epoch; a batch may span two epochs. The batch of a training step is a
/// function of (seed, step) alone, so a resumed run sees the same batches as one that was never interrupted. A set in
/// memory is shuffled as a whole; one that streams from its file chunk by chunk, see StreamedImageSet.
class Loader {
 public:
  struct Batch {
    std::vector<Index> indices;  ///< of the samples in the dataset
    Tensor x0;                   ///< [batch_size, sample_shape]
    std::vector<Index> labels;   ///< empty if the dataset has none
  };

  /// The dataset must outlive the loader. Each image is changed at random as `augmentation` says, another way in each
  /// batch. Throws UsageError for a batch size below 1, an empty dataset, labels that are not one per sample, and as
  /// check_augmentation.
  Loader(const Dataset& dataset, Index batch_size, std::uint64_t seed, const Augmentation& augmentation = {});

  /// Caches the order of the current epoch, so call it from one thread at a time.
  Batch batch(Index step) const;
  double epoch(Index step) const;  ///< how often the dataset was dealt before this step

 private:
  struct Epoch {
    Index number = -1;
    std::vector<Index> order;
  };
  const Dataset& dataset_;
  Index batch_size_;
  std::uint64_t seed_;
  Augmentation augmentation_;
  mutable Epoch epoch_;  // cached: shuffling a large dataset takes longer than a small step
};

}  // namespace reverie::inline REVERIE_PRECISION
